package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/loadtest"
	"github.com/ebbhq/ebb/internal/sim/loopback"
	"github.com/ebbhq/ebb/internal/sim/standin"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// This program is what runs on the hosts of a story, too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-test.") { // never play the tests again on each host
		if standin.Run(context.Background(), os.Args[2:]) != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

var someResults = []Result{
	{Name: "none", Requests: 1000, Failed: 30, FailedByKind: map[string]int{"reset": 10, "502": 20}, P99: 12.5, GoneAfter: 15.25, gone: 5},
	{Name: "homemade", Requests: 1000, Failed: 4, FailedByKind: map[string]int{"502": 4}, P99: 12, GoneAfter: 35, Calls: 43, gone: 4},
	{Name: "ebb", Requests: 1000, FailedByKind: map[string]int{}, P99: 11, GoneAfter: 50, Calls: 88, gone: 1},
}

func TestDemoPrintsItsFigures(t *testing.T) {
	var table bytes.Buffer
	writeTable(&table, scaleInPlot(), someResults)
	for _, want := range []string{
		"none      1000      30      12 ms  15.2 s          0          502: 20, reset: 10\n", "ebb       1000      0       11 ms  50.0 s          88         -\n",
		"Of the same 1000 requests 30 were lost without draining, 4 with the home-made drainer", "\n0 with Ebb",
	} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
	object, err := json.Marshal(someResults)
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal(object, &got); err != nil || len(got) != 3 {
		t.Fatalf("%v in %s", err, object)
	}
	want := map[string]any{
		"name": "none", "requests": 1000., "failed": 30., "failed_by_kind": map[string]any{"reset": 10., "502": 20.}, "p99_ms": 12.5,
		"gone_after_s": 15.25, "aws_calls": 0.,
	}
	if !reflect.DeepEqual(got[0], want) {
		t.Errorf("%v, want %v", got[0], want)
	}
	if line := status(12*time.Second, leavingHosts, someResults); line != "   12 s        30   5/5          4   4/5          0   1/5" {
		t.Errorf("the status is %q", line)
	}
}

// The demonstration with hosts has lines and alerts in place of requests.
func TestDemoOfHostsPrintsItsFigures(t *testing.T) {
	one, none := 1, 0
	results := []Result{
		{Name: "none", Requests: 3000, Failed: 460, GoneAfter: 11.5, Alerts: &one}, {Name: "homemade", Requests: 2900, Failed: 104, Alerts: &none},
		{Name: "ebb", Requests: 3100, GoneAfter: 22.4, Calls: 32, Alerts: &none},
	}
	var table bytes.Buffer
	writeTable(&table, hostPlot(), results)
	if want := "none      3000           460   1       11.5 s     0\n"; !strings.Contains(table.String(), want) {
		t.Errorf("the table lacks %q:\n%s", want, table.String())
	}
	if err := Lost(results); err != nil {
		t.Errorf("nothing was lost: %v", err)
	}
	results[2].Alerts = &one
	if err := Lost(results); err == nil || !strings.Contains(err.Error(), "0 of 3100 lines were lost, and 1 alerts raised") {
		t.Errorf("%v", err)
	}
}

func TestDemoFailsWhenEbbLosesARequest(t *testing.T) {
	if err := Lost(someResults); err != nil {
		t.Errorf("nothing was lost: %v", err)
	}
	for name, ebb := range map[string]Result{
		"ebb lost 1 of 1000 requests (reset: 1)": {Name: "ebb", Requests: 1000, Failed: 1, FailedByKind: map[string]int{"reset": 1}},
		"ebb lost 0 of 0 requests":               {Name: "ebb"}, // without a request nothing is shown
		"this machine was too slow":              {Name: "ebb", Requests: 1000, Failed: 1, P99: 2001},
		"no story of ebb":                        {Name: "none"},
	} {
		if err := Lost([]Result{ebb}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %q", err, name)
		}
	}
}

// Calls are counted as AWS sees them: whoever makes them, and whether a poll brings something at once, later or not at all.
func TestDemoCountsTheCallsOfADrainer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cloud, err := loopback.Serve(l, hostWorld(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	s := &side{name: "homemade", plot: scaleInPlot(), Cloud: cloud, service: loadtest.NewClient("", false)}
	ctx, url := wire.WithCaller(t.Context(), "homemade"), s.queue()
	send := func(delay time.Duration) {
		cloud.Read(func(w *sim.World) {
			if _, err := w.SendMessage("ebb", "{}", nil, delay); err != nil {
				t.Fatal(err)
			}
		})
	}
	receive := func(want int) {
		t.Helper()
		out, err := sqs.NewFromConfig(s.awsConfig()).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10,
			WaitTimeSeconds: 10})
		if err != nil || len(out.Messages) != want {
			t.Fatalf("received %v, %v; want %d messages", out, err, want)
		}
	}
	for i, step := range []func(){
		func() {
			if _, err := wire.Call[sqs.ReceiveMessageOutput](ctx, cloud.API, &sqs.ReceiveMessageInput{QueueUrl: &url}); err != nil {
				t.Fatal(err)
			}
		},
		func() { send(0); send(0); receive(2) },
		func() { send(time.Second); receive(1) },
		func() {
			for _, who := range []string{"homemade", "somebody else"} {
				if _, err := wire.Call[ecs.ListClustersOutput](wire.WithCaller(ctx, who), cloud.API, &ecs.ListClustersInput{}); err != nil {
					t.Fatal(err)
				}
			}
		},
		func() {
			if _, err := wire.Call[ecs.ListTasksOutput](ctx, cloud.API, &ecs.ListTasksInput{Cluster: new("nowhere")}); err == nil {
				t.Fatal("there is no such cluster")
			}
		},
	} {
		step()
		if calls := s.result().Calls; calls != i {
			t.Fatalf("step %d: %d calls are counted, want %d", i, calls, i)
		}
	}
}

func TestDemoNarratesTheFirstHostOnly(t *testing.T) {
	var out bytes.Buffer
	n := &narrator{s: &side{plot: scaleInPlot()}, out: NewScreen(&out, false), said: map[string]bool{}}
	said := ""
	for _, e := range []core.Entry{
		{Kind: core.EntryTask, Instance: "i-1", To: "DEACTIVATING"}, // before any host leaves
		{Kind: core.EntryLifecycle, Instance: "i-1", To: "Terminating"},
		{Kind: core.EntryLifecycle, Instance: "i-2", To: "Terminating"},
		{Kind: core.EntryTask, Instance: "i-1", To: "STOPPING"},
		{Kind: core.EntryTask, Instance: "i-1", To: "STOPPING"},
		{Kind: core.EntryInstance, Instance: "i-1", To: "terminated"},
		{Kind: core.EntryInstance, Instance: "i-2", To: "terminated"},
	} {
		said += n.lineOf(e) + "|"
	}
	if said != "|the group says Terminating of i-1||"+hostNews(core.Entry{Kind: core.EntryTask, To: "STOPPING"})+"||EC2 says terminated||" {
		t.Errorf("it says %q", said)
	}
	for _, l := range []journal.Line{
		{Key: "b", Kind: "heard", Text: "Auto Scaling terminates i-2"},
		{Key: "a", Kind: "heard", Text: "Auto Scaling terminates i-1"},
		{Key: "a", Kind: "waiting", Text: "2 of 2 tasks left"},
		{Key: "b", Kind: "draining", Text: "set b DRAINING"},
		{Key: "a", Kind: "draining", Text: "set a DRAINING"},
	} {
		n.journal(l)
	}
	if got := strings.Fields(out.String()); strings.Join(got, " ") != "ebb Auto Scaling terminates i-1 ebb set a DRAINING" {
		t.Errorf("it prints %q", out.String())
	}
}

// Each story has a world that can be built, in which something leaves.
func TestDemoStoriesCanBegin(t *testing.T) {
	for _, plot := range plots() {
		s, err := open("ebb", plot)
		if err != nil {
			t.Fatal(plot.name, err)
		}
		if err := s.leave(); err != nil {
			t.Error(plot.name, err)
		}
		n := &narrator{s: s, out: NewScreen(&bytes.Buffer{}, false), said: map[string]bool{}}
		s.Read(func(w *sim.World) {
			w.Advance(w.Now().Add(15 * time.Second))
			for _, e := range w.Record() {
				n.lineOf(e)
			}
		})
		if n.victim == "" || len(n.said) == 0 {
			t.Errorf("%s: nothing leaves", plot.name)
		}
		if text := moral(plot, someResults); strings.Contains(text, "%!") || !strings.Contains(text, "1000 requests 30 were lost") {
			t.Errorf("%s: %s", plot.name, text)
		}
		s.close()
	}
}

func TestDemoWritesOverItsStatusOnATerminalOnly(t *testing.T) {
	for terminal, want := range map[bool]string{
		false: "1 s\nnews\n2 s\n",
		true:  wipe + "1 s" + wipe + "news\n1 s" + wipe + "2 s\n",
	} {
		var out bytes.Buffer
		s := NewScreen(&out, terminal)
		s.status("1 s")
		s.line("news")
		s.status("2 s")
		s.end()
		if out.String() != want {
			t.Errorf("terminal %v: %q, want %q", terminal, out.String(), want)
		}
	}
}
