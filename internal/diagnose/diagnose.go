// Package diagnose says why a host or a task does not leave, and what would happen if hosts had to leave now: the ranked blockers,
// with names and numbers, each with the command that fixes it.
//
// It is pure: everything comes from one inventory, and times only from AWS's own timestamps and from Ebb's journal. It never asks
// AWS anything, never changes anything, and never calls a guess a fact: what is known only because all else is excluded says so.
package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/plain"
)

// Code names a blocker. The codes of package placement are blockers too.
type Code = placement.Code

// The blockers that have nothing to do with placement.
const (
	NotFound       Code = "not-found"            // neither a group nor a cluster in the inventory knows it
	HostGone       Code = "host-gone"            // EC2 says that the instance is not running
	NotDraining    Code = "not-draining"         // it leaves, and its container instance is not DRAINING
	StopTimeout    Code = "stop-timeout"         // a long stopTimeout runs
	SigtermIgnored Code = "sigterm"              // the process has not exited since SIGTERM
	Deregistration Code = "deregistration-delay" // the load balancer still drains the task's targets
	PullingImage   Code = "image-pull"           // the replacement pulls its image
	ReplacementNew Code = "replacement-starting" // the replacement is not RUNNING yet
	NotYetHealthy  Code = "replacement-health"   // the replacement runs and does not count as healthy yet
	DaemonLast     Code = "daemon-last"          // daemon tasks stop after all others
	OpenHook       Code = "open-hook"            // no task is left, and a hook of the group holds the instance
	GroupBalancer  Code = "group-balancer"       // Auto Scaling drains the group's own load balancers before the hook opens
	GroupState     Code = "group-state"          // standby, warm pool, retained, detached
	NotLeaving     Code = "not-leaving"          // nothing terminates it
	InProgress     Code = "in-progress"          // nothing blocks: ECS is working on it
)

// Question is what Why answers.
type Question struct {
	// Target is an instance id, a container instance or a task; the latter two as ARN or id.
	Target string
	// Hook is the name of the lifecycle hook that Ebb answers; empty: unknown.
	Hook string
	// At is where commands go.
	At advice.At
	// Only are the clusters that were looked at, where not all were in which the target may be.
	Only []string
	// Alone: of the groups, the inventory has only that of the target.
	Alone bool
	// Ebb is what its configuration and its journal say; nil: there is no configuration.
	Ebb *Ebb
	// Lines of Ebb's journal about this instance, oldest first; empty: the journal has none, nil: there is no journal to read.
	Lines []Line
	Now   time.Time
}

// Ebb is what Ebb's configuration and journal say of the target's group and of its drain.
type Ebb struct {
	Unread  bool          // the journal could not be read: what follows is what the configuration says
	Manages bool          // the configuration includes the group
	Works   bool          // an Ebb works for the group's scope, as far as the journal shows
	Who     string        // the last that did; empty: nobody ever
	Seen    time.Time     // when that one last renewed its lease
	Cluster string        // where the configuration has the group; empty: it does not say
	Limit   string        // how many of the group may leave at once; empty: any number
	Grace   time.Duration // for daemon tasks, after the last other task has stopped
	Lost    time.Duration // after which Ebb gives up a host that ECS does not reach

	Open      bool      // it has an open drain of the target
	Waiting   string    // for what that waits
	Queued    bool      // it waits until fewer others leave
	Traffic   bool      // it lets traffic leave before it sets the host DRAINING
	Begun     time.Time // when it last began to let the host leave; zero: its journal does not say
	Deadline  time.Time // when it cuts off what is left
	Unreached time.Time // since when ECS has not reached the host, as Ebb saw it; zero: it does
	Empty     time.Time // since when only daemon tasks are left, or none; zero: others are
}

// journalLines is how many of the newest lines of Ebb's journal a report quotes.
const journalLines = 3

// Line is one line of Ebb's journal.
type Line struct {
	At         time.Time
	Kind, Text string
}

// Report is why a target does not leave.
type Report struct {
	Target   string    `json:"target"`
	At       time.Time `json:"at"`
	Instance string    `json:"instance,omitempty"`
	Group    string    `json:"group,omitempty"`
	State    string    `json:"lifecycle_state,omitempty"`
	Cluster  string    `json:"cluster,omitempty"`
	Status   string    `json:"container_instance_status,omitempty"`
	Headline string    `json:"headline"`
	Wait     string    `json:"wait,omitempty"` // set where all ends by itself: until when to wait, and for what
	Next     []Next    `json:"next,omitempty"` // what happens next by itself, the first first
	Blockers []Blocker `json:"blockers"`
	Notes    []string  `json:"notes,omitempty"` // what the answer needs and could not be read
}

// Blocker is one thing that keeps the target.
type Blocker struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	// The best advice first. A blocker that ends by itself has none that interrupts or destroys.
	advice.Advice
	// Exact reports that AWS shows the blocker itself. If not, it is what remains when all else is excluded.
	Exact bool `json:"exact"`
	// Ends reports that it ends by itself, as far as is known.
	Ends bool `json:"ends_by_itself"`
	// Until is when it ends by itself at the latest; zero: it does not, or that is not known.
	Until time.Time `json:"until,omitzero"`
}

// Found reports whether the inventory knows the target.
func (r Report) Found() bool {
	return !slices.ContainsFunc(r.Blockers, func(b Blocker) bool { return b.Code == NotFound })
}

// Why says why a target does not leave. The inventory must hold the target's cluster and group; where it does not, the report says so.
func Why(s *inventory.Inventory, q Question) Report {
	w := &why{known: known{place: find(s, q.Target), s: s, q: q}}
	w.report = Report{Target: q.Target, At: q.Now, Instance: string(w.instance), Blockers: []Blocker{}, Notes: unread(s)}
	if w.member != nil {
		w.report.Group, w.report.State = w.group.Name, string(w.member.State)
	}
	if w.cluster != nil {
		w.report.Cluster = w.cluster.Name
	}
	if w.host != nil {
		w.report.Status = w.host.Status
	}
	w.look()
	w.limits()
	w.word()
	w.journal()
	slices.SortStableFunc(w.report.Blockers, func(a, b Blocker) int { return rank(a) - rank(b) })
	w.report.Headline = w.headline()
	w.next()
	w.unpromise()
	return w.report
}

// known is what a question is answered from: the target and everything around it. Its methods look up and spell; they add no blocker.
type known struct {
	place
	s *inventory.Inventory
	q Question
}

// why is one question being answered.
type why struct {
	known
	report Report
	dark   bool        // something that the answer rests on could not be read
	stuck  []fleet.ARN // tasks on the target that stay until somebody acts
}

func (w *why) add(b Blocker) {
	b.Message = strings.TrimSpace(b.Message)
	w.report.Blockers = append(w.report.Blockers, b)
}

// look goes from the outside in: is it known, does it leave at all, does its host live, is it DRAINING, then its tasks.
func (w *why) look() {
	if w.host == nil && w.member == nil && w.task == nil && w.ec2 == nil {
		w.notFound()
		return
	}
	w.groupState()
	if w.gone() || w.stays() {
		return
	}
	once := len(w.all) < 2 && len(unseen(w.s, nil)) == 0 // which of several registrations counts depends on the tasks there
	if once {
		w.draining()
	}
	if w.blind() {
		return
	}
	if !once {
		w.draining()
	}
	w.doubt()
	if w.host == nil {
		w.hooks()
		return
	}
	w.registrations()
	left := w.tasks()
	for _, t := range left {
		w.about(t, left)
		w.report.Notes = append(w.report.Notes, byHand(w.s, w.home(t), []*inventory.Task{t})...)
	}
	w.services(left)
	if len(left) == 0 {
		w.hooks()
		w.empty()
	}
}

// tasks are the tasks that the question is about: the one asked for, or all on the host that have not stopped.
func (w *why) tasks() []*inventory.Task {
	if w.task != nil {
		return []*inventory.Task{w.task}
	}
	return w.left()
}

// left are the tasks that have not stopped on the instance, whatever registration they belong to.
func (p *place) left() (left []*inventory.Task) {
	for _, r := range p.all {
		left = append(left, slices.DeleteFunc(r.cluster.TasksOn(r.host), func(t *inventory.Task) bool { return !t.Live() })...)
	}
	return left
}

// registrations notes that an instance is registered more than once.
func (w *why) registrations() {
	if len(w.all) < 2 {
		return
	}
	parts := make([]string, len(w.all))
	for i, r := range w.all {
		agent := "connected"
		if !r.host.Connected {
			agent = "not connected"
		}
		parts[i] = fmt.Sprintf("%s in cluster %s (%s, agent %s, %s)", r.host.ARN.Name(), r.cluster.Name, r.host.Status, agent,
			plain.Count(len(r.cluster.TasksOn(r.host)), "task"))
	}
	w.report.Notes = append(w.report.Notes, fmt.Sprintf("%s is registered %d times: %s. The tasks of all of them count", w.instance, len(w.all),
		strings.Join(parts, ", ")))
}

// word notes what an operator has asked for with ebb drain. Where a hook holds the instance, Auto Scaling has decided, and it changes nothing.
func (w *why) word() {
	if w.host == nil || w.member != nil && w.member.State != fleet.InService {
		return
	}
	switch is := w.host.Word; {
	case w.host.BadWord != "":
		w.report.Notes = append(w.report.Notes, fmt.Sprintf("the attribute %s of its container instance cannot be read, so Ebb does not drain it: %s",
			fleet.WordAttribute, w.host.BadWord))
	case is != fleet.Word{}:
		late := "it then stays as it is"
		if is.Late == fleet.LateTerminate {
			late = "it is then terminated with what is on it"
		}
		w.report.Notes = append(w.report.Notes, fmt.Sprintf("ebb drain has asked that it leaves by %s (%s); to take that back: %s",
			is.Deadline.UTC().Format("2006-01-02 15:04:05 UTC"), late, w.q.At.Ebb("cancel", string(w.instance)).Line()))
	}
}

// journal adds the last of what Ebb itself has written, or that it has written nothing.
func (w *why) journal() {
	if w.q.Lines != nil && len(w.q.Lines) == 0 && w.member != nil && w.member.State.Waiting() {
		w.report.Notes = append(w.report.Notes, "Ebb's journal has no drain of "+string(w.instance)+": Ebb has not heard of it, or is not "+
			"told to look after group "+w.group.Name)
	}
	for _, l := range w.q.Lines[max(0, len(w.q.Lines)-journalLines):] {
		w.report.Notes = append(w.report.Notes, "Ebb's journal, "+w.clock(l.At)+": "+l.Text)
	}
}

func (w *why) headline() string {
	if len(w.report.Blockers) > 0 {
		return w.report.Blockers[0].Message
	}
	return "nothing holds " + w.q.Target
}

// Codes are all codes by rank: first those that make the others irrelevant, then those that stay until somebody acts, then those
// that end by themselves.
func Codes() []Code {
	return []Code{
		NotFound, HostGone, placement.AgentGone, GroupState, NotLeaving, GroupBalancer, NotDraining,
		placement.PercentArithmetic, placement.NoHost, placement.NoProviderHost, placement.NoAttribute, placement.ConstraintUnmet,
		placement.DistinctInstance, placement.NoPort, placement.NoCPU, placement.NoMemory, placement.NoGPU, placement.NoInterface,
		placement.Together, placement.Deployment, placement.Standalone, placement.Protected, placement.NotHealthy, placement.Scaling, placement.Unjudged,
		StopTimeout, SigtermIgnored, Deregistration, PullingImage, ReplacementNew, NotYetHealthy, placement.Order, DaemonLast, OpenHook, InProgress,
	}
}

// rank orders blockers by their codes; what is known by exclusion only comes after what AWS shows, and daemons, which wait for all others, after that.
func rank(b Blocker) int {
	at := slices.Index(Codes(), b.Code)
	if b.Code == DaemonLast || !b.Exact && b.Code != OpenHook {
		at += len(Codes())
	}
	return at
}

// place is where a target is, as far as the inventory shows it.
type place struct {
	instance fleet.InstanceID
	cluster  *inventory.Cluster
	host     *inventory.Host
	group    *inventory.Group
	member   *fleet.GroupInstance
	all      []registration      // every container instance that the instance is; cluster and host are the one that counts
	ec2      *inventory.Instance // as EC2 shows it
	task     *inventory.Task     // if it is what was asked for
}

// registration is a container instance that an EC2 instance is in a cluster.
type registration struct {
	cluster *inventory.Cluster
	host    *inventory.Host
}

// weight says which of several registrations counts: one with tasks, then one with an agent, then one that may get tasks yet.
func (r registration) weight() int {
	n := 0
	if r.host.Connected {
		n = 2
	}
	if slices.ContainsFunc(r.cluster.TasksOn(r.host), func(t *inventory.Task) bool { return t.Live() }) {
		return n + 4
	}
	if r.host.Connected && r.host.Status == fleet.Active {
		n++
	}
	return n
}

// home is the cluster of a task on the target: that of its registration.
func (p *place) home(t *inventory.Task) *inventory.Cluster {
	for _, r := range p.all {
		if r.host.ARN == t.ContainerInstance {
			return r.cluster
		}
	}
	return p.cluster
}

// Instance is the EC2 instance that a target is, or that a task runs on; where the inventory does not know it, the target itself.
func Instance(s *inventory.Inventory, target string) fleet.InstanceID {
	return find(s, target).instance
}

// find finds an instance, container instance or task by id or ARN.
func find(s *inventory.Inventory, target string) place {
	p := place{instance: fleet.InstanceID(target)}
	for _, c := range s.Clusters {
		for _, t := range c.Tasks {
			if same(t.ARN, target) {
				p.task, target = t, string(t.ContainerInstance)
			}
		}
	}
	for _, c := range s.Clusters {
		for _, h := range c.Hosts {
			if same(h.ARN, target) {
				p.instance = h.Instance
			}
		}
	}
	for _, c := range s.Clusters {
		if slices.Contains(c.Tasks, p.task) {
			p.cluster = c
		}
		for _, h := range c.Hosts {
			if h.Instance == p.instance && p.instance != "" {
				p.all = append(p.all, registration{c, h})
			}
		}
	}
	if len(p.all) > 0 {
		best := slices.MaxFunc(p.all, func(a, b registration) int { return a.weight() - b.weight() })
		if i := slices.IndexFunc(p.all, func(r registration) bool { return same(r.host.ARN, target) }); i >= 0 {
			best = p.all[i] // it was asked for
		}
		p.cluster, p.host = best.cluster, best.host
	}
	p.group, p.member = s.Member(p.instance)
	p.ec2 = s.Instance(p.instance)
	return p
}

func same(arn fleet.ARN, target string) bool {
	return string(arn) == target || arn.Name() == target
}
