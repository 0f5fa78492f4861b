package cloud

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// An operator's word is one attribute among others, wherever it stands; one that cannot be read is no word, and says why.
func TestAWordOnAContainerInstance(t *testing.T) {
	attribute := func(name, value string) ecstypes.Attribute {
		return ecstypes.Attribute{Name: aws.String(name), Value: aws.String(value)}
	}
	word := fleet.Word{Deadline: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), Late: fleet.LateLeave, End: fleet.EndKeep, Reason: "patch"}
	for name, x := range map[string]struct {
		attributes []ecstypes.Attribute
		want       fleet.Word
		bad        bool
	}{
		"none":         {nil, fleet.Word{}, false},
		"others":       {[]ecstypes.Attribute{attribute("ecs.os-type", "linux"), {Name: aws.String("ecs.capability.x")}}, fleet.Word{}, false},
		"among others": {[]ecstypes.Attribute{attribute("ecs.os-type", "linux"), attribute(fleet.WordAttribute, word.String())}, word, false},
		"no word":      {[]ecstypes.Attribute{attribute(fleet.WordAttribute, "soon"), attribute("ecs.os-type", "linux")}, fleet.Word{}, true},
	} {
		got := ReadContainerInstance("prod", ecstypes.ContainerInstance{Attributes: x.attributes})
		if got.Word != x.want || (got.BadWord != "") != x.bad {
			t.Errorf("%s: %+v, wrong with it %q", name, got.Word, got.BadWord)
		}
	}
}

func TestAWordIsSaidAndTakenBack(t *testing.T) {
	ci := fleet.ContainerInstance{ARN: arns + "container-instance/prod/c1", Cluster: "prod"}
	word := fleet.Word{Deadline: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), Late: fleet.LateLeave, End: fleet.EndKeep, Reason: "patch"}
	on := func(value *string) []ecstypes.Attribute {
		return []ecstypes.Attribute{{
			Name: aws.String(fleet.WordAttribute), Value: value, TargetId: aws.String(string(ci.ARN)), TargetType: ecstypes.TargetTypeContainerInstance,
		}}
	}
	put := &ecs.PutAttributesInput{Cluster: aws.String("prod"), Attributes: on(aws.String(word.String()))}
	remove := &ecs.DeleteAttributesInput{Cluster: aws.String("prod"), Attributes: on(nil)}
	active := &ecs.UpdateContainerInstancesStateInput{
		Cluster: aws.String("prod"), ContainerInstances: []string{string(ci.ARN)}, Status: ecstypes.ContainerInstanceStatusActive,
	}
	noTarget := &ecstypes.TargetNotFoundException{}
	for name, x := range map[string]struct {
		unsay    bool
		fails    map[string]error
		failures []ecstypes.Failure
		asked    []any
		class    plan.Class // of the error; empty: there is none
	}{
		"said":                          {asked: []any{put}},
		"it may not be said":            {fails: map[string]error{"put": throttled}, asked: []any{put}, class: plan.Throttled},
		"taken back":                    {unsay: true, asked: []any{remove, active}},
		"it did not stand":              {unsay: true, fails: map[string]error{"remove": noTarget}, asked: []any{remove, active}},
		"it may not be taken back":      {unsay: true, fails: map[string]error{"remove": throttled}, asked: []any{remove}, class: plan.Throttled},
		"it may not be ACTIVE":          {unsay: true, fails: map[string]error{"active": throttled}, asked: []any{remove, active}, class: plan.Throttled},
		"ECS does not make it ACTIVE":   {unsay: true, failures: []ecstypes.Failure{failedItem(string(ci.ARN))}, asked: []any{remove, active}, class: plan.Unclear},
		"ECS does not know it any more": {unsay: true, failures: []ecstypes.Failure{missingItem(string(ci.ARN))}, asked: []any{remove, active}, class: plan.Gone},
	} {
		c, f := newFake(func(in any) (any, error) {
			switch in.(type) {
			case *ecs.PutAttributesInput:
				return &ecs.PutAttributesOutput{}, x.fails["put"]
			case *ecs.DeleteAttributesInput:
				return &ecs.DeleteAttributesOutput{}, x.fails["remove"]
			}
			return &ecs.UpdateContainerInstancesStateOutput{Failures: x.failures}, x.fails["active"]
		})
		var err error
		if x.unsay {
			err = c.Unsay(t.Context(), ci)
		} else {
			err = c.Say(t.Context(), ci, word)
		}
		if d := cmp.Diff(x.asked, f.asked, cmpopts.IgnoreUnexported(ecs.PutAttributesInput{}, ecs.DeleteAttributesInput{},
			ecs.UpdateContainerInstancesStateInput{}, ecstypes.Attribute{})); d != "" {
			t.Errorf("%s: asked (-want +got)\n%s", name, d)
		}
		var class plan.Class
		if f := (*plan.Failure)(nil); errors.As(err, &f) {
			class = f.Class
		} else if err != nil {
			class = Classify(err).Class
		}
		if class != x.class || (err != nil) != (x.class != "") {
			t.Errorf("%s: %v of class %q, want %q", name, err, class, x.class)
		}
	}
}

// A rehearsal stands on a task as a tag among others, until a time.
func TestARehearsalOnATask(t *testing.T) {
	until := time.Date(2026, 11, 21, 9, 2, 0, 0, time.UTC)
	tag := func(key, value string) ecstypes.Tag {
		return ecstypes.Tag{Key: aws.String(key), Value: aws.String(value)}
	}
	for name, x := range map[string]struct {
		tags []ecstypes.Tag
		want time.Time
	}{
		"none":         {nil, time.Time{}},
		"among others": {[]ecstypes.Tag{tag("team", "web"), tag(fleet.RehearsalTag, "2026-11-21T09:02:00Z")}, until},
		"no time":      {[]ecstypes.Tag{tag(fleet.RehearsalTag, "soon")}, time.Time{}},
	} {
		if got := ReadTask(ecstypes.Task{Tags: x.tags}).RehearsedUntil; !got.Equal(x.want) {
			t.Errorf("%s: %s, want %s", name, got, x.want)
		}
	}
	c, f := newFake(theAnswer(&ecs.TagResourceOutput{}, nil))
	if err := c.Rehearse(t.Context(), "arn:task", until); err != nil {
		t.Fatal(err)
	}
	want := &ecs.TagResourceInput{ResourceArn: aws.String("arn:task"), Tags: []ecstypes.Tag{tag(fleet.RehearsalTag, "2026-11-21T09:02:00Z")}}
	if d := cmp.Diff([]any{want}, f.asked, cmpopts.IgnoreUnexported(ecs.TagResourceInput{}, ecstypes.Tag{})); d != "" {
		t.Error(d)
	}
}
