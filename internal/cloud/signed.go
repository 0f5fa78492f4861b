package cloud

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
)

// Some services are asked without a client of the SDK: its packages take minutes to compile for a few operations.

// maxAnswer is more than the answer for 100 instances can be long.
const maxAnswer = 16 << 20

// endpointOf is the URL of a service in a Region, with a slash at its end. China has its own domain.
// https://docs.aws.amazon.com/ec2/latest/devguide/ec2-endpoints.html
func endpointOf(cfg aws.Config, service string) string {
	if cfg.BaseEndpoint != nil {
		return strings.TrimSuffix(*cfg.BaseEndpoint, "/") + "/"
	}
	domain := "amazonaws.com"
	if strings.HasPrefix(cfg.Region, "cn-") {
		domain = "amazonaws.com.cn"
	}
	return "https://" + service + "." + cfg.Region + "." + domain + "/"
}

// post signs and sends one request, whose path begins without a slash, and returns the body of a good answer. What another answer says, bad
// reads.
func post(
	ctx context.Context, cfg aws.Config, service, path string, header map[string]string, body []byte, bad func(*http.Response, []byte) error,
) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpointOf(cfg, service)+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	creds, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("get credentials: %w", err)
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, creds, req, hex.EncodeToString(sum[:]), service, cfg.Region, time.Now()); err != nil {
		return nil, fmt.Errorf("sign the request: %w", err)
	}
	res, err := cfg.HTTPClient.Do(req)
	if err = withoutToken(creds.SessionToken, res, err); err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, bad(res, answer)
	}
	return answer, nil
}

// askJSON sends one request of a service that speaks JSON.
func askJSON(ctx context.Context, cfg aws.Config, service, path string, header map[string]string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := post(ctx, cfg, service, path, header, body, jsonError)
	if err != nil {
		return fmt.Errorf("%s: %w", service, err)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("read the answer of %s: %w", service, err)
	}
	return nil
}

// jsonError reads an error of the protocols awsJson1.1 and restJson1. Its code may stand after a namespace and before a colon.
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html#operation-error-serialization
func jsonError(res *http.Response, body []byte) error {
	var answer struct {
		Type    string `json:"__type"`
		Code    string `json:"code"`
		Message string `json:"message"` // some services spell it with a capital
	}
	_ = json.Unmarshal(body, &answer) // without one there may be a header
	for _, code := range []string{res.Header.Get("X-Amzn-ErrorType"), answer.Type, answer.Code} {
		code, _, _ = strings.Cut(code, ":")
		if code = code[strings.LastIndexByte(code, '#')+1:]; code != "" {
			return &smithy.GenericAPIError{Code: code, Message: answer.Message}
		}
	}
	return fmt.Errorf("HTTP status %d without an error that can be read", res.StatusCode)
}
