// Package notify sends notices to people: to Slack, to a webhook, to a topic of SNS and to a bus of EventBridge. Each kind of receiver is a
// file.
//
// It never decides what people are told or when it is tried again, never keeps a notice, and never puts a secret into an error.
package notify

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
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
