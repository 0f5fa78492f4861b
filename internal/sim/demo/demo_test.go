package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

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

// shown is a demonstration with these figures, on a screen of so many columns.
func shown(p *plot, columns int) (*Show, *bytes.Buffer) {
	var out bytes.Buffer
	return &Show{plot: p, screen: NewScreen(&out, Style{Width: columns, Height: 40})}, &out
}

func TestTheTableHasTheFigures(t *testing.T) {
	d, out := shown(scaleInPlot(), 80)
	d.table(out, someResults)
	for _, want := range []string{
		"             requests     lost      p99   last host gone   AWS calls\n",
		"no drainer       1000       30    12 ms           15.2 s           0\n",
		"Ebb              1000        0    11 ms           50.0 s          88\n",
		"lost, no drainer: 502: 20, reset: 10\n",
		"Of the same requests 30 were lost without a drainer, 4 with the home-made one,\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, out)
		}
	}
}

// The keys of the figures as JSON are stable.
func TestTheFiguresAsJSON(t *testing.T) {
	object, err := json.Marshal(someResults[0])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"none","requests":1000,"failed":30,"failed_by_kind":{"502":20,"reset":10},"p99_ms":12.5,"gone_after_s":15.25,"aws_calls":0}`
	if string(object) != want {
		t.Errorf("%s, want %s", object, want)
	}
}

// What is printed at the end, and what a demonstration ends with.
func TestTheVerdict(t *testing.T) {
	one := 1
	lost := Result{Name: "ebb", Requests: 1000, Failed: 1, FailedByKind: map[string]int{"reset": 1}}
	for _, c := range []struct {
		name  string
		p     *plot
		late  time.Duration // a tick
		ebb   Result
		other func(*Result) // changes the figures of the home-made drainer
		slow  bool
		want  string
	}{
		{"nothing was lost", scaleInPlot(), 0, someResults[2], nil, false, ""},
		{"a request", scaleInPlot(), 0, lost, nil, false, "with Ebb 1 of 1000 were lost (reset: 1)"},
		{"no request at all", scaleInPlot(), 0, Result{Name: "ebb"}, nil, false, "0 of 0"},
		{"an alert", hostPlot(), 0, Result{Requests: 3100, Alerts: &one}, nil, false, "with ebb-agent 0 of 3100 were lost (-), and 1 alerts raised"},
		{"a slow clock", scaleInPlot(), time.Second, lost, nil, true, "one tick in a hundred was more than 1.0 s late"},
		{"slow answers", scaleInPlot(), 0, lost, func(r *Result) { r.P99 = 2500 }, true, "(home-made), one in a hundred took more than 2.5 s"},
		{"no point", scaleInPlot(), 0, someResults[2], func(r *Result) { r.Failed = 0 }, true, "with what is called home-made nothing was lost"},
		{"a function that does as well", fargateSpotPlot(), 0, someResults[2], func(r *Result) { r.Failed = 0 }, false, ""},
	} {
		d, out := shown(c.p, 80)
		d.pulse.late = []time.Duration{c.late}
		results := slices.Clone(someResults[:3])
		if results[2] = c.ebb; c.other != nil {
			c.other(&results[1])
		}
		err := d.verdict(results)
		if _, slow := errors.AsType[*SlowError](err); slow != c.slow || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: slow %v, %v, want %q", c.name, slow, err, c.want)
		}
		d.table(out, results)
		if says := strings.Contains(out.String(), "These figures say nothing of who drains"); says != c.slow {
			t.Errorf("%s: the table says that the machine was too slow: %v\n%s", c.name, says, out)
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
	n := &narrator{s: &side{plot: scaleInPlot()}, out: NewScreen(&out, Style{}), said: map[string]bool{}}
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
	if got := strings.Fields(out.String()); strings.Join(got, " ") != "0 s ebb Auto Scaling terminates i-1 0 s ebb set a DRAINING" {
		t.Errorf("it prints %q", out.String())
	}
}

// Each story has a world that can be built, in which something leaves, and what it shows meanwhile fits a terminal of 80 columns and 24 rows, and uses
// the width of a wider one.
func TestStoriesBeginAndFit(t *testing.T) {
	for _, plot := range plots() {
		s, err := open("ebb", plot)
		if err != nil {
			t.Fatal(plot.name, err)
		}
		if err := s.leave(); err != nil {
			t.Error(plot.name, err)
		}
		n := &narrator{s: s, out: NewScreen(&bytes.Buffer{}, Style{}), said: map[string]bool{}}
		s.Read(func(w *sim.World) {
			w.Advance(w.Now().Add(15*time.Second + 4*plot.lasts))
			for _, e := range w.Record() {
				n.lineOf(e)
			}
		})
		if n.victim == "" || len(n.said) == 0 {
			t.Errorf("%s: nothing leaves", plot.name)
		}
		r := s.result()
		s.close()
		r.Failed, r.FailedByKind, r.P99 = 12345, map[string]int{"502": 12300, "reset": 40, "timeout": 5}, 12345
		for _, columns := range []int{80, 120} {
			d, out := shown(plot, columns)
			d.screen.Height = 24
			board := d.screen.board(plot, 100*time.Second, []Result{r, r, r}, []int{0, 12, 3000})
			if !d.screen.live(len(board)) {
				t.Errorf("%s: %d rows are too many for a terminal of 24", plot.name, len(board))
			}
			d.screen.text(plot.intro)
			d.screen.say("ebb", strings.Repeat("word ", 40)+"0123456789abcdef0123456789abcdef")
			d.table(out, []Result{r, r, r})
			all, widest := append(board, strings.Split(out.String(), "\n")...), 0
			all = append(all, strings.Split(plainHead(plot)+"\n"+plain(time.Hour, []Result{r, r, r}), "\n")...)
			for _, line := range all {
				if widest = max(widest, utf8.RuneCountInString(line)); utf8.RuneCountInString(line) > columns || strings.Contains(line, "%!") {
					t.Errorf("%s at %d: %q", plot.name, columns, line)
				}
			}
			if widest < columns-10 {
				t.Errorf("%s at %d: the widest line has %d", plot.name, columns, widest)
			}
		}
	}
}

func TestAScreenDrawsItsBoardOnATerminalOnly(t *testing.T) {
	for name, c := range map[string]struct {
		Style
		want string
	}{
		"a terminal": {Style{Width: 80, Height: 24}, "news\n" + hide + "board\n" + fmt.Sprintf(up, 1) + "more\nboard\n" + fmt.Sprintf(up, 1) + "board\n" + reveal},
		"a pipe":     {Style{}, "news\nmore\n"},
	} {
		var out bytes.Buffer
		s := NewScreen(&out, c.Style)
		draw := func() {
			if s.live(1) {
				s.show([]string{"board"})
			}
		}
		s.line("news")
		draw()
		s.line("more")
		draw()
		s.end()
		if out.String() != c.want {
			t.Errorf("%s: %q, want %q", name, out.String(), c.want)
		}
	}
}

// Where no board can be drawn there is a line whenever something has changed, and after three seconds in any case.
func TestLinesAreNeverSilentForLong(t *testing.T) {
	var out bytes.Buffer
	d := &Show{plot: scaleInPlot(), screen: NewScreen(&out, Style{})}
	at := time.Duration(0)
	d.screen.clock = func() time.Duration { return at }
	results := slices.Clone(someResults[:3])
	for ; at < 10*time.Second; at += frame {
		if results[0].Failed = 0; at >= 4500*time.Millisecond {
			results[0].Failed = 7
		}
		d.draw(results)
	}
	var times []string
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n")[2:] {
		times = append(times, strings.Fields(line)[0])
	}
	if got := strings.Join(times, " "); got != "0 3 4 8" {
		t.Errorf("lines at %s, want 0 3 4 8:\n%s", got, out.String())
	}
}

func TestColoursStandWhereTheyAreWanted(t *testing.T) {
	for color, want := range map[bool]string{true: "\x1b[32m●\x1b[0m \x1b[31m✗\x1b[0m", false: "● ✗"} {
		if got := (Style{Color: color}).signs("● ✗"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTextIsBrokenBetweenWords(t *testing.T) {
	if got := wrap("one two three\n\nfour-and-five six", 9, "  "); got != "one two\n  three\n\nfour-and-five\n  six" {
		t.Errorf("%q", got)
	}
}
