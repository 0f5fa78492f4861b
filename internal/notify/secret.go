package notify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/ebbhq/ebb/internal/plain"
)

// Secrets reads secrets from where the configuration says that they stand: env:NAME, file:/PATH, ssm:NAME of a parameter, or
// secretsmanager:NAME, with #KEY for one value of a secret that is JSON. It keeps what it has read until Forget. It is safe for concurrent
// use.
type Secrets struct {
	env  func(string) string
	aws  aws.Config
	http *http.Client

	mu    sync.Mutex
	known map[string]string
}

// NewSecrets reads the environment with env, and AWS with cfg.
func NewSecrets(env func(string) string, cfg aws.Config) *Secrets {
	return &Secrets{env: env, aws: cfg, http: &http.Client{Timeout: sendFor}, known: map[string]string{}}
}

// Read is the secret that stands somewhere, without white space around it. The error says where, and never what.
func (s *Secrets) Read(ctx context.Context, where string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.known[where]; v != "" {
		return v, nil
	}
	v, err := s.read(ctx, where)
	if v = strings.TrimSpace(v); err == nil && v == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", where, err)
	}
	s.known[where] = v
	return v, nil
}

// Forget reads a secret anew the next time: it may have been replaced.
func (s *Secrets) Forget(where string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, where)
}

func (s *Secrets) read(ctx context.Context, where string) (string, error) {
	kind, name, _ := strings.Cut(where, ":")
	switch kind {
	case "env":
		return s.env(name), nil
	case "file":
		b, err := os.ReadFile(name)
		return string(b), err
	case "ssm":
		var out struct{ Parameter struct{ Value string } }
		err := s.ask(ctx, "ssm", "AmazonSSM.GetParameter", map[string]any{"Name": name, "WithDecryption": true}, &out)
		return out.Parameter.Value, err
	}
	name, key, one := strings.Cut(name, "#")
	var out struct{ SecretString string }
	if err := s.ask(ctx, "secretsmanager", "secretsmanager.GetSecretValue", map[string]any{"SecretId": name}, &out); err != nil || !one {
		return out.SecretString, err
	}
	var values map[string]json.RawMessage
	if json.Unmarshal([]byte(out.SecretString), &values) != nil {
		return "", fmt.Errorf("it is no JSON object, so it has no key %s", key)
	}
	var v string
	if json.Unmarshal(values[key], &v) != nil {
		return "", fmt.Errorf("it has no text under the key %s", key)
	}
	return v, nil
}

// maxAnswer is more than the largest secret of both services with what is around it.
const maxAnswer = 1 << 20

// ask asks a service of AWS by hand, in its JSON protocol: the SDK's package of SSM takes a minute to compile, for one operation.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
func (s *Secrets) ask(ctx context.Context, service, target string, in map[string]any, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("write the request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint(service), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", target)
	if s.aws.Credentials == nil {
		return errors.New("there are no AWS credentials")
	}
	creds, err := s.aws.Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("get credentials: %w", err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, creds, req, hex.EncodeToString(sum[:]), service, s.aws.Region, time.Now()); err != nil {
		return fmt.Errorf("sign the request: %w", err)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return fmt.Errorf("call %s: %w", target, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", target, err)
	}
	if res.StatusCode != http.StatusOK {
		var why struct {
			Type string `json:"__type"`
		}
		_ = json.Unmarshal(answer, &why) // what has no type is named by its status
		return fmt.Errorf("%s answers %d %s", target, res.StatusCode, plain.Text(why.Type[strings.LastIndexByte(why.Type, '#')+1:], plain.Short))
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("the answer of %s is no JSON", target) // the error of JSON would show a part of it
	}
	return nil
}

// endpoint is the URL of a service in the Region. China has its own domain.
func (s *Secrets) endpoint(service string) string {
	if s.aws.BaseEndpoint != nil {
		return strings.TrimSuffix(*s.aws.BaseEndpoint, "/") + "/"
	}
	domain := "amazonaws.com"
	if strings.HasPrefix(s.aws.Region, "cn-") {
		domain = "amazonaws.com.cn"
	}
	return "https://" + service + "." + s.aws.Region + "." + domain + "/"
}
