package cloud

import (
	"reflect"
	"strings"
	"testing"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// operation is the operation that a request asks for, as plan spells it.
func operation(in any) string {
	if plain, ok := in.(plainAsk); ok {
		return plain.operation
	}
	t := reflect.TypeOf(in)
	if t.Kind() == reflect.Slice { // EC2 is asked by hand
		return "ec2:DescribeInstances"
	}
	path := strings.TrimSuffix(t.Elem().PkgPath(), "v2")
	return path[strings.LastIndexByte(path, '/')+1:] + ":" + strings.TrimSuffix(t.Elem().Name(), "Input")
}

// A kind that nobody handles would be tried again for ever, and the table of kinds says which operation each takes.
func TestEveryKindIsHandledAsItsRowSays(t *testing.T) {
	for k := plan.LookKind(1); k < plan.LookKinds; k++ {
		c, f := newFake(theAnswer(nil, errBroken))
		id := "i-0a1b2c3d4e5f60718"
		if k == plan.Metrics {
			id = plan.MetricID(fleet.Metric{Name: "rps"})
		}
		s := c.Look(t.Context(), plan.LookFor(k, "prod", id))
		if s.Err == nil || s.Calls == 0 || len(f.asked) == 0 || operation(f.asked[0]) != k.Spec().API {
			t.Errorf("%s asked for %T, want %s; %v", k, f.asked, k.Spec().API, s.Err)
		}
	}
	payload := plan.Action{
		Hook: &plan.HookCall{}, State: &plan.StateChange{ContainerInstances: []fleet.ARN{"a"}},
		Targets: &plan.TargetChange{Targets: []fleet.TargetID{{ID: "10.0.1.17", Port: 80}}},
		End:     &plan.InstanceEnd{}, Count: &plan.CountChange{}, Stop: &plan.TaskStop{},
	}
	for k := plan.ActionKind(1); k < plan.ActionKinds; k++ {
		c, f := newFake(theAnswer(nil, errBroken))
		a := payload
		a.Kind = k
		if k == plan.SetCapacity { // it looks first: TestSetCapacityOnlyRaises
			continue
		}
		if out := c.Do(t.Context(), a); out.Err == nil || out.Calls != 1 || operation(f.asked[0]) != k.Spec().API {
			t.Errorf("%s asked for %T, want %s", k, f.asked, k.Spec().API)
		}
	}
}
