package event

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A rule for all events of ECS or of Auto Scaling is common. What it sends is known: not understood it would go to the dead-letter queue,
// each event after its last receive.
func TestEveryEventOfARuleIsKnown(t *testing.T) {
	for source, types := range map[string][]string{
		"aws.ecs":    {"ECS Task State Change", "ECS Container Instance State Change", "ECS Service Action", "ECS Deployment State Change"},
		"aws.health": {"AWS Health Event"},
		"aws.autoscaling": {"EC2 Auto Scaling Instance Refresh Started", "EC2 Auto Scaling Instance Refresh Checkpoint Reached",
			"EC2 Auto Scaling Instance Refresh Succeeded", "EC2 Auto Scaling Instance Refresh Failed",
			"EC2 Auto Scaling Instance Refresh Cancelled"},
	} {
		for _, name := range types {
			const form = `{"source":%q,"detail-type":%q,"account":"111122223333","time":"2026-11-21T09:15:02Z","detail":{}}`
			e := Parse(fmt.Appendf(nil, form, source, name))
			if e.Kind != Ignored || !e.Wakes() || e.Why == "" || e.Account != "111122223333" || !e.Time.Equal(at("2026-11-21T09:15:02Z")) {
				t.Errorf("%s of %s: %+v", name, source, e)
			}
		}
	}
	for _, what := range []string{"Launch", "Terminate"} {
		for _, how := range []string{"Successful", "Unsuccessful"} {
			name := "EC2 Instance " + what + " " + how
			e := Parse(fmt.Appendf(nil, `{"source":"aws.autoscaling","detail-type":%q,"detail":{"AutoScalingGroupName":"web"}}`, name))
			if e.Kind != ScalingNotification || e.Group != "web" {
				t.Errorf("%s: %+v", name, e)
			}
		}
	}
	for _, name := range []string{"LAUNCH", "LAUNCH_ERROR", "TERMINATE", "TERMINATE_ERROR"} {
		e := Parse(fmt.Appendf(nil, `{"Event":"autoscaling:EC2_INSTANCE_%s","AutoScalingGroupName":"web"}`, name))
		if e.Kind != ScalingNotification || e.Group != "web" {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// An id that is none makes AWS refuse a whole request, and what is asked with it about other instances.
func TestWhatIsNoInstanceID(t *testing.T) {
	for id, want := range map[string]Kind{
		"i-0a1b2c3d": TerminateAction, "i-0a1b2c3d4e5f60718": TerminateAction,
		"i-0a1b2c3": Unknown, "i-0a1b2c3d4e5f607180": Unknown, "i-0a1b2c3g": Unknown, "i-0A1B2C3D": Unknown, "mi-0a1b2c3d": Unknown,
		"i-0a1b2c3d ": Unknown,
	} {
		e := Parse(fmt.Appendf(nil, `{"LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING","AutoScalingGroupName":"web",`+
			`"LifecycleHookName":"ebb-drain","EC2InstanceId":%q}`, id))
		if e.Kind != want {
			t.Errorf("%q: %s, %s", id, e.Kind, e.Why)
		}
	}
}

// Editors and shells put a mark of the byte order before a text, and people send texts by hand.
func TestAMarkOfTheByteOrderIsNoContent(t *testing.T) {
	const body = `{"Event":"autoscaling:TEST_NOTIFICATION","AutoScalingGroupName":"web"}`
	if got, want := Parse([]byte("\ufeff\n"+body)), Parse([]byte(body)); !cmp.Equal(got, want) || want.Kind != TestNotification {
		t.Errorf("with a mark %+v, without one %+v", got, want)
	}
}
