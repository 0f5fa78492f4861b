// Package story runs worlds and stories in virtual time: a scenario is a simulated world, an Ebb, things that happen at given
// times, faults, and what is expected. The same scenario is a demonstration, a bug report and a regression test; the seeds make
// random ones.
//
// It never speaks to a real cloud and never waits in real time. It drives engine.Core, and with it the real kernel, cloud and source code
// and a journal, against the simulated APIs, in one thread so that a run can be repeated byte for byte.
package story

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/sim"
)

// Scenario is a world and a story. Its YAML form is strict: an unknown key is an error.
type Scenario struct {
	Name   string        `yaml:"name,omitempty"`  // a sentence that says what it shows
	About  string        `yaml:"about,omitempty"` // why it matters, for readers
	Seed   uint64        `yaml:"seed,omitempty"`
	World  sim.Spec      `yaml:"world"`
	Ebb    Ebb           `yaml:"ebb"`
	At     []Step        `yaml:"at"`
	Faults []Fault       `yaml:"faults,omitempty"`
	Until  time.Duration `yaml:"until,omitempty"` // end of the story at the latest; 0: one hour
	Expect []Expect      `yaml:"expect,omitempty"`
	Never  []Expect      `yaml:"never,omitempty"`
}

// Ebb is how Ebb is set up in a scenario; what is left out has Ebb's own defaults.
type Ebb struct {
	Queue        string        `yaml:"queue,omitempty"` // name; empty: ebb
	Hook         string        `yaml:"hook,omitempty"`  // empty: ebb-drain
	Groups       []Group       `yaml:"groups,omitempty"`
	Clusters     []Cluster     `yaml:"clusters,omitempty"`
	Scaling      []Scaled      `yaml:"scaling,omitempty"`
	TrafficFirst []FirstOut    `yaml:"traffic_first,omitempty"`
	LeaveForeign bool          `yaml:"leave_foreign,omitempty"`
	LostAfter    time.Duration `yaml:"lost_after,omitempty"`
	DaemonGrace  time.Duration `yaml:"daemon_grace,omitempty"`
	Late         time.Duration `yaml:"late,omitempty"`     // it starts only then
	Replicas     int           `yaml:"replicas,omitempty"` // how many there are, on hosts of their own; 0: 1
	Function     bool          `yaml:"function,omitempty"` // it is a Lambda function, invoked each minute and for messages
	Notify       bool          `yaml:"notify,omitempty"`   // it tells people
	Skew         time.Duration `yaml:"skew,omitempty"`     // how far apart the clocks of replicas are at most
}

// Group is a managed group.
type Group struct {
	Match          string                `yaml:"match"`
	Cluster        string                `yaml:"cluster,omitempty"`
	Deadline       time.Duration         `yaml:"deadline,omitempty"`
	MaxUnavailable kernel.MaxUnavailable `yaml:"max_unavailable,omitempty"`
	Mode           string                `yaml:"mode,omitempty"`      // observe; empty: drain
	Rebalance      string                `yaml:"rebalance,omitempty"` // drain; empty: ignore
	ReplaceFirst   bool                  `yaml:"replace_first,omitempty"`
	Capacity       string                `yaml:"capacity,omitempty"` // raise; empty: keep
	AllowRehearsal bool                  `yaml:"allow_rehearsal,omitempty"`
	Agent          bool                  `yaml:"agent,omitempty"` // a second hook, ebb-host, is that of agents on the hosts
}

// Cluster is a managed cluster, for the tasks that ECS stops with notice.
type Cluster struct {
	Name string `yaml:"name"`
	Mode string `yaml:"mode,omitempty"` // observe; empty: drain

	AllowRehearsal bool `yaml:"allow_rehearsal,omitempty"`

	Services []kernel.StandIn `yaml:"services,omitempty"`
}

// observed reports whether Ebb only watches the group.
func (g Group) observed() bool { return g.Mode == "observe" }

func (e Ebb) policy(g Group) drain.Policy {
	p := drain.Defaults()
	p.Deadline, p.Observe = cmp.Or(g.Deadline, p.Deadline), g.observed()
	p.LostAfter, p.DaemonGrace = cmp.Or(e.LostAfter, p.LostAfter), cmp.Or(e.DaemonGrace, p.DaemonGrace)
	return p
}

// Step is one thing that happens. Which keys count depends on Do.
type Step struct {
	At        time.Duration `yaml:"at"`
	Do        string        `yaml:"do"`
	Host      string        `yaml:"host,omitempty"` // group/index, in order of launch
	Group     string        `yaml:"group,omitempty"`
	Cluster   string        `yaml:"cluster,omitempty"`
	Service   string        `yaml:"service,omitempty"`
	Task      string        `yaml:"task,omitempty"` // family, for run-task and update-service
	Hook      string        `yaml:"hook,omitempty"`
	Result    string        `yaml:"result,omitempty"`
	End       string        `yaml:"end,omitempty"` // of say: keep, terminate or decrement
	Queue     string        `yaml:"queue,omitempty"`
	Scope     string        `yaml:"scope,omitempty"`
	Body      string        `yaml:"body,omitempty"`
	Count     int           `yaml:"count,omitempty"`
	Decrement bool          `yaml:"decrement,omitempty"`
	Ebb       int           `yaml:"ebb,omitempty"` // which replica, from 1; 0: the first
	For       time.Duration `yaml:"for,omitempty"`

	Registration int    `yaml:"registration,omitempty"` // which container instance of the host, from 1; 0: the latest
	Connected    bool   `yaml:"connected,omitempty"`    // of register-again, as in core.Again
	Empty        bool   `yaml:"empty,omitempty"`
	Process      string `yaml:"process,omitempty"`  // to suspend or resume; empty: all
	Provider     string `yaml:"provider,omitempty"` // FARGATE or FARGATE_SPOT; empty: the latter

	Alarm  string        `yaml:"alarm,omitempty"`
	Metric *fleet.Metric `yaml:"metric,omitempty"`
	Value  float64       `yaml:"value,omitempty"`
	Min    *int          `yaml:"min,omitempty"` // of an override
	Max    *int          `yaml:"max,omitempty"`
}

// Fault is something that goes wrong with Ebb's calls, or with its journal.
type Fault struct {
	Op      string        `yaml:"op"`                // glob over "service.Operation", or "journal", "lease" or "crash"
	How     string        `yaml:"how"`               // see hows
	Percent int           `yaml:"percent,omitempty"` // of the calls; 0: all
	Times   int           `yaml:"times,omitempty"`   // at most this many; 0: no limit
	From    time.Duration `yaml:"from,omitempty"`
	Until   time.Duration `yaml:"until,omitempty"` // 0: to the end
	Lag     time.Duration `yaml:"lag,omitempty"`   // of stale
	Nth     int           `yaml:"nth,omitempty"`   // crash: at the nth journal write
	For     time.Duration `yaml:"for,omitempty"`   // crash: how long Ebb is away
}

// Expect is a journal line that must (or must never) be there. Expectations are met in order.
type Expect struct {
	Line  string        `yaml:"line"`            // kind of the line, such as ended
	Host  string        `yaml:"host,omitempty"`  // group/index
	Text  string        `yaml:"text,omitempty"`  // must be part of it
	After time.Duration `yaml:"after,omitempty"` // no earlier than this
	By    time.Duration `yaml:"by,omitempty"`    // no later than this
}

// Parse reads a scenario. The error names every unknown key and wrong value with line and column.
func Parse(b []byte) (Scenario, error) {
	s, err := strict[Scenario](b, "story")
	if err != nil {
		return Scenario{}, err
	}
	return s, s.check()
}

// ParseWorld reads a world alone, as a story has it under "world".
func ParseWorld(b []byte) (sim.Spec, error) { return strict[sim.Spec](b, "world") }

// strict decodes YAML and refuses what it does not know, each with line and column.
func strict[T any](b []byte, what string) (v T, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	err = dec.Decode(&v)
	if err == nil || errors.Is(err, io.EOF) { // an empty file
		return v, nil
	}
	if all, ok := errors.AsType[*yaml.LoadErrors](err); ok {
		err = nil
		for _, e := range all.Errors {
			err = errors.Join(err, fmt.Errorf("%d:%d: %s", e.Mark.Line, e.Mark.Column, e.Message))
		}
	}
	return v, fmt.Errorf("read the %s: %w", what, err)
}

func (s Scenario) check() error {
	var errs []error
	for i, st := range s.At {
		if _, ok := verbs[st.Do]; !ok {
			errs = append(errs, fmt.Errorf("at[%d]: unknown verb %q; known are %s", i, st.Do, strings.Join(slices.Sorted(maps.Keys(verbs)), ", ")))
		}
	}
	for i, f := range s.Faults {
		if !knownHow(f) {
			errs = append(errs, fmt.Errorf("faults[%d]: unknown how %q for %q", i, f.How, f.Op))
		}
	}
	for i, g := range s.Ebb.Groups {
		if g.Mode != "" && g.Mode != "drain" && !g.observed() {
			errs = append(errs, fmt.Errorf("ebb: groups[%d]: unknown mode %q; write drain or observe", i, g.Mode))
		}
	}
	for i, c := range s.Ebb.Scaling {
		if _, err := c.policy(func(string) string { return "" }); err != nil {
			errs = append(errs, fmt.Errorf("ebb: scaling[%d]: %w", i, err))
		}
	}
	if len(s.Ebb.Groups)+len(s.Ebb.Clusters)+len(s.Ebb.Scaling) == 0 {
		errs = append(errs, errors.New("ebb: no groups and no clusters; name at least one, such as groups: [{match: web-asg, cluster: prod}]"))
	}
	return errors.Join(errs...)
}

// Format writes a scenario in the form that Parse reads.
func Format(s Scenario) []byte {
	b, err := yaml.Marshal(s)
	must(err) // plain structs always marshal
	return b
}

// group is what manages the group of a name; false: nothing does.
func (e Ebb) group(name string) (Group, bool) {
	return fleet.FirstMatch(e.Groups, name, func(g Group) string { return g.Match })
}

func (e Ebb) manages(group string) bool {
	_, ok := e.group(group)
	return ok
}

// observes reports whether Ebb only watches a group.
func (e Ebb) observes(group string) bool {
	g, _ := e.group(group)
	return g.observed()
}

func (e Ebb) queue() string { return cmp.Or(e.Queue, "ebb") }
func (e Ebb) hook() string  { return cmp.Or(e.Hook, "ebb-drain") }
