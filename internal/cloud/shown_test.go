package cloud

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Only an answer that is an error may repeat a request; what a good one holds is not touched.
func TestOfWhichAnswersATokenIsTaken(t *testing.T) {
	for status, want := range map[int]string{200: "a token", 299: "a token", 300: "a ***", 403: "a ***"} {
		answer := &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("a token"))}
		if err := withoutToken("token", answer, nil); err != nil {
			t.Errorf("%d: %v", status, err)
		}
		if body, err := io.ReadAll(answer.Body); string(body) != want || err != nil {
			t.Errorf("%d: %q, %v; want %q", status, body, err, want)
		}
	}
}

// A program for credentials that fails says so itself.
func TestACredentialProcessThatFailsIsToldOf(t *testing.T) {
	alone(t)
	config := filepath.Join(t.TempDir(), "config")
	err := os.WriteFile(config, []byte("[default]\nregion = eu-west-1\ncredential_process = sh -c 'exit 3'\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", config)
	if _, err := AWSConfig(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v", err)
	}
}
