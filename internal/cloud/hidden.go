package cloud

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// What is secret of credentials reaches no error, and so no log and no journal. The secret key is never sent. The session token is, and an
// answer can repeat it: AWS shows the headers of a request in the message about a wrong signature.

// tokenHeader carries the session token.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
const tokenHeader = "X-Amz-Security-Token"

// hideToken takes the session token out of what comes back of requests, for every client of the SDK.
func hideToken(s *middleware.Stack) error {
	return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("EbbHideToken", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, data, err := next.HandleDeserialize(ctx, in)
		if req, ok := in.Request.(*smithyhttp.Request); ok {
			var answer *http.Response
			if res, ok := out.RawResponse.(*smithyhttp.Response); ok && res != nil {
				answer = res.Response
			}
			err = withoutToken(req.Header.Get(tokenHeader), answer, err)
		}
		return out, data, err
	}), middleware.After) // nearest to the wire
}

// withoutToken takes a token out of an error, and out of the body of an answer that is one.
func withoutToken(token string, answer *http.Response, err error) error {
	if token == "" {
		return err
	}
	if answer != nil && answer.StatusCode >= http.StatusMultipleChoices {
		body, failed := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
		_ = answer.Body.Close()
		answer.Body = io.NopCloser(bytes.NewReader(bytes.ReplaceAll(body, []byte(token), []byte(hidden))))
		err = errors.Join(err, failed)
	}
	if err != nil && strings.Contains(err.Error(), token) {
		return withoutText{err, token}
	}
	return err
}

// hidden stands where a secret stood.
const hidden = "***"

// withoutText is an error that does not show a text.
type withoutText struct {
	error
	text string
}

func (e withoutText) Error() string { return strings.ReplaceAll(e.error.Error(), e.text, hidden) }
func (e withoutText) Unwrap() error { return e.error }

// quiet are credentials whose errors show none. The SDK shows all that a credential_process has printed if that is not the JSON that it
// must be, as when the program prints a warning before it.
type quiet struct{ aws.CredentialsProvider }

// Retrieve is that of the SDK's provider.
func (q quiet) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := q.CredentialsProvider.Retrieve(ctx)
	failed, ok := errors.AsType[*processcreds.ProviderError](err)
	if ok && strings.Contains(failed.Error(), "process output") {
		err = errors.New("the program of credential_process did not print credentials as JSON, and nothing else, to standard output; " +
			"run it by itself to see what it prints")
	}
	return c, err
}
