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
	return &Secrets{env: env, aws: cfg, http: newClient(), known: map[string]string{}}
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
		err = errors.New("it is empty; put the secret there, or correct what notify says in the configuration")
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
		if s.env(name) == "" {
			return "", errors.New("it is not in Ebb's environment, or it is empty; set it, or correct its name under notify")
		}
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
	var out struct {
		SecretString string
		SecretBinary []byte
	}
	err := s.ask(ctx, "secretsmanager", "secretsmanager.GetSecretValue", map[string]any{"SecretId": name}, &out)
	switch {
	case err != nil:
		return "", err
	case out.SecretString == "" && len(out.SecretBinary) > 0:
		return "", errors.New("it is binary; store it as text, with aws secretsmanager put-secret-value --secret-string")
	case !one:
		return out.SecretString, nil
	}
	var values map[string]json.RawMessage
	if json.Unmarshal([]byte(out.SecretString), &values) != nil {
		return "", fmt.Errorf("it is no JSON object, so it has no key %s; leave #%s out to take all of it", key, key)
	}
	var v string
	if json.Unmarshal(values[key], &v) != nil {
		return "", fmt.Errorf("it has no text under the key %s; correct the key under notify, or add it to the secret", key)
	}
	return v, nil
}

// maxAnswer is more than the largest secret of both services with what is around it.
const maxAnswer = 1 << 20

// ask asks a service of AWS by hand, in its JSON protocol: the SDK's package of SSM takes a minute to compile, for one operation.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
func (s *Secrets) ask(ctx context.Context, service, target string, in map[string]any, out any) error {
	_, operation, _ := strings.Cut(target, ".")
	action := service + ":" + operation // as policies call it
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
		return fmt.Errorf("call %s at %s: %w", action, req.URL.Host, known(err)) // the request has the session token
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", action, known(err))
	}
	if res.StatusCode != http.StatusOK {
		var why struct {
			Type string `json:"__type"`
		}
		_ = json.Unmarshal(answer, &why) // what has no type is named by its status
		return s.refused(action, res.StatusCode, why.Type[strings.LastIndexByte(why.Type, '#')+1:])
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("the answer of %s is no JSON", action) // the error of JSON would show a part of it
	}
	return nil
}

// refused says what an error of AWS means, and what to do about it. What AWS says beside the code is left out: Ebb does not know what stands
// there. The codes are those of the two operations.
func (s *Secrets) refused(action string, status int, code string) error {
	todo := ""
	switch code {
	case "ParameterNotFound":
		todo = "there is no such parameter in " + s.aws.Region + "; correct the name under notify, or make the parameter with " +
			"aws ssm put-parameter --type SecureString"
	case "ParameterVersionNotFound":
		todo = "the parameter has no such version or label; correct what follows the colon, or leave it out"
	case "ResourceNotFoundException":
		todo = "there is no such secret in " + s.aws.Region + ", or it has no value yet; correct the name under notify, or make the secret with " +
			"aws secretsmanager create-secret"
	case "InvalidRequestException":
		todo = "the secret is marked for deletion; restore it with aws secretsmanager restore-secret, or name another under notify"
	case "AccessDeniedException":
		todo = "Ebb may not read it; allow " + action + " on it, and kms:Decrypt if a key of your own encrypts it"
	case "InvalidKeyId", "DecryptionFailure":
		todo = "AWS cannot decrypt it; enable its KMS key, and allow kms:Decrypt on the key"
	default:
		return fmt.Errorf("%s answers %d %s", action, status, plain.Text(code, plain.Short))
	}
	return fmt.Errorf("%s (AWS says %s)", todo, code)
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
