package agentcli

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ebbhq/ebb/internal/agent"
	"github.com/ebbhq/ebb/internal/notice"
	"github.com/ebbhq/ebb/internal/notify"
	"github.com/ebbhq/ebb/internal/plain"
	"github.com/ebbhq/ebb/internal/steps"
)

// receivers are those who are sent what the steps did. Queues and S3 get all of it, after each step; the others a notice, at the end.
func receivers(list []report, secrets *notify.Secrets, cfg aws.Config) []agent.Receiver {
	var out []agent.Receiver
	var routes []notify.Route
	for i, r := range list {
		name := fmt.Sprintf("receiver %d", i+1)
		switch {
		case r.Queue != "":
			client := awssqs.NewFromConfig(cfg)
			out = append(out, agent.Receiver{Name: "queue " + r.Queue, Each: true, Send: func(ctx context.Context, _ agent.Transcript, body []byte) error {
				_, err := client.SendMessage(ctx, &awssqs.SendMessageInput{QueueUrl: aws.String(r.Queue), MessageBody: aws.String(string(body))})
				return err
			}})
		case r.S3 != "":
			out = append(out, agent.Receiver{Name: r.S3, Each: true, Send: func(ctx context.Context, t agent.Transcript, body []byte) error {
				return putTranscript(ctx, cfg, r.S3, t, body)
			}})
		default:
			kind, to := notify.Webhook, r.Webhook
			switch {
			case r.Slack != "":
				kind, to = notify.Slack, r.Slack
			case r.SNS != "":
				kind, to = notify.SNS, r.SNS
			case r.EventBridge != "":
				kind, to = notify.EventBridge, r.EventBridge
			}
			routes = append(routes, notify.Route{Route: notice.Route{Name: name}, Kind: kind, To: to})
		}
	}
	sender := notify.New(routes, secrets, cfg)
	for _, route := range routes {
		out = append(out, agent.Receiver{Name: string(route.Kind), Send: func(ctx context.Context, t agent.Transcript, _ []byte) error {
			_, err := sender.Tell(ctx, route.Name, about(t), "")
			return err
		}})
	}
	return out
}

// putTranscript writes the transcript to S3, under the name of the instance and the time at which the agent heard that it leaves.
func putTranscript(ctx context.Context, cfg aws.Config, to string, t agent.Transcript, body []byte) error {
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(to, "s3://"), "/")
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(body); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	key := strings.TrimSuffix(prefix, "/") + "/" + t.Instance + "/" + t.Heard.UTC().Format("20060102T150405Z") + ".json.gz"
	_, err := s3.NewFromConfig(cfg).PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String(strings.TrimPrefix(key, "/")), Body: bytes.NewReader(zipped.Bytes()),
	})
	return err
}

// about is what people are told of a transcript.
func about(t agent.Transcript) notice.Notice {
	n := notice.Notice{
		Key: "host/" + t.Instance + "/" + t.Heard.UTC().Format("20060102T150405Z"), Event: notice.Done, At: t.Decided,
		Group: plain.Text(t.Group, plain.Short), Instance: t.Instance,
	}
	var bad []string
	var lines []string
	for _, r := range t.Runs {
		outcome := cmp.Or(string(r.Outcome), "runs")
		lines = append(lines, r.Step+" "+outcome)
		if r.Outcome != steps.OK {
			bad = append(bad, r.Step)
		}
	}
	n.Title = fmt.Sprintf("%s: all %d steps before the end of the host are done", t.Instance, len(t.Runs))
	if len(bad) > 0 {
		n.Event = notice.Forced
		n.Title = fmt.Sprintf("%s: %d of %d steps before the end of the host did not succeed: %s", t.Instance, len(bad), len(t.Runs), strings.Join(bad, ", "))
	}
	n.Title = plain.Text(n.Title, plain.Short)
	n.Text = plain.Text(strings.Join(lines, "; ")+"; "+t.Result+": "+t.Why, plain.Long)
	return n
}
