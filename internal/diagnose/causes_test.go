package diagnose_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	creds "github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/cloud/collector"
	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// handled answers requests with a handler, one at a time and without a network.
type handled struct {
	http.Handler
	mu *sync.Mutex
}

func (h handled) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// scene is a world of two hosts with one service, seen through the real inventory.
type scene struct {
	*sim.World
	t         *testing.T
	target    string // the instance that is to leave
	other     string
	inventory *collector.Collector
	at        advice.At
	api       *wire.API
}

func base() sim.Spec {
	return sim.Spec{
		Seed: 3, Clusters: []sim.ClusterSpec{{Name: "prod"}},
		TargetGroups:    []sim.TargetGroupSpec{{Name: "web-tg", Delay: 2 * time.Minute, Check: 10 * time.Second}},
		TaskDefinitions: []ecs.TaskDefinition{{Family: "web", CPU: 512, Memory: 512, Port: 80, Exit: 2 * time.Second}},
		Groups: []sim.GroupSpec{{
			Name: "web-asg", Desired: 2, Max: 4, Launch: core.HostSpec{Cluster: "prod", CPU: 1024, Memory: 2048},
			Hooks: []sim.HookSpec{{Name: "ebb-drain", Heartbeat: time.Hour, DefaultResult: "CONTINUE"}},
		}},
		Services: []sim.ServiceSpec{{Name: "web", Cluster: "prod", Task: "web", Desired: 2}},
	}
}

func stage(t *testing.T, spec sim.Spec) *scene {
	t.Helper()
	w, err := sim.Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	w.Advance(w.Now().Add(5 * time.Minute))
	api := wire.New(wire.Config{World: w, Strict: true})
	s := collector.New(aws.Config{
		Region: "eu-west-1", Credentials: creds.NewStaticCredentialsProvider("ebb", "secret", ""), BaseEndpoint: aws.String("http://sim.invalid"),
		HTTPClient: &http.Client{Transport: handled{api.Handler(), &sync.Mutex{}}},
	})
	s.Now = w.Now
	arns, err := w.ListContainerInstances("prod", "", "")
	if err != nil {
		t.Fatal(err)
	}
	hosts, _, err := w.DescribeContainerInstances("prod", arns[:min(2, len(arns))])
	if err != nil {
		t.Fatal(err)
	}
	at := advice.At{Region: "eu-west-1"}
	if *realCLI {
		server := httptest.NewServer(api.Handler())
		t.Cleanup(server.Close)
		at.Endpoint = server.URL
	}
	return &scene{World: w, t: t, target: hosts[0].Instance, other: hosts[1].Instance, inventory: s, api: api, at: at}
}

func (s *scene) after(d time.Duration) { s.Advance(s.Now().Add(d)) }

// terminate lets the group take the target away, and drains it as Ebb would.
func (s *scene) terminate() {
	s.t.Helper()
	if _, err := s.TerminateInstanceInAutoScalingGroup(s.target, true); err != nil {
		s.t.Fatal(err)
	}
	s.after(5 * time.Second)
	s.drain()
}

func (s *scene) drain() {
	s.t.Helper()
	arns, err := s.ListContainerInstances("prod", "", "ec2InstanceId == "+s.target)
	if err == nil {
		_, _, err = s.UpdateContainerInstancesState("prod", arns, "DRAINING")
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) take() *inventory.Inventory {
	s.t.Helper()
	seen, err := s.inventory.Take(s.t.Context(), collector.Scope{Instance: s.target, Silent: true})
	if err != nil || len(seen.Unread) > 0 {
		s.t.Fatalf("inventory: %v, unread %+v", err, seen.Unread)
	}
	return &seen
}

// cause is one of the reasons for which drains hang.
type cause struct {
	name  string
	spec  func(*sim.Spec)
	act   func(*scene)
	want  diagnose.Code
	words []string // in the headline
	fix   string   // a part of the first command
	exact bool
}

func causes() []cause {
	return []cause{
		{"no capacity", func(s *sim.Spec) { s.TaskDefinitions[0].CPU = 600 }, func(s *scene) { s.terminate(); s.after(5 * time.Minute) },
			placement.NoCPU, []string{"service web", "needs 600 CPU units", "at most 424 are free on the only other host"},
			"aws autoscaling set-desired-capacity --auto-scaling-group-name web-asg --desired-capacity 2", true},
		{"percent arithmetic", func(s *sim.Spec) { s.Services[0].Min, s.Services[0].Max = 100, 100 }, func(s *scene) { s.terminate(); s.after(5 * time.Minute) },
			placement.PercentArithmetic, []string{"minimumHealthyPercent 100", "at least 2", "at most 2"},
			"aws ecs update-service --cluster prod --service web --deployment-configuration minimumHealthyPercent=100,maximumPercent=200", true},
		{"distinctInstance", func(s *sim.Spec) { s.Services[0].DistinctInstance = true }, func(s *scene) { s.terminate(); s.after(5 * time.Minute) },
			placement.DistinctInstance, []string{"distinctInstance", "service web", "the only other host"}, "aws autoscaling set-desired-capacity", true},
		{"static port", func(s *sim.Spec) { s.TaskDefinitions[0].HostPort = 8080 }, func(s *scene) { s.terminate(); s.after(5 * time.Minute) },
			placement.NoPort, []string{"host port 8080/tcp", "in use"}, "aws autoscaling set-desired-capacity", true},
		{"memberOf", func(s *sim.Spec) {
			s.Services[0].Constraints = []ecs.Constraint{{Type: "memberOf", Expression: "attribute:tier == gold"}}
			s.Groups[0].Hosts = []core.HostSpec{{Attributes: map[string]string{"tier": "gold"}}}
		}, func(s *scene) { s.terminate(); s.after(5 * time.Minute) },
			placement.ConstraintUnmet, []string{"attribute:tier == gold", "the only other host"},
			`aws ecs list-container-instances --cluster prod --filter 'attribute:tier == gold' --region eu-west-1`, true},
		{"attribute", func(s *sim.Spec) {
			s.TaskDefinitions[0].Requires = []string{"tier=gold"}
			s.Groups[0].Hosts = []core.HostSpec{{Attributes: map[string]string{"tier": "gold"}}}
		}, func(s *scene) { s.terminate(); s.after(5 * time.Minute) }, placement.NoAttribute, []string{"tier=gold"},
			"aws ecs put-attributes --cluster prod", true},
		{"deployment that fails", func(s *sim.Spec) {
			s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "broken", CPU: 64, Memory: 64, Fails: true})
		}, func(s *scene) {
			if _, err := s.UpdateService("prod", "web", nil, "broken"); err != nil {
				s.t.Fatal(err)
			}
			s.terminate()
			s.after(5 * time.Minute)
		}, placement.Deployment, []string{"service web", "broken:1", "failed to start"}, "aws ecs update-service --cluster prod --service web " +
			"--task-definition web:1", true},
		{"standalone task", func(s *sim.Spec) {
			s.TaskDefinitions = append(s.TaskDefinitions, ecs.TaskDefinition{Family: "job", CPU: 64, Memory: 64})
			s.Tasks = []sim.TaskSpec{{Cluster: "prod", Task: "job", Host: new(int), StartedBy: "nightly"}}
			s.Groups[0].Hooks[0].Heartbeat = 2 * time.Hour
		}, func(s *scene) { s.terminate(); s.after(90 * time.Minute) }, placement.Standalone, []string{"job:1", "nightly", "never moves"},
			"", true},
		{"container that ignores SIGTERM", func(s *sim.Spec) { s.TaskDefinitions[0].Exit, s.TaskDefinitions[0].Stop = time.Hour, 0 }, func(s *scene) {
			s.terminate()
			s.until("STOPPING")
			s.after(5 * time.Second)
		}, diagnose.SigtermIgnored, []string{"received SIGTERM and has not exited", "the stopTimeout of container web is 30s", "SIGKILL follows at"},
			"", true},
		{"stop timeout", func(s *sim.Spec) { s.TaskDefinitions[0].Exit, s.TaskDefinitions[0].Stop = 50*time.Minute, time.Hour }, func(s *scene) {
			s.terminate()
			s.until("STOPPING")
			s.after(10 * time.Minute)
		}, diagnose.StopTimeout, []string{"the stopTimeout of container web is 1h,", "SIGKILL follows at"}, "", true},
		{"deregistration delay", func(s *sim.Spec) { s.Services[0].TargetGroup = "web-tg" }, func(s *scene) {
			s.terminate()
			s.until("DEACTIVATING")
			s.after(30 * time.Second)
		}, diagnose.Deregistration, []string{"target group web-tg", " 2m,", "until"},
			"", true},
		{"agent gone", nil, func(s *scene) {
			arns, _ := s.ListContainerInstances("prod", "", "ec2InstanceId == "+s.target)
			s.terminate()
			s.DisconnectAgent(arns[0])
			s.after(5 * time.Minute)
		}, placement.AgentGone, []string{"agent", "not connected"}, "systemctl restart ecs", true},
		{"host stopped", nil, func(s *scene) {
			s.terminate()
			if err := s.StopInstances([]string{s.target}); err != nil {
				s.t.Fatal(err)
			}
			s.after(5 * time.Minute)
		}, diagnose.HostGone, []string{"EC2 says", "stopped"}, "aws autoscaling complete-lifecycle-action", true},
		{"foreign hook", func(s *sim.Spec) {
			s.Groups[0].Hooks = append(s.Groups[0].Hooks, sim.HookSpec{Name: "flush-logs", Heartbeat: time.Hour, DefaultResult: "CONTINUE"})
		}, func(s *scene) {
			s.terminate()
			s.after(5 * time.Minute)
			if err := s.CompleteLifecycleAction("web-asg", "ebb-drain", "", s.target, "CONTINUE"); err != nil {
				s.t.Fatal(err)
			}
		}, diagnose.OpenHook, []string{"no task is left", "flush-logs"}, "", false},
		{"nobody drains", nil, func(s *scene) {
			if _, err := s.TerminateInstanceInAutoScalingGroup(s.target, true); err != nil {
				s.t.Fatal(err)
			}
			s.after(3 * time.Minute)
		}, diagnose.NotDraining, []string{"nobody drains", "ACTIVE", "ebb-drain"}, "aws ecs update-container-instances-state --cluster prod " +
			"--container-instances ", true},
		{"image pull of the replacement", func(s *sim.Spec) { s.TaskDefinitions[0].Start = 10 * time.Minute }, func(s *scene) { s.terminate(); s.after(time.Minute) },
			diagnose.PullingImage, []string{"service web", "is PENDING", "pulling its image since"}, "", true},
		{"replacement without network interface yet", func(s *sim.Spec) {
			s.TaskDefinitions[0].Start, s.TaskDefinitions[0].Network = 10*time.Minute, "awsvpc"
		}, func(s *scene) { s.terminate(); s.after(time.Minute) }, diagnose.ReplacementNew, []string{"service web", "PROVISIONING", "not RUNNING yet"}, "", true},
		{"replacement that is not healthy yet", func(s *sim.Spec) {
			s.Services[0].TargetGroup, s.TargetGroups[0].Check, s.Services[0].Grace = "web-tg", 10*time.Minute, 15*time.Minute
		},
			func(s *scene) { s.terminate(); s.after(time.Minute) },
			diagnose.NotYetHealthy, []string{"its target is initial", "web-tg", "health check grace period lasts until"}, "", true},
		{"40 s without a health check", nil, func(s *scene) { s.terminate(); s.after(20 * time.Second) }, diagnose.NotYetHealthy,
			[]string{"40 s after its start"}, "", true},
		{"retained", func(s *sim.Spec) { s.Groups[0].Retain = true }, func(s *scene) {
			s.terminate()
			if err := s.CompleteLifecycleAction("web-asg", "ebb-drain", "", s.target, "ABANDON"); err != nil {
				s.t.Fatal(err)
			}
			s.after(time.Minute)
		}, diagnose.GroupState, []string{"Terminating:Retained", "billed"}, "", true},
		{"the group's own load balancer", func(s *sim.Spec) { s.Groups[0].TargetGroups = []string{"web-tg"} }, func(s *scene) {
			if _, err := s.TerminateInstanceInAutoScalingGroup(s.target, true); err != nil {
				s.t.Fatal(err)
			}
			s.after(30 * time.Second)
		}, diagnose.GroupBalancer, []string{"no hook is open yet", "target group web-tg", "delay 2m)"}, "", true},
	}
}

// until lets time pass until a task on the target is in a state.
func (s *scene) until(status string) {
	s.t.Helper()
	for range 1000 {
		for _, desired := range []string{"RUNNING", "STOPPED"} {
			arns, err := s.ListTasks("prod", ecs.TaskQuery{DesiredStatus: desired})
			if err != nil {
				s.t.Fatal(err)
			}
			if len(arns) == 0 {
				continue
			}
			tasks, _, err := s.DescribeTasks("prod", arns)
			if err != nil {
				s.t.Fatal(err)
			}
			for _, k := range tasks {
				if k.Instance == s.target && k.LastStatus == status {
					return
				}
			}
		}
		s.after(time.Second)
	}
	s.t.Fatalf("no task on %s became %s", s.target, status)
}

func TestEveryCauseIsNamedWithItsFix(t *testing.T) {
	for _, c := range causes() {
		t.Run(c.name, func(t *testing.T) {
			spec := base()
			if c.spec != nil {
				c.spec(&spec)
			}
			s := stage(t, spec)
			c.act(s)
			seen := s.take()
			r := diagnose.Why(seen, diagnose.Question{Target: s.target, Hook: "ebb-drain", Now: s.Now(), At: advice.At{Region: "eu-west-1"}})
			if len(r.Blockers) == 0 || r.Blockers[0].Code != c.want || r.Blockers[0].Exact != c.exact || r.Headline != r.Blockers[0].Message {
				t.Fatalf("headline %q\nblockers %+v", r.Headline, r.Blockers)
			}
			for _, part := range c.words {
				if !strings.Contains(r.Headline, part) {
					t.Errorf("the headline does not say %q: %s", part, r.Headline)
				}
			}
			b := r.Blockers[0]
			fix, last, wantLast := lines(b.Fix), lines(b.Last), lastOf[c.name]
			if !strings.Contains(fix, c.fix) || !strings.Contains(last, wantLast) || (wantLast == "") != (last == "") {
				t.Errorf("fix does not say %q, or last %q:\n%s\n\n%s", c.fix, wantLast, fix, last)
			}
			if b.Ends != (fix+last == "") {
				t.Errorf("it ends by itself: %v; fix:\n%s\n\n%s", b.Ends, fix, last)
			}
		})
	}
}

// lastOf is a part of what is advised only if nothing else helps.
var lastOf = map[string]string{
	"standalone task": "aws ecs stop-task --cluster prod --task ", "agent gone": "aws ecs deregister-container-instance --cluster prod ",
	"retained": "aws autoscaling terminate-instance-in-auto-scaling-group --instance-id i-",
}

func commands(b diagnose.Blocker) string { return lines(b.All()) }

func lines(fixes []advice.Fix) string {
	var all []string
	for _, f := range fixes {
		if line := f.Line(); line != "" {
			all = append(all, line)
		}
	}
	return strings.Join(all, "\n")
}

func TestWhatEbbHasAnsweredIsNoCandidate(t *testing.T) {
	spec := base()
	spec.Groups[0].Hooks = append(spec.Groups[0].Hooks, sim.HookSpec{Name: "flush-logs", Heartbeat: time.Hour, DefaultResult: "CONTINUE"})
	s := stage(t, spec)
	s.terminate()
	s.after(5 * time.Minute)
	q := diagnose.Question{Target: s.target, Hook: "ebb-drain", Now: s.Now(), Lines: []diagnose.Line{
		{At: s.Now().Add(-time.Minute), Kind: "waiting", Text: "1 of 1 tasks left"}, {At: s.Now(), Kind: "ended", Text: "drained"},
	}}
	r := diagnose.Why(s.take(), q)
	if b := r.Blockers; len(b) != 1 || b[0].Code != diagnose.OpenHook || b[0].Exact || commands(b[0]) != "" || strings.Contains(b[0].Message, "ebb-drain (") {
		t.Errorf("blockers %+v", r.Blockers)
	}
	if !strings.Contains(strings.Join(r.Notes, "\n"), "1 of 1 tasks left") {
		t.Errorf("the journal is not quoted: %q", r.Notes)
	}
}

func TestAJournalWithoutTheWaitingInstanceIsNoted(t *testing.T) {
	s := stage(t, base())
	s.terminate()
	for _, c := range []struct {
		lines []diagnose.Line
		told  bool
	}{{nil, false}, {[]diagnose.Line{}, true}, {[]diagnose.Line{{Kind: "heard", Text: "heard of it"}}, false}} {
		r := diagnose.Why(s.take(), diagnose.Question{Target: s.target, Now: s.Now(), Lines: c.lines})
		if told := strings.Contains(strings.Join(r.Notes, "\n"), "Ebb's journal has no drain of "+s.target); told != c.told {
			t.Errorf("with %d lines (nil: %v): %q", len(c.lines), c.lines == nil, r.Notes)
		}
	}
}

func TestATargetMayBeAnInstanceAContainerInstanceOrATask(t *testing.T) {
	spec := base()
	spec.Services[0].Min, spec.Services[0].Max = 100, 100
	s := stage(t, spec)
	s.terminate()
	seen := s.take()
	c := seen.Cluster("prod")
	host := c.Host("i-none")
	if host != nil {
		t.Fatal("a host that is not there")
	}
	for i := range c.Hosts {
		if string(c.Hosts[i].Instance) == s.target {
			host = c.Hosts[i]
		}
	}
	targets := []string{string(host.ARN), string(host.ARN[strings.LastIndexByte(string(host.ARN), '/')+1:])}
	for _, k := range c.Tasks {
		if k.ContainerInstance == host.ARN {
			targets = append(targets, string(k.ARN))
		}
	}
	if len(targets) != 3 {
		t.Fatalf("targets %q", targets)
	}
	for _, target := range targets {
		r := diagnose.Why(seen, diagnose.Question{Target: target, Now: s.Now()})
		if r.Instance != s.target || len(r.Blockers) != 1 || r.Blockers[0].Code != placement.PercentArithmetic {
			t.Errorf("%s: %+v", target, r)
		}
	}
	if r := diagnose.Why(seen, diagnose.Question{Target: "i-none", Now: s.Now()}); r.Blockers[0].Code != diagnose.NotFound || !r.Blockers[0].Exact {
		t.Errorf("unknown target: %+v", r)
	}
}

func TestNothingHoldsWhatNothingTerminates(t *testing.T) {
	s := stage(t, base())
	r := diagnose.Why(s.take(), diagnose.Question{Target: s.target, Now: s.Now()})
	if len(r.Blockers) != 1 || r.Blockers[0].Code != diagnose.NotLeaving || r.State != "InService" || r.Status != "ACTIVE" {
		t.Errorf("%+v", r)
	}
}

func TestADaemonTaskWaitsForTheOthers(t *testing.T) {
	spec := base()
	spec.TaskDefinitions = append(spec.TaskDefinitions, ecs.TaskDefinition{Family: "logs", CPU: 10, Memory: 10})
	spec.Services = append(spec.Services, sim.ServiceSpec{Name: "logs", Cluster: "prod", Task: "logs", Daemon: true})
	spec.TaskDefinitions[0].CPU = 600
	s := stage(t, spec)
	s.terminate()
	s.after(5 * time.Minute)
	r := diagnose.Why(s.take(), diagnose.Question{Target: s.target, Now: s.Now()})
	last := r.Blockers[len(r.Blockers)-1]
	if last.Code != diagnose.DaemonLast || !strings.Contains(last.Message, "of DAEMON service logs stops after the 1 other task left") {
		t.Errorf("%+v", r.Blockers)
	}
}
