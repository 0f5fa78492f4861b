// Package notify sends notices to people: to Slack, to a webhook, to a topic of SNS and to a bus of EventBridge. Each kind of receiver is a
// file.
//
// It never decides what people are told or when it is tried again, never keeps a notice, and never puts a secret into an error.
package notify

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ebbhq/ebb/internal/notice"
)

// sendFor is how long one notice may take.
const sendFor = 10 * time.Second

// Kind is a kind of receiver.
type Kind string

// The kinds.
const (
	Slack       Kind = "slack"       // an incoming webhook of Slack
	SlackBot    Kind = "slack_bot"   // a bot's token of Slack, and a channel
	Webhook     Kind = "webhook"     // a URL that takes JSON
	SNS         Kind = "sns"         // a topic
	EventBridge Kind = "eventbridge" // an event bus
)

// Route is one receiver as it is configured.
type Route struct {
	notice.Route
	Kind     Kind
	To       string // a secret (see Secrets) of Slack and of a webhook; the ARN of a topic; the name or ARN of a bus
	Channel  string // of SlackBot: its id
	Template string // of Webhook: the body with placeholders, see Template; empty: the notice as JSON
}

// Sender sends the notices of some routes. It is safe for concurrent use.
type Sender struct {
	routes  map[string]Route
	secrets *Secrets
	aws     aws.Config
	http    *http.Client
	slack   string // URL of Slack's API; empty: Slack's own
}

// New returns a sender. AWS is called with cfg: it may be the zero Config where no route and no secret is in AWS.
func New(routes []Route, secrets *Secrets, cfg aws.Config) *Sender {
	s := &Sender{routes: map[string]Route{}, secrets: secrets, aws: cfg, http: newClient()}
	for _, r := range routes {
		s.routes[r.Name] = r
	}
	return s
}

// Tell sends a notice by a route. What it returns engine.Teller says.
func (s *Sender) Tell(ctx context.Context, route string, n notice.Notice, message string) (string, error) {
	r, ok := s.routes[route]
	if !ok {
		return "", &notice.Undeliverable{Why: fmt.Sprintf("no entry of notify has the name %q any more", route)}
	}
	ctx, cancel := context.WithTimeout(ctx, sendFor)
	defer cancel()
	switch r.Kind {
	case SNS:
		return "", s.publish(ctx, r, n)
	case EventBridge:
		return "", s.putEvent(ctx, r, n)
	case Slack, SlackBot, Webhook:
	}
	secret, err := s.secrets.Read(ctx, r.To)
	if err != nil {
		return "", fmt.Errorf("read the secret of route %s: %w", r.Name, err)
	}
	switch r.Kind {
	case SlackBot:
		message, err = s.post(ctx, r, n, message, secret)
	case Slack:
		err = s.postWebhook(ctx, n, secret)
	default:
		err = s.send(ctx, r, n, secret)
	}
	if err != nil {
		s.secrets.Forget(r.To) // it may have been replaced
	}
	return message, known(err)
}

// answered is what a status of HTTP means for a notice, or nil. After is the header Retry-After.
func answered(status int, after string) error {
	text := failure(fmt.Sprintf("it answered %d %s", status, http.StatusText(status)))
	seconds, err := strconv.Atoi(after)
	switch {
	case status >= 200 && status < 300:
		return nil
	case status >= 300 && status < 400: // a page to log in, say, would answer 200 and have told nobody
		return text + "; Ebb follows no redirect: write the URL that it leads to"
	case status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge || status == http.StatusUnprocessableEntity:
		return &notice.Undeliverable{Why: string(text)}
	case err == nil && seconds >= 0:
		return &notice.Later{For: min(time.Duration(seconds)*time.Second, time.Hour), Why: string(text)}
	}
	return text
}

// failure is an error whose text Ebb has written. What others have written may hold the secret: the error of a request has its URL, and one
// about an answer that cannot be read has a part of it, in which a receiver may repeat what it was sent.
type failure string

// Error is the text.
func (f failure) Error() string { return string(f) }

// newClient is a client for receivers. It follows no redirect: it would tell the next one the URL as the referer.
func newClient() *http.Client {
	return &http.Client{Timeout: sendFor, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// address is a secret that is a URL. The error shows nothing of it.
func address(secret string) (string, error) {
	u, err := url.Parse(secret)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return "", failure("the secret is not a URL; store the whole URL as the receiver gave it out, like https://host/path")
	}
	return secret, nil
}

// known is an error in Ebb's own words. Of what is not in the list only that is told that it went wrong.
func known(err error) error {
	own, is := errors.AsType[failure](err)
	switch {
	case err == nil:
		return nil
	case is:
		return own
	case as[*notice.Undeliverable](err), as[*notice.Later](err):
		return err // answered and slackSaid have written it
	case errors.Is(err, context.Canceled):
		return context.Canceled
	}
	return failure(unreachable(err))
}

func unreachable(err error) string {
	var timeout net.Error
	errno, system := errors.AsType[syscall.Errno](err)
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "it did not answer in " + sendFor.String()
	case as[*net.DNSError](err):
		return "its host is not found; correct the host in the URL, or check the name server of this host"
	case as[x509.UnknownAuthorityError](err):
		return "its certificate is signed by an authority that this host does not know; add that authority to this host"
	case as[x509.HostnameError](err):
		return "its certificate is for another host; correct the host in the URL"
	case as[x509.CertificateInvalidError](err):
		return "its certificate is not valid, or no more; renew it, or check the clock of this host"
	case errors.Is(err, http.ErrSchemeMismatch):
		return "it speaks HTTP without encryption; write http:// instead of https://, or its encrypted port"
	case system:
		return "it cannot be reached" + where(err) + ": " + errno.Error()
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return "it closed the connection without an answer"
	}
	return "it cannot be reached, or its answer cannot be read; check the URL, the receiver, and HTTPS_PROXY if it is set"
}

// where is the address that was called, if that is known.
func where(err error) string {
	for ; err != nil; err = errors.Unwrap(err) {
		if op, ok := err.(*net.OpError); ok && op.Op == "dial" && op.Addr != nil { //nolint:errorlint // each of the chain is looked at
			return " at " + op.Addr.String()
		}
	}
	return ""
}

func as[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
