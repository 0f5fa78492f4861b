package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/ebbhq/ebb/internal/notice"
)

// source is who sends, in EventBridge.
const source = "ebb"

// publish publishes a notice to a topic, as text for people. Subscriptions can filter by the attributes event and group.
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
func (s *Sender) publish(ctx context.Context, r Route, n notice.Notice) error {
	text := n.Title + "\n"
	if n.Text != "" {
		text += "\n" + n.Text + "\n"
	}
	if len(n.CutOff) > 0 {
		text += "\nCut off:\n  " + strings.Join(n.CutOff, "\n  ") + "\n"
	}
	if n.Fix != "" {
		text += "\n" + n.Fix + "\n"
	}
	attribute := func(v string) snstypes.MessageAttributeValue {
		return snstypes.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(v)}
	}
	attributes := map[string]snstypes.MessageAttributeValue{"event": attribute(string(n.Event)), "key": attribute(n.Key)}
	if n.Group != "" {
		attributes["group"] = attribute(n.Group)
	}
	_, err := sns.NewFromConfig(s.aws).Publish(ctx, &sns.PublishInput{
		TopicArn: aws.String(r.To), Subject: aws.String(subject(n.Title)), Message: aws.String(text), MessageAttributes: attributes,
	})
	if err != nil {
		return fmt.Errorf("publish to %s: %w", r.To, err)
	}
	return nil
}

// subject is a text as SNS takes one: at most 100 printable ASCII characters.
func subject(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
	return "Ebb: " + s[:min(len(s), 95)]
}

// putEvent puts a notice on a bus. Its detail is the notice.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
func (s *Sender) putEvent(ctx context.Context, r Route, n notice.Notice) error {
	detail, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("write the notice as JSON: %w", err)
	}
	out, err := eventbridge.NewFromConfig(s.aws).PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []eventtypes.PutEventsRequestEntry{{
		EventBusName: aws.String(r.To), Source: aws.String(source), DetailType: aws.String(detailType(n.Event)),
		Detail: aws.String(string(detail)), Time: aws.Time(n.At),
	}}})
	switch {
	case err != nil:
		return fmt.Errorf("put an event on %s: %w", r.To, err)
	case out.FailedEntryCount > 0 && len(out.Entries) > 0: // with HTTP 200
		return fmt.Errorf("put an event on %s: %s: %s", r.To, aws.ToString(out.Entries[0].ErrorCode), aws.ToString(out.Entries[0].ErrorMessage))
	case out.FailedEntryCount > 0:
		return errors.New("put an event on " + r.To + ": it was not taken")
	}
	return nil
}

// detailType is Ebb Drain Started, Stuck, Forced, Let Go or Done, Ebb Planned, Ebb Scaled, or Ebb Digest.
func detailType(e notice.Event) string {
	switch e {
	case notice.Digest:
		return "Ebb Digest"
	case notice.Scaled:
		return "Ebb Scaled"
	case notice.Planned:
		return "Ebb Planned"
	case notice.LetGo:
		return "Ebb Drain Let Go"
	case notice.Started, notice.Stuck, notice.Forced, notice.Done, notice.Test:
	}
	return "Ebb Drain " + strings.ToUpper(string(e[:1])) + string(e[1:])
}
