// Package doctor finds what in an account will lose work or hang when capacity leaves: it runs a list of checks over an inventory.
// Each finding says what was found, its impact, and the command that fixes it.
//
// It never asks AWS anything, never changes anything, and never takes a part that could not be read for absent.
package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/inventory"
)

// Severity says how bad a finding is.
type Severity int

// The severities. Error: work is lost or an instance hangs, now or at the next termination. Warn: it can happen, or hours or money are
// lost. Info: good to know.
const (
	Info Severity = iota
	Warn
	Error
)

// String spells the severity: info, warn or error.
func (s Severity) String() string { return [...]string{"info", "warn", "error"}[s] }

// MarshalText spells the severity in JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ParseSeverity reads a severity as String spells it. The error names those that there are.
func ParseSeverity(text string) (Severity, error) {
	for _, s := range []Severity{Info, Warn, Error} {
		if s.String() == text {
			return s, nil
		}
	}
	return Info, fmt.Errorf("there is no severity %q; use info, warn or error", text)
}

// Finding is one thing that a check found.
type Finding struct {
	Check    string   `json:"check"`
	Severity Severity `json:"severity"`
	Subject  string   `json:"subject"` // what it is about: "group web-asg", "service web in cluster prod"
	Finding  string   `json:"finding"` // what was seen
	Impact   string   `json:"impact"`  // what happens if nothing is done
	// Unknown: something could not be seen, and may hide any other finding.
	Unknown bool `json:"unknown,omitempty"`
	advice.Advice
}

// Check is one thing that the doctor looks for. Run finds nothing where the inventory does not know enough.
type Check struct {
	Name  string // unique, stable: scripts may rely on it
	Title string
	Run   func(*Input) []Finding
}

// Input is what the checks judge.
type Input struct {
	Inventory *inventory.Inventory
	// Everything: the inventory covers the whole account and Region, so what is not in it does not exist.
	Everything bool
	// Ebb is Ebb's configuration; nil: there is none.
	Ebb *Settings
	At  advice.At // where commands go
	Now time.Time
}

// Settings are the part of Ebb's configuration that checks need.
type Settings struct {
	Hook     string        // name of the lifecycle hook that it answers
	Queue    string        // URL of the queue that it reads
	Shortest time.Duration // heartbeat timeout below which Ebb refuses a hook, if it is a function; 0: it cannot be one
	Groups   []Managed
	StandIns []StandIn
	First    []First
	Scaled   []Scaled
}

// Managed are groups that Ebb looks after.
type Managed struct {
	Match    string // pattern of path.Match
	Cluster  string // empty: found from the container instance
	Deadline time.Duration
}

// Checks are all checks, in the order of the reference.
func Checks() []Check {
	return slices.Concat(hookChecks(), tellChecks(), queueChecks(), settingsChecks(), groupChecks(), protectionChecks(),
		serviceChecks(), targetChecks(), spotChecks(), hostChecks(), taskChecks(), unseenChecks())
}

// each makes a check of a judgement of one item: nil where there is nothing to find.
func each[T any](items func(*Input) []T, judge func(*Input, T) *Finding) func(*Input) []Finding {
	return func(in *Input) (found []Finding) {
		for _, item := range items(in) {
			if f := judge(in, item); f != nil {
				found = append(found, *f)
			}
		}
		return found
	}
}

// eachOf makes a check of a judgement of one part of a whole, such as a hook of a group.
func eachOf[W, T any](wholes func(*Input) []W, parts func(W) []T, judge func(*Input, W, T) *Finding) func(*Input) []Finding {
	return func(in *Input) (found []Finding) {
		for _, whole := range wholes(in) {
			for _, part := range parts(whole) {
				if f := judge(in, whole, part); f != nil {
					found = append(found, *f)
				}
			}
		}
		return found
	}
}

// Examine runs every check, and returns the findings with the worst first.
func Examine(in *Input) []Finding {
	found := []Finding{}
	for _, c := range Checks() {
		for _, f := range c.Run(in) {
			f.Check = c.Name
			found = append(found, f)
		}
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return cmp.Compare(b.Severity, a.Severity) })
	return found
}

// Worst is the severity of the worst finding; false: nothing was found.
func Worst(found []Finding) (Severity, bool) {
	worst := Info
	for _, f := range found {
		worst = max(worst, f.Severity)
	}
	return worst, len(found) > 0
}
