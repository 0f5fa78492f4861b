package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	creds "github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/cloud/collector"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/diagnose"
	"github.com/ebbhq/ebb/internal/doctor"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/journal/memory"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

var everyRequest = flag.Bool("everyrequest", false, "let every single request fail in every way, and random pairs of reads, and not only deny each read")

// elsewhere is where the simulated cloud of these tests seems to be.
const elsewhere = "http://sim.invalid"

// handled answers requests with a handler, one at a time and without a network.
type handled struct {
	http.Handler
	mu *sync.Mutex
}

func (h handled) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	r.Host = r.URL.Host // as a server sees it
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// region is a simulated account that the commands read without a network.
type region struct {
	*sim.World
	t   *testing.T
	api *wire.API
	cfg config.Config

	scaled []doctor.Scaled // as the last look found it
}

// settled is a simulated account of a world and a configuration, after something was done in it.
func settled(t *testing.T, world, configuration string, do func(*testing.T, *sim.World)) *region {
	t.Helper()
	spec, err := worldSpec(world)
	must(t, err)
	w, err := sim.Build(spec)
	must(t, err)
	over := map[string]string{"endpoint": elsewhere, "region": "eu-west-1"}
	if configuration != "" {
		over["queue"] = elsewhere + "/111122223333/ebb"
	}
	cfg, err := config.Load(configuration, func(string) string { return "" }, over)
	must(t, err)
	do(t, w)
	return &region{World: w, t: t, api: wire.New(wire.Config{World: w, Strict: true, PageSize: spec.Switches.PageSize}), cfg: cfg}
}

// take reads what is in a scope, while some requests go wrong. Time goes by by itself, so that what is throttled for ever is given up at once.
func (r *region) take(scope collector.Scope, faults func(wire.Request) wire.Fault) (seen inventory.Inventory) {
	r.t.Helper()
	r.api.Faults = faults
	defer func() { r.api.Faults = nil }()
	if r.cfg.Queue != "" {
		scope.Queues = []string{r.cfg.Queue}
	}
	var err error
	synctest.Test(r.t, func(t *testing.T) {
		awsCfg := aws.Config{
			Region: "eu-west-1", Credentials: creds.NewStaticCredentialsProvider("ebb", "secret", ""), BaseEndpoint: aws.String(elsewhere),
			HTTPClient: &http.Client{Transport: handled{r.api.Handler(), &sync.Mutex{}}}, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		}
		s := collector.New(awsCfg)
		s.Now = r.Now
		if seen, err = s.Take(t.Context(), scope); err == nil && len(r.cfg.Scaling) > 0 {
			var lines []scaledLine
			lines, err = scalingBy(r.cfg, nil, nil, r.Now, func(l plan.Look) plan.LookResult { return cloud.FromConfig(awsCfg).Look(t.Context(), l) })
			r.scaled = scaledOf(lines)
		}
	})
	must(r.t, err)
	if g := seen.Group("off-asg"); g != nil { // Auto Scaling allows what the simulated cloud has no operation for
		g.ProtectsNew = false
	}
	return seen
}

// request names a request: its operation and what it asks for.
func request(r wire.Request) string {
	in, _ := json.Marshal(r.Input) // the SDK's own types
	return r.Name() + " " + string(in)
}

// denial is one way in which reads fail.
type denial struct {
	name       string
	operations []string // that are concerned
	faults     func(wire.Request) wire.Fault
}

// denied denies reads as IAM does.
func denied(operations ...string) denial {
	return denial{strings.Join(operations, " and ") + " denied", operations, func(r wire.Request) wire.Fault {
		if slices.Contains(operations, r.Name()) {
			return wire.Fault{Kind: wire.Denied}
		}
		return wire.Fault{}
	}}
}

// failing lets one request go wrong.
func failing(k, how string, f wire.Fault) denial {
	operation, _, _ := strings.Cut(k, " ")
	return denial{k + " " + how, []string{operation}, func(r wire.Request) wire.Fault {
		if request(r) == k {
			return f
		}
		return wire.Fault{}
	}}
}

// sent are the requests of a look, with how often each was sent, but for the one without which there is no answer.
func (r *region) sent(scope collector.Scope) []string {
	all := map[string]bool{}
	r.take(scope, func(r wire.Request) wire.Fault {
		all[request(r)] = r.Name() != "sts.GetCallerIdentity"
		return wire.Fault{}
	})
	maps.DeleteFunc(all, func(_ string, counts bool) bool { return !counts })
	return slices.Sorted(maps.Keys(all))
}

// denials are the ways in which the reads of a look are made to fail: each is denied, and with -everyrequest each request also fails, is
// throttled for ever, or says nothing of one of its items, and pairs of reads are denied.
func (r *region) denials(scope collector.Scope) (all []denial) {
	requests := r.sent(scope)
	var operations []string
	for _, k := range requests {
		operation, _, _ := strings.Cut(k, " ")
		operations = append(operations, operation)
	}
	operations = slices.Compact(operations)
	for _, o := range operations {
		all = append(all, denied(o))
	}
	if !*everyRequest {
		return all
	}
	for _, k := range requests {
		all = append(all, failing(k, "denied", wire.Fault{Kind: wire.Denied}), failing(k, "fails", wire.Fault{Kind: wire.ErrorBefore}),
			failing(k, "throttled", wire.Fault{Kind: wire.Throttle}), failing(k, "without an item", wire.Fault{Kind: wire.ItemFailure}),
			failing(k, "without the next", wire.Fault{Kind: wire.ItemFailure, Item: 1}))
	}
	chance := rand.New(rand.NewPCG(uint64(len(requests)), 0))
	for range 60 {
		all = append(all, denied(operations[chance.IntN(len(operations))], operations[chance.IntN(len(operations))]))
	}
	return all
}

// rest has the faults that neither faulty.yaml nor more has.
const rest = `
start: 2026-11-21T09:00:00Z
clusters: [{name: prod}, {name: edge, providers: [FARGATE, FARGATE_SPOT]}]
queues: [{name: ebb, redrive: ebb-dlq}, {name: ebb-dlq}]
target_groups: [{name: quick-tg, delay: 30s}, {name: hand-tg, delay: 30s}]
task_definitions:
  - {family: slow, cpu: 64, memory: 64, stop_timeout: 2m, port: 80}
  - {family: new, requires_compatibilities: [FARGATE]}
  - {family: old, requires_compatibilities: [FARGATE]}
groups:
  - name: spot-asg
    desired: 2
    capacity_rebalance: true
    launch:
      cluster: prod
      spot: true
      user_data: "#!/bin/sh\necho ECS_CLUSTER=prod > /etc/ecs/ecs.config\necho ECS_ENABLE_SPOT_INSTANCE_DRAINING=true >> /etc/ecs/ecs.config\n"
    hooks: [{name: logs, heartbeat: 1h, default_result: CONTINUE, target: ebb}]
  - name: left-asg
    desired: 1
    launch: {cluster: prod}
    hooks: [{name: ebb-drain, heartbeat: 15m, default_result: CONTINUE, target: ebb}]
  - name: off-asg
    desired: 1
    protect_new: true
    launch: {cluster: prod}
    hooks: [{name: ebb-drain, heartbeat: 15m, default_result: CONTINUE, target: ebb}]
capacity_providers:
  - {name: spot-cp, group: spot-asg, managed_draining: true}
  - {name: off-cp, group: off-asg, managed_termination_protection: true, managed_scaling: true}
services:
  - {name: slow, cluster: prod, task: slow, desired: 2, min: 100, max: 200, target_group: quick-tg, by_hand: [{target_group: hand-tg}],
     capacity_providers: [{provider: spot-cp, weight: 1}]}
  - {name: alone, cluster: edge, task: new, desired: 1, capacity_providers: [{provider: FARGATE_SPOT, weight: 1}]}
  - {name: base, cluster: edge, task: new, desired: 1, capacity_providers: [{provider: FARGATE_SPOT, base: 1}, {provider: FARGATE, weight: 1}]}
  - {name: base-od, cluster: edge, task: old, desired: 1, capacity_providers: [{provider: FARGATE, weight: 1}]}
`

// restConfig has what moreConfig has, a service that stands in for another, and one whose traffic leaves first.
const restConfig = moreConfig + `
clusters:
  - name: prod
    services: [{name: slow, traffic_first: 20m}]
  - name: edge
    services: [{name: base, on_demand: base-od}]
scaling:
  - {service: edge/gone, min: 1, max: 2, alarms: [{name: up, change: +1}]}
  - {service: edge/alone, min: 1, max: 2, alarms: [{name: nowhere, change: +1}]}
`

// regions are the accounts in which things are wrong.
func regions(t *testing.T) map[string]*region {
	dir := t.TempDir()
	write := func(name, text string) string {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		return filepath.Join(dir, name)
	}
	config := write("ebb.yaml", moreConfig)
	return map[string]*region{
		"faulty": settled(t, filepath.Join("testdata/doctor", "faulty.yaml"), filepath.Join("testdata/doctor", "ebb.yaml"), spoil),
		"more":   settled(t, write("more.yaml", more), config, spoilMore),
		"rest": settled(t, write("rest.yaml", rest), write("rest-ebb.yaml", restConfig), func(t *testing.T, w *sim.World) {
			w.Advance(w.Now().Add(30 * time.Minute))
			for _, i := range w.DescribeAutoScalingGroups([]string{"left-asg"})[0].Instances {
				must(t, w.SetInstanceProtection("left-asg", []string{i.ID}, true))
			}
		}),
	}
}

func (r *region) examine(scope collector.Scope, seen *inventory.Inventory, least doctor.Severity) []doctor.Finding {
	ebb := settingsOf(r.cfg)
	ebb.Scaled = r.scaled
	return findings(&doctor.Input{
		Inventory: seen, Everything: len(scope.Clusters)+len(scope.Groups) == 0, Ebb: ebb, At: advice.At{Region: "eu-west-1"}, Now: seen.At,
	}, least)
}

// TestNoFindingIsLostByADenial denies each read in turn in accounts in which every check finds something. What is not found any more is
// unknown instead, by the name of the read; nothing else is found; and the doctor never ends well.
func TestNoFindingIsLostByADenial(t *testing.T) {
	fired := map[string]bool{}
	for name, r := range regions(t) {
		t.Run(name, func(t *testing.T) {
			r.t = t
			all := r.take(collector.Scope{}, nil)
			truth := r.examine(collector.Scope{}, &all, doctor.Info)
			for _, f := range truth {
				fired[f.Check] = true
			}
			for _, d := range r.denials(collector.Scope{}) {
				seen := r.take(collector.Scope{}, d.faults)
				for _, least := range []doctor.Severity{doctor.Info, doctor.Error} {
					for _, complaint := range lost(truth, r.examine(collector.Scope{}, &seen, least), least, d) {
						t.Errorf("%s, from %s on: %s", d.name, least, complaint)
					}
				}
			}
		})
	}
	for _, c := range doctor.Checks() {
		if !fired[c.Name] && c.Name != "unread" && c.Name != "nothing-seen" {
			t.Errorf("no account makes %s find anything", c.Name)
		}
	}
}

// lost says in what findings are better than the truth, or not true.
func lost(truth, found []doctor.Finding, least doctor.Severity, d denial) (all []string) {
	named := slices.ContainsFunc(found, func(f doctor.Finding) bool {
		return f.Unknown && slices.ContainsFunc(d.operations, func(o string) bool { return strings.HasPrefix(f.Subject, strings.Replace(o, ".", ":", 1)) })
	})
	same := func(a, b doctor.Finding) bool { return a.Check == b.Check && a.Subject == b.Subject }
	for _, was := range truth {
		i := slices.IndexFunc(found, func(f doctor.Finding) bool { return same(f, was) })
		switch {
		case was.Severity < least || named:
		case i < 0:
			all = append(all, fmt.Sprintf("%s %s is not found, and nothing says what is not known", was.Check, was.Subject))
		case found[i].Severity < was.Severity:
			all = append(all, fmt.Sprintf("%s %s is only %s, and nothing says what is not known", was.Check, was.Subject, found[i].Severity))
		}
	}
	for _, f := range found {
		if !f.Unknown && !slices.ContainsFunc(truth, func(was doctor.Finding) bool { return same(f, was) }) {
			all = append(all, fmt.Sprintf("%s %s is found, which is not so: %s", f.Check, f.Subject, f.Finding))
		}
	}
	if verdict(found) == nil {
		all = append(all, "it ends well")
	}
	return all
}

// TestWhatIsOutOfScopeIsNotRead sees that no request names a cluster or group that --cluster and --group leave out, nor what is in it.
func TestWhatIsOutOfScopeIsNotRead(t *testing.T) {
	r := settled(t, filepath.Join("testdata/doctor", "faulty.yaml"), "", spoil)
	all := r.take(collector.Scope{}, nil)
	tight := string(all.Group("tight-asg").Instances[0].ID)
	for _, c := range []struct {
		name             string
		scope            collector.Scope
		clusters, groups []string // in scope
	}{
		{"doctor --cluster", collector.Scope{Clusters: []string{"jobs"}}, []string{"jobs"}, []string{"managed-asg"}},
		{"doctor --cluster twice", collector.Scope{Clusters: []string{"jobs", "tight"}}, []string{"jobs", "tight"}, []string{"managed-asg", "tight-asg"}},
		{"doctor or init --group", collector.Scope{Groups: []string{"tight-asg"}}, []string{"tight"}, []string{"tight-asg"}},
		{"doctor or init --group, two in one cluster", collector.Scope{Groups: []string{"web-asg"}}, []string{"shop"}, []string{"web-asg"}},
		{"doctor or init, both", collector.Scope{Groups: []string{"web-asg"}, Clusters: []string{"shop"}}, []string{"shop"}, []string{"web-asg"}},
		{"why or plan of an instance", collector.Scope{Instance: tight, Silent: true}, []string{"tight"}, []string{"tight-asg"}},
		{"why or plan --cluster", collector.Scope{Clusters: []string{"tight"}, Silent: true}, []string{"tight"}, []string{"tight-asg"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.t = t
			outside := outsideOf(&all, c.clusters, c.groups)
			for _, k := range r.sent(c.scope) {
				if strings.HasPrefix(k, "elasticloadbalancing.DescribeTargetHealth") {
					continue // where somebody has registered a task shows only in the target groups themselves
				}
				if strings.HasPrefix(k, "ecs.ListContainerInstances") && strings.Contains(k, "ec2InstanceId in") && len(c.scope.Clusters) == 0 {
					_, k, _ = strings.Cut(k, `"Filter"`) // each cluster is asked for these instances: nothing else knows theirs
				}
				for _, word := range outside {
					if strings.Contains(k, word) {
						t.Errorf("%s is out of scope, and is in %s", word, k)
					}
				}
				if service, _, _ := strings.Cut(k, "."); c.scope.Silent && (service == "events" || service == "sqs") {
					t.Errorf("nothing of the answer needs %s", k)
				}
			}
		})
	}
}

// outsideOf are the words by which requests could name what is in no such cluster or group.
func outsideOf(s *inventory.Inventory, clusters, groups []string) (words []string) {
	inside := map[string]bool{}
	for _, c := range s.Clusters {
		if slices.Contains(clusters, c.Name) {
			for _, h := range c.Hosts {
				inside[string(h.Instance)] = true
			}
			continue
		}
		words = append(words, `"`+c.Name+`"`, "cluster/"+c.Name+`"`, "/"+c.Name+"/")
		for _, h := range c.Hosts {
			words = append(words, string(h.Instance))
		}
		for _, v := range c.Services {
			for _, lb := range v.LoadBalancers {
				words = append(words, string(lb.TargetGroup))
			}
		}
		for _, p := range c.CapacityProviders {
			words = append(words, p.Name)
		}
	}
	for _, g := range s.Groups {
		if slices.Contains(groups, g.Name) {
			continue
		}
		words = append(words, g.Name)
		for _, i := range g.Instances {
			words = append(words, string(i.ID))
		}
	}
	words = append(words, "old-group") // the rule of a group that is not there
	return slices.DeleteFunc(words, func(w string) bool { return inside[w] })
}

// busyWorld has a group whose instance waits in Ebb's hook, a group that has the hook, and one whose hosts are in two clusters.
const busyWorld = `
start: 2026-11-21T09:00:00Z
clusters: [{name: prod}, {name: jobs}]
task_definitions: [{family: web, cpu: 64, memory: 64}]
groups:
  - {name: waits, desired: 1, launch: {cluster: prod}, hooks: [{name: ebb-drain, heartbeat: 15m, default_result: CONTINUE}]}
  - {name: hooked, desired: 1, launch: {cluster: prod}, hooks: [{name: ebb-drain, heartbeat: 15m, default_result: CONTINUE}]}
  - {name: split, desired: 2, launch: {cluster: prod}, hosts: [{}, {registers_again: [{cluster: jobs}]}]}
services: [{name: web, cluster: prod, task: web, desired: 1}]
`

// TestInitDoesNoBetterByADenial denies each read in turn where init refuses, or has a hook to remove or to warn of.
func TestInitDoesNoBetterByADenial(t *testing.T) {
	world := filepath.Join(t.TempDir(), "world.yaml")
	must(t, os.WriteFile(world, []byte(busyWorld), 0o600))
	r := settled(t, world, "", func(t *testing.T, w *sim.World) {
		w.Advance(w.Now().Add(10 * time.Minute))
		_, err := w.TerminateInstanceInAutoScalingGroup(w.DescribeAutoScalingGroups([]string{"waits"})[0].Instances[0].ID, true)
		must(t, err)
		w.Advance(w.Now().Add(5 * time.Second))
	})
	fails := map[string]bool{"removed while an instance waits": true, "set up in two clusters": true, "set up in the wrong cluster": true}
	for name, f := range map[string]initFlags{
		"removed while an instance waits": {groups: []string{"waits"}, shape: shapeServe, remove: true},
		"removed by force":                {groups: []string{"waits"}, shape: shapeServe, remove: true, force: true},
		"removed":                         {groups: []string{"hooked"}, shape: shapeServe, remove: true},
		"set up over a hook":              {groups: []string{"hooked"}, shape: shapeLambda},
		"set up in two clusters":          {groups: []string{"split"}, shape: shapeServe},
		"set up in the wrong cluster":     {groups: []string{"hooked"}, clusters: []string{"jobs"}, shape: shapeServe},
	} {
		t.Run(name, func(t *testing.T) {
			r.t = t
			scope := collector.Scope{Groups: f.groups, Clusters: f.clusters}
			answer := func(seen inventory.Inventory) (stdout, stderr string, failed error) {
				var out, errs strings.Builder
				own := f
				own.dir, own.name = t.TempDir(), "ebb"
				err := own.answer(t.Context(), Process{Stdout: &out, Stderr: &errs}, r.cfg, seen)
				return strings.ReplaceAll(out.String(), own.dir, "DIR"), strings.ReplaceAll(errs.String(), own.dir, "DIR"), err
			}
			stdout, stderr, failed := answer(r.take(scope, nil))
			if (failed != nil) != fails[name] {
				t.Fatalf("with all reads: %v", failed)
			}
			denials := r.denials(scope)
			for _, k := range r.sent(scope) {
				denials = append(denials, failing(k, "denied", wire.Fault{Kind: wire.Denied}))
			}
			for _, d := range denials {
				is, said, err := answer(r.take(scope, d.faults))
				told := slices.ContainsFunc(d.operations, func(o string) bool { return strings.Contains(said, strings.Replace(o, ".", ":", 1)) })
				switch {
				case failed != nil && err == nil:
					t.Errorf("%s: it goes well; with all reads: %v", d.name, failed)
				case err == nil && f.remove && is != stdout:
					t.Errorf("%s: it prints\n%sand not\n%s", d.name, is, stdout)
				case err == nil && said != stderr && !told:
					t.Errorf("%s: it says\n%sand not\n%s", d.name, said, stderr)
				}
			}
		})
	}
}

// unreadable is a journal of which some reads fail.
type unreadable struct {
	journal.Store
	denied string
}

var errDenied = errors.New("AccessDeniedException: not authorized to perform: dynamodb:Query")

func (u unreadable) Open(ctx context.Context) ([]journal.Record, error) {
	if u.denied == "records" {
		return nil, errDenied
	}
	return u.Store.Open(ctx)
}

func (u unreadable) Recent(ctx context.Context, limit int) ([]journal.Record, error) {
	if u.denied == "ended records" {
		return nil, errDenied
	}
	return u.Store.Recent(ctx, limit)
}

func (u unreadable) Leases(ctx context.Context) ([]journal.Lease, error) {
	if u.denied == "leases" {
		return nil, errDenied
	}
	return u.Store.Leases(ctx)
}

func (u unreadable) History(ctx context.Context, q journal.Query) ([]journal.Line, error) {
	if u.denied == "lines" {
		return nil, errDenied
	}
	return u.Store.History(ctx, q)
}

// changing are the commands of an answer that change something, with the harm that they say they do.
func changing(r diagnose.Report) map[string]advice.Harm {
	all := map[string]advice.Harm{}
	for _, b := range r.Blockers {
		for _, f := range b.All() {
			if argv := strings.Fields(f.Line()); len(argv) > 2 && argv[0] == "aws" && !onlyReads(argv) {
				all[f.Line()] = f.Harm()
			}
		}
	}
	return all
}

// TestWhyDoesNoBetterWithoutEbbsJournal denies each read of the journal in turn, where an instance waits for its turn, and where its drain has
// gone on for long.
func TestWhyDoesNoBetterWithoutEbbsJournal(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "world.yaml"), []byte(busyWorld), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "ebb.yaml"), []byte("groups: [{match: waits, cluster: prod, max_unavailable: 1}]\n"), 0o600))
	for name, act := range map[string]func(*sim.World, string, string){
		"it waits for its turn": func(*sim.World, string, string) {},
		"it is drained": func(w *sim.World, _, host string) {
			_, _, _ = w.UpdateContainerInstancesState("prod", []string{host}, "DRAINING")
			w.Advance(w.Now().Add(4 * time.Minute))
		},
		"its agent is gone": func(w *sim.World, _, host string) { w.DisconnectAgent(host) },
		"it is stopped": func(w *sim.World, id, _ string) {
			_ = w.StopInstances([]string{id})
			w.Advance(w.Now().Add(time.Minute))
		},
	} {
		t.Run(name, func(t *testing.T) {
			id := ""
			r := settled(t, filepath.Join(dir, "world.yaml"), filepath.Join(dir, "ebb.yaml"), func(t *testing.T, w *sim.World) {
				w.Advance(w.Now().Add(10 * time.Minute))
				id = w.DescribeAutoScalingGroups([]string{"waits"})[0].Instances[0].ID
				hosts, err := w.ListContainerInstances("prod", "", "ec2InstanceId == "+id)
				must(t, err)
				_, err = w.TerminateInstanceInAutoScalingGroup(id, true)
				must(t, err)
				w.Advance(w.Now().Add(10 * time.Minute))
				act(w, id, hosts[0])
			})
			store := memory.New()
			at := r.Now().Add(-10 * time.Minute).Format(time.RFC3339)
			body := fmt.Sprintf(`{"key":"k","instance":%q,"group":"waits","hook":"ebb-drain","heard":%q,"zero":%q,"queued":%q,"waiting":"for its turn"}`, id, at, at, at)
			must(t, store.Write(t.Context(), journal.Batch{
				Records: []journal.Record{{Key: "k", Scope: "cluster/prod", Rev: 1, Open: true, Body: []byte(body)}},
				Lines:   []journal.Line{{At: r.Now(), Key: "k", Kind: "waiting", Text: "waits for its turn"}},
			}))
			must(t, store.Claim(t.Context(), journal.Lease{}, journal.Lease{Scope: "cluster/prod", Holder: "host/1", Fence: 1, Beat: 1, At: r.Now()}))
			seen := r.take(collector.Scope{Instance: id, Silent: true}, nil)
			ask := func(denied string) diagnose.Report {
				q := diagnose.Question{Target: id, Hook: "ebb-drain", Now: seen.At, At: advice.At{Region: "eu-west-1"}}
				_, err := askJournal(t.Context(), unreadable{store, denied}, nil, r.cfg, &seen, &q)
				if (err != nil) != (denied != "") {
					t.Errorf("without its %s: error %v", denied, err)
				}
				return diagnose.Why(&seen, q)
			}
			truth := ask("")
			for _, denied := range []string{"records", "ended records", "leases", "lines"} {
				is := ask(denied)
				ends := func(r diagnose.Report) bool {
					return !slices.ContainsFunc(r.Blockers, func(b diagnose.Blocker) bool { return !b.Ends })
				}
				if denied != "lines" && ends(is) || is.Wait != "" && is.Wait != truth.Wait {
					t.Errorf("without its %s all goes on by itself: %s", denied, is.Headline)
				}
				if strings.Contains(strings.Join(is.Notes, " "), "has no drain of") || strings.Contains(is.Headline, "no Ebb works") {
					t.Errorf("without its %s: %s %q", denied, is.Headline, is.Notes)
				}
				harm := changing(truth)
				for line, h := range changing(is) {
					if was, there := harm[line]; !there || h < was {
						t.Errorf("without its %s there is a new command, or it is called less harmful (%s): %s\n%s", denied, h, line, is.Headline)
					}
				}
			}
		})
	}
}

// TestStatusDoesNotShowAPartForTheWhole denies each read of the journal in turn.
func TestStatusDoesNotShowAPartForTheWhole(t *testing.T) {
	store := memory.New()
	must(t, store.Write(t.Context(), journal.Batch{Records: []journal.Record{{
		Key: "k", Scope: "cluster/prod", Rev: 1, Open: true, Body: []byte(`{"key":"k","instance":"i-1","group":"web","hook":"ebb-drain"}`),
	}}}))
	c := newStatus(Process{})
	c.SetContext(t.Context())
	for _, denied := range []string{"", "records", "ended records", "leases", "lines"} {
		if r, err := statusOf(c, Process{}, unreadable{store, denied}, config.Config{}, 10, ""); (err != nil) != (denied != "") {
			t.Errorf("without its %s: %+v, error %v", denied, r, err)
		}
	}
	never := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"__type":"com.amazon.coral.service#AccessDeniedException","message":"not authorized to perform: dynamodb:Query"}`))
	}))
	defer never.Close()
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "",
		"AWS_ACCESS_KEY_ID": "ebb", "AWS_SECRET_ACCESS_KEY": "none", "AWS_REGION": "eu-west-1",
	} {
		t.Setenv(name, value)
	}
	file := filepath.Join(t.TempDir(), "ebb.yaml")
	must(t, os.WriteFile(file, []byte("region: eu-west-1\njournal: dynamodb://ebb\njournal_endpoint: "+never.URL+"\n"), 0o600))
	var stdout, stderr strings.Builder
	code := Main(t.Context(), []string{"status", "--config", file}, Process{Stdout: &stdout, Stderr: &stderr, Env: func(string) string { return "" }})
	if code == ExitOK || stdout.Len() > 0 || !strings.Contains(stderr.String(), "AccessDenied") {
		t.Errorf("exit code %d, printed %q, said %q", code, stdout.String(), stderr.String())
	}
}
