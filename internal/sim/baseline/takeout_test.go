package baseline_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ebbhq/ebb/internal/sim/baseline"
)

// invoked is a home-made function with a queue of events, and what it has asked for.
type invoked struct {
	*baseline.TakeOut
	events []string
	calls  []*elb.DeregisterTargetsInput
	fails  int // so many calls
}

func (i *invoked) ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error) {
	out := &sqs.ReceiveMessageOutput{}
	for _, e := range i.events {
		out.Messages = append(out.Messages, types.Message{Body: new(e)})
	}
	i.events = nil
	return out, nil
}

func (i *invoked) DeleteMessage(context.Context, *sqs.DeleteMessageInput, ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error) {
	return &sqs.DeleteMessageOutput{}, nil
}

func (i *invoked) DeregisterTargets(_ context.Context, in *elb.DeregisterTargetsInput, _ ...func(*elb.Options)) (*elb.DeregisterTargetsOutput, error) {
	i.calls = append(i.calls, in)
	if len(i.calls) <= i.fails {
		return nil, errors.New("throttled")
	}
	return &elb.DeregisterTargetsOutput{}, nil
}

func invoke(events ...string) *invoked {
	i := &invoked{events: events}
	i.TakeOut = baseline.NewTakeOut(baseline.TakeOutConfig{ELB: i, SQS: i, Cluster: "arn:prod", TargetGroup: "arn:tg", Container: "web", Port: 8080})
	return i
}

const interrupted = `{"detail":{"clusterArn":"arn:prod","desiredStatus":"STOPPED","lastStatus":"RUNNING","stopCode":"SpotInterruption",
	"containers":[{"name":"sidecar","networkInterfaces":[{"privateIpv4Address":"10.0.0.8"}]},
	{"name":"web","networkInterfaces":[{"privateIpv4Address":"10.0.0.9"}]}]}}`

func TestTakeOutDeregistersOneTarget(t *testing.T) {
	i := invoke(interrupted)
	now := time.Now()
	if next, err := i.Tick(t.Context(), now); err != nil || !next.After(now) {
		t.Fatal(next, err)
	}
	if len(i.calls) != 1 || *i.calls[0].TargetGroupArn != "arn:tg" || *i.calls[0].Targets[0].Id != "10.0.0.9" || *i.calls[0].Targets[0].Port != 8080 {
		t.Errorf("%+v", i.calls)
	}
}

func TestTakeOutPassesOverWhatItDoesNotKnow(t *testing.T) {
	for from, to := range map[string]string{
		"arn:prod": "arn:dev", `"STOPPED"`: `"RUNNING"`, `"RUNNING"`: `"STOPPED"`, "SpotInterruption": "TerminationNotice", `"stopCode"`: `"code"`,
	} {
		i := invoke(strings.ReplaceAll(interrupted, from, to))
		if _, err := i.Tick(t.Context(), time.Now()); err != nil || len(i.calls) > 0 {
			t.Errorf("%s for %s: %v, %d calls", to, from, err, len(i.calls))
		}
	}
	for _, event := range []string{"?", strings.ReplaceAll(interrupted, `"web"`, `"app"`)} {
		i := invoke(event)
		if _, err := i.Tick(t.Context(), time.Now()); err == nil || len(i.calls) > 0 {
			t.Errorf("%s: %v, %d calls; want an error", event, err, len(i.calls))
		}
	}
}

// A call that fails is tried again as the SDK and Lambda do: nine times in all, the last of them three minutes after the first.
func TestTakeOutIsTriedAgain(t *testing.T) {
	for _, fails := range []int{1, 4, 100} {
		i := invoke(interrupted)
		i.fails = fails
		start, last := time.Now(), time.Time{}
		for now := start; now.Before(start.Add(10 * time.Minute)); {
			before := len(i.calls)
			next, _ := i.Tick(t.Context(), now)
			if len(i.calls) > before {
				last = now
			}
			now = next
		}
		if want := min(fails+1, 9); len(i.calls) != want {
			t.Errorf("%d calls, want %d", len(i.calls), want)
		}
		if took := last.Sub(start).Round(time.Second); fails == 100 && took != 3*time.Minute+5*time.Second {
			t.Errorf("the last after %s", took)
		}
	}
}
