package cloud

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	creds "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// A task is found in every place in which it is registered, and taken out, with the requests and answers of the real protocols and pages of one.
func TestATaskLeavesEveryPlaceOnTheSimulatedCloud(t *testing.T) {
	world, err := sim.Build(sim.Spec{
		Clusters: []sim.ClusterSpec{{Name: "prod"}}, Switches: core.Switches{CloudMap: 5 * time.Second},
		TargetGroups: []sim.TargetGroupSpec{{Name: "hand", Delay: time.Minute}, {Name: "six", IPv6: true}}, Registries: []sim.RegistrySpec{{Name: "web"}},
		Lattice: []sim.LatticeSpec{{Name: "mesh"}}, TaskDefinitions: []ecs.TaskDefinition{{Family: "web", Port: 8080, Network: "awsvpc"}},
		Groups: []sim.GroupSpec{{Name: "asg", Desired: 1, Launch: core.HostSpec{Cluster: "prod"}}},
		Services: []sim.ServiceSpec{{
			Name: "web", Cluster: "prod", Task: "web", Desired: 2, IPv6: true, Names: []sim.NamedSpec{{Registry: "web"}},
			Lattice: []sim.BalancerSpec{{TargetGroup: "mesh"}}, ByHand: []sim.BalancerSpec{{TargetGroup: "hand"}, {TargetGroup: "six"}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	api := wire.New(wire.Config{World: world, Strict: true, PageSize: 1})
	c := FromConfig(aws.Config{
		Region: "eu-west-1", Credentials: creds.NewStaticCredentialsProvider("ebb", "secret", ""), BaseEndpoint: aws.String("http://sim.invalid"),
		HTTPClient: &http.Client{Transport: handled{api.Handler()}}, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	})
	counted := map[string]int{}
	c.CountPlain(func(service, operation string, _ plan.Class) { counted[service+"."+operation]++ })
	service := look(t, c, plan.LookFor(plan.Services, "prod", "web")).Services[0]
	task := look(t, c, plan.LookFor(plan.Tasks, "prod", fleet.ARN(world.Tasks("prod")[0].ARN))).Tasks[0]
	vpc := look(t, c, plan.LookFor(plan.VPCs, "", task.Subnet)).VPCs[0].VPC
	groups := look(t, c, plan.LookAt(plan.Subject{Kind: plan.TargetGroups})).TargetGroups
	if vpc != core.DefaultVPC || len(groups) != 2 || groups[0].VPC != vpc || !groups[0].Holds() {
		t.Fatalf("VPC %s, target groups %+v", vpc, groups)
	}
	all := look(t, c, plan.LookFor(plan.Registered, vpc, groups[0].ARN, groups[1].ARN)).Health
	ends := append(fleet.Endpoints("", &task, service), fleet.Registered("", &task, all)...)
	if len(all) != 4 || len(ends) != 5 { // VPC Lattice under either address
		t.Fatalf("%d targets, endpoints %+v", len(all), ends)
	}
	kinds := map[fleet.Place]struct {
		look plan.LookKind
		act  plan.ActionKind
	}{
		fleet.InTargetGroup: {plan.Targets, plan.Deregister}, fleet.InLattice: {plan.LatticeTargets, plan.LeaveLattice},
		fleet.InCloudMap: {plan.Names, plan.LeaveNames},
	}
	inUse := func() (n int) {
		for _, e := range ends {
			s := plan.Subject{Kind: kinds[e.Place].look, In: string(e.In), ID: e.Target.ID, Port: e.Target.Port}
			for _, h := range look(t, c, plan.LookAt(s)).Health {
				if h.Target == e.Target && h.InUse() {
					n++
				}
			}
		}
		return n
	}
	if n := inUse(); n != 4 {
		t.Errorf("%d endpoints are in use before", n)
	}
	for range 2 { // what is out, or on its way, is as it should be
		for _, e := range ends {
			a := plan.Action{Kind: kinds[e.Place].act, Targets: &plan.TargetChange{Group: e.In, Targets: []fleet.TargetID{e.Target}}}
			if out := c.Do(t.Context(), a); out.Err != nil {
				t.Errorf("%s: %v", a.Kind, out.Err)
			}
		}
	}
	world.Advance(world.Now().Add(6 * time.Second))
	if n := inUse(); n != 0 {
		t.Errorf("%d endpoints are in use after", n)
	}
	for _, op := range []string{"EC2.DescribeSubnets", "ServiceDiscovery.ListInstances", "ServiceDiscovery.DeregisterInstance", "VPC Lattice.ListTargets",
		"VPC Lattice.DeregisterTargets"} {
		if counted[op] == 0 {
			t.Errorf("%s was not counted", op)
		}
	}
}

// What no answer says is unknown, and a place that does not exist any more has nobody.
func TestPlacesThatCannotBeRead(t *testing.T) {
	one := []fleet.TargetID{{ID: "10.0.1.17", Port: 80}}
	for name, x := range map[string]struct {
		err   error
		look  plan.Class
		leave plan.Class
	}{
		"gone":      {&smithy.GenericAPIError{Code: "ServiceNotFound", Message: "no"}, plan.OK, plan.OK},
		"no target": {&smithy.GenericAPIError{Code: "ResourceNotFoundException", Message: "no"}, plan.OK, plan.OK},
		"denied":    {&smithy.GenericAPIError{Code: "AccessDeniedException", Message: "no"}, plan.Denied, plan.Denied},
		"throttled": {throttled, plan.Throttled, plan.Throttled},
		"broken":    {errBroken, plan.Unclear, plan.Unclear},
		"underway":  {&smithy.GenericAPIError{Code: "DuplicateRequest", Message: "no"}, plan.Unclear, plan.OK},
	} {
		c, _ := newFake(theAnswer(nil, x.err))
		for _, k := range []plan.LookKind{plan.Names, plan.LatticeTargets} {
			s := c.Look(t.Context(), plan.LookFor(k, "arn", "10.0.1.17"))
			if got := s.Err; got == nil && x.look != plan.OK || got != nil && got.Class != x.look {
				t.Errorf("%s: %s: %v", name, k, got)
			}
		}
		out := c.Do(t.Context(), plan.Action{Kind: plan.LeaveNames, Targets: &plan.TargetChange{Group: "arn", Targets: one}})
		if got := out.Err; got == nil && x.leave != plan.OK || got != nil && got.Class != x.leave {
			t.Errorf("%s: leave Cloud Map: %v", name, got)
		}
	}
	c, _ := newFake(theAnswer(&page{refused: []LatticeRefusal{{ID: "10.0.1.17", Code: "Busy", Message: "later"}}}, nil))
	out := c.Do(t.Context(), plan.Action{Kind: plan.LeaveLattice, Targets: &plan.TargetChange{Group: "arn", Targets: one}})
	if out.Err == nil || out.Err.Message != "VPC Lattice did not take 10.0.1.17 out: Busy: later" {
		t.Errorf("a refusal: %+v", out)
	}
}

func TestErrorsOfServicesThatSpeakJSON(t *testing.T) {
	for _, x := range []struct{ header, body, code, message string }{
		{"", `{"__type":"InstanceNotFound","Message":"no"}`, "InstanceNotFound", "no"},
		{"", `{"__type":"com.amazonaws#ServiceNotFound:http://x/","message":"no"}`, "ServiceNotFound", "no"},
		{"ResourceNotFoundException:http://x/", `{"message":"no"}`, "ResourceNotFoundException", "no"},
		{"", `{"code":"ThrottlingException"}`, "ThrottlingException", ""},
		{"AccessDeniedException", `<html>`, "AccessDeniedException", ""},
	} {
		res := &http.Response{StatusCode: 400, Header: http.Header{}}
		res.Header.Set("X-Amzn-ErrorType", x.header)
		err := jsonError(res, []byte(x.body))
		api, ok := errors.AsType[smithy.APIError](err)
		if !ok || api.ErrorCode() != x.code || api.ErrorMessage() != x.message {
			t.Errorf("%q %q: %v", x.header, x.body, err)
		}
	}
	if err := jsonError(&http.Response{StatusCode: 502}, []byte("<html>")); err == nil || err.Error() != "HTTP status 502 without an error that can be read" {
		t.Errorf("%v", err)
	}
}
