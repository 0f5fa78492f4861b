package cloud

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/plan"
)

const (
	secretKey    = "very-secret/0123456789abcdefABCDEFGHIJKL"
	sessionToken = "very-secret+token/0123456789abcdefABCDEFGHIJKLMNOPQRSTUVWXYZ=="
)

// An answer that repeats the request, as that about a wrong signature does, brings no session token into an error.
func TestNoErrorShowsCredentials(t *testing.T) {
	wrong := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		message := fmt.Sprintf("The request signature we calculated does not match. The Canonical String should have been 'POST / %s:%s %d'",
			strings.ToLower(tokenHeader), r.Header.Get(tokenHeader), len(body))
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		w.WriteHeader(http.StatusForbidden)
		switch {
		case strings.Contains(r.Header.Get("Content-Type"), "json"):
			fmt.Fprintf(w, `{"__type":"SignatureDoesNotMatch","message":%q}`, message)
		case strings.Contains(string(body), "Version=2016-11-15"):
			fmt.Fprintf(w, "<Response><Errors><Error><Code>SignatureDoesNotMatch</Code><Message>%s</Message></Error></Errors></Response>", message)
		default:
			fmt.Fprintf(w, "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>%s</Message></Error></ErrorResponse>", message)
		}
	}))
	defer wrong.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // no HTTP at all
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
				fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", r.Header.Get(tokenHeader))
			}
			_ = c.Close()
		}
	}()
	for endpoint, code := range map[string]string{wrong.URL: "SignatureDoesNotMatch", "http://" + l.Addr().String(): ""} {
		cfg := planted(t, endpoint)
		clients := FromConfig(cfg)
		_, found := clients.EC2.DescribeInstances(t.Context(), []string{"i-0123456789abcdef0"})
		_, listed := ecs.NewFromConfig(cfg).ListClusters(t.Context(), nil)
		queue := &sqs.ReceiveMessageInput{QueueUrl: aws.String(endpoint + "/111122223333/ebb")}
		_, received := sqs.NewFromConfig(cfg).ReceiveMessage(t.Context(), queue)
		_, groups := clients.AutoScaling.DescribeAutoScalingGroups(t.Context(), nil)
		for name, err := range map[string]error{"ec2": found, "ecs": listed, "sqs": received, "autoscaling": groups} {
			f := Classify(err)
			if f == nil || code != "" && (f.Class != plan.Denied || f.Code != code) {
				t.Fatalf("%s: %v is %+v", name, err, f)
			}
			if _, ok := errors.AsType[smithy.APIError](err); ok != (code != "") {
				t.Errorf("%s: %v is not what it was", name, err)
			}
			for _, text := range []string{err.Error(), f.Message} {
				if strings.Contains(text, "very-secret") {
					t.Errorf("%s shows the session token: %s", name, text)
				}
				if !strings.Contains(text, hidden) {
					t.Errorf("%s: the answer did not have the token: %s", name, text)
				}
			}
		}
	}
}

// planted is the configuration of a process whose credentials are marked.
func planted(t *testing.T, endpoint string) aws.Config {
	t.Helper()
	alone(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", secretKey)
	t.Setenv("AWS_SESSION_TOKEN", sessionToken)
	cfg, err := AWSConfig(t.Context(), Options{Region: "eu-west-1", Endpoint: endpoint})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// What credential_process prints is shown to nobody, also if it cannot be read.
func TestACredentialProcessIsNotShown(t *testing.T) {
	good := `{"Version":1,"AccessKeyId":"test","SecretAccessKey":"` + secretKey + `","SessionToken":"` + sessionToken + `"}`
	for printed, want := range map[string]string{
		good:                     "",
		"a new version\n" + good: "did not print credentials as JSON, and nothing else, to standard output; run it by itself",
		good + "}":               "did not print credentials as JSON, and nothing else, to standard output; run it by itself",
		strings.Replace(good, "AccessKeyId", "accessKey", 1): "did not print credentials as JSON",
	} {
		alone(t)
		dir := t.TempDir()
		file, config := filepath.Join(dir, "printed"), filepath.Join(dir, "config")
		text := "[default]\nregion = eu-west-1\ncredential_process = cat " + file + "\n"
		if err := errors.Join(os.WriteFile(file, []byte(printed), 0o600), os.WriteFile(config, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		t.Setenv("AWS_CONFIG_FILE", config)
		_, err := AWSConfig(t.Context(), Options{})
		if fmt.Sprint(err) != "<nil>" && want == "" || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", printed, err)
		}
		if strings.Contains(fmt.Sprint(err), "very-secret") {
			t.Errorf("it shows what was printed: %v", err)
		}
	}
}

// A class of errors stays what it is behind what hides a text.
func TestAHiddenTextChangesNothingElse(t *testing.T) {
	err := withoutToken("very-secret", nil, fmt.Errorf("with very-secret: %w", context.DeadlineExceeded))
	if !errors.Is(err, context.DeadlineExceeded) || err.Error() != "with ***: context deadline exceeded" {
		t.Error(err)
	}
	plain := errors.New("plain")
	for _, token := range []string{"", "very-secret"} {
		if got := withoutToken(token, nil, plain); !errors.Is(got, plain) || got.Error() != "plain" {
			t.Errorf("an error without it is %v", got)
		}
	}
	if withoutToken("x", nil, nil) != nil {
		t.Error("no error is one")
	}
}
