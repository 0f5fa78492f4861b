package baseline_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/baseline"
	"github.com/ebbhq/ebb/internal/sim/client"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// scene is a drainer beside a world, in virtual time.
type scene struct {
	t     *testing.T
	w     *sim.World
	api   *wire.API
	d     *baseline.Drainer
	start time.Time
	errs  []error
}

func newScene(t *testing.T, hosts, tasks int, scaling func(baseline.AutoScaling) baseline.AutoScaling) *scene {
	t.Helper()
	w, err := sim.Build(sim.Spec{
		Seed: 3, Clusters: []sim.ClusterSpec{{Name: "prod"}}, Queues: []sim.QueueSpec{{Name: "hooks"}},
		TargetGroups:    []sim.TargetGroupSpec{{Name: "web", Delay: 20 * time.Second}},
		TaskDefinitions: []ecs.TaskDefinition{{Family: "web", Port: 80, Exit: 2 * time.Second}},
		Groups: []sim.GroupSpec{{
			Name: "asg", Desired: hosts, Max: hosts + 1, Launch: core.HostSpec{Cluster: "prod"},
			Hooks: []sim.HookSpec{{Name: "drain", Heartbeat: 15 * time.Minute, Target: "hooks"}},
		}},
		Services: []sim.ServiceSpec{{Name: "web", Cluster: "prod", Task: "web", Desired: tasks, TargetGroup: "web"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, w: w, api: wire.New(wire.Config{World: w}), start: w.Now()}
	q, err := w.Queue("hooks")
	if err != nil {
		t.Fatal(err)
	}
	var as baseline.AutoScaling = client.AutoScaling(s.api)
	if scaling != nil {
		as = scaling(as)
	}
	s.d = baseline.New(baseline.Config{ECS: client.ECS(s.api), AutoScaling: as, SQS: client.SQS(s.api), Queue: q.URL, Cluster: "prod"})
	return s
}

// run lets the drainer work for so long.
func (s *scene) run(d time.Duration) {
	ctx := wire.WithCaller(context.Background(), "homemade")
	for end := s.w.Now().Add(d); s.w.Now().Before(end); {
		next, err := s.d.Tick(ctx, s.w.Now())
		if err != nil {
			s.errs = append(s.errs, err)
		}
		if !next.After(s.w.Now()) {
			s.t.Fatalf("at %s the drainer wants to be called again at once", s.w.Now())
		}
		s.w.Advance(next)
	}
}

func (s *scene) terminate(i int) string {
	s.t.Helper()
	id := s.w.DescribeAutoScalingGroups(nil)[0].Instances[i].ID
	if _, err := s.w.TerminateInstanceInAutoScalingGroup(id, true); err != nil {
		s.t.Fatal(err)
	}
	return id
}

// when is the first entry that is wanted, since the start; 0: there is none.
func (s *scene) when(want func(core.Entry) bool) time.Duration {
	for _, e := range s.w.Record() {
		if want(e) {
			return e.At.Sub(s.start)
		}
	}
	return 0
}

func TestItAnswersWhileTasksStillStop(t *testing.T) {
	s := newScene(t, 3, 3, nil)
	id := s.terminate(1)
	s.run(5 * time.Minute)
	draining := s.when(func(e core.Entry) bool {
		return e.Kind == core.EntryContainer && e.Instance == id && e.To == "DRAINING"
	})
	answered := s.when(func(e core.Entry) bool { return e.Kind == core.EntryHook && e.Instance == id && e.To == "CONTINUE" })
	leaving := s.when(func(e core.Entry) bool { return e.Kind == core.EntryTask && e.Instance == id && e.To == "DEACTIVATING" })
	killed := s.when(func(e core.Entry) bool {
		return e.Kind == core.EntryTask && e.Instance == id && strings.Contains(e.Text, "killed: host gone")
	})
	if draining == 0 || leaving < draining || answered < leaving || answered > leaving+5*time.Second {
		t.Errorf("DRAINING at %s, its task leaves at %s, answered at %s; want the answer at the next poll", draining, leaving, answered)
	}
	if killed < answered || killed > leaving+20*time.Second {
		t.Errorf("killed at %s, want that with the host, before the deregistration delay of 20 s from %s is over", killed, leaving)
	}
	if len(s.errs) > 0 {
		t.Error(errors.Join(s.errs...))
	}
	counts := s.api.CountsBy("homemade")
	if counts["ecs.ListContainerInstances"] != 1 || counts["ecs.UpdateContainerInstancesState"] != 1 || counts["autoscaling.CompleteLifecycleAction"] != 1 ||
		counts["sqs.DeleteMessage"] != 1 || counts["autoscaling.RecordLifecycleActionHeartbeat"] != 0 {
		t.Errorf("calls %v", counts)
	}
	polls := int((answered-draining)/(5*time.Second)) + 1
	if counts["ecs.DescribeContainerInstances"] != polls {
		t.Errorf("%d DescribeContainerInstances, want one at the start and one every 5 s until the answer: %d", counts["ecs.DescribeContainerInstances"], polls)
	}
}

func TestItFindsAHostOnALaterPage(t *testing.T) {
	s := newScene(t, 250, 1, nil)
	first, last := s.terminate(0), s.terminate(249)
	s.run(2 * time.Minute)
	for _, id := range []string{first, last} {
		if s.when(func(e core.Entry) bool {
			return e.Kind == core.EntryContainer && e.Instance == id && e.To == "DRAINING"
		}) == 0 {
			t.Errorf("%s was never set DRAINING", id)
		}
	}
	if n := s.api.CountsBy("homemade")["ecs.ListContainerInstances"]; n != 1+3 {
		t.Errorf("%d ListContainerInstances, want one page for the first host and three for the last", n)
	}
}

func TestAHostThatNoClusterKnowsIsLetGo(t *testing.T) {
	s := newScene(t, 2, 0, nil)
	machines, err := s.w.ListContainerInstances("prod", "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range machines {
		if _, err := s.w.DeregisterContainerInstance("prod", m, true); err != nil {
			t.Fatal(err)
		}
	}
	id := s.terminate(0)
	s.run(time.Minute)
	if s.when(func(e core.Entry) bool { return e.Kind == core.EntryHook && e.Instance == id && e.To == "CONTINUE" }) == 0 {
		t.Error("the hook was not answered")
	}
}

// unwilling refuses the first answers.
type unwilling struct {
	baseline.AutoScaling
	left int
}

func (u *unwilling) CompleteLifecycleAction(ctx context.Context, in *autoscaling.CompleteLifecycleActionInput,
	o ...func(*autoscaling.Options)) (*autoscaling.CompleteLifecycleActionOutput, error) {
	if u.left > 0 {
		u.left--
		return nil, errors.New("throttled")
	}
	return u.AutoScaling.CompleteLifecycleAction(ctx, in, o...)
}

func TestAFailedInvocationIsTriedAgainAndAnActionThatIsOverIsNot(t *testing.T) {
	s := newScene(t, 2, 0, func(a baseline.AutoScaling) baseline.AutoScaling { return &unwilling{a, 2} })
	id := s.terminate(0)
	s.run(time.Minute)
	if len(s.errs) != 2 || !strings.Contains(s.errs[0].Error(), id) {
		t.Errorf("errors %v, want two that name the instance", s.errs)
	}
	if s.when(func(e core.Entry) bool { return e.Kind == core.EntryHook && e.Instance == id && e.To == "CONTINUE" }) == 0 {
		t.Error("the hook was not answered in the end")
	}
	body := `{"LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING","AutoScalingGroupName":"asg","LifecycleHookName":"drain","EC2InstanceId":"` + id + `"}`
	for _, text := range []string{body, "no JSON", `{"Event":"autoscaling:TEST_NOTIFICATION"}`} {
		if _, err := s.w.SendMessage("hooks", text, nil, -1); err != nil {
			t.Fatal(err)
		}
	}
	s.run(time.Minute)
	if len(s.errs) != 3 || !strings.Contains(s.errs[2].Error(), "No active Lifecycle Action") {
		t.Errorf("errors %v, want one more, of the message that came late", s.errs)
	}
}
