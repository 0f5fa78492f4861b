package diagnose

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
	"github.com/ebbhq/ebb/internal/plain"
)

// What would become of one task.
const (
	Replaced    = "replaced elsewhere"           // a replacement starts first
	StopsFirst  = "stops, then replaced"         // a replacement starts after
	StopsOnly   = "stops, replacement uncertain" // the service goes on with fewer
	Stays       = "stays"                        // until something changes
	MayStay     = "may stay"                     // it depends on what the reasons say
	NotTouched  = "is not touched"               // standalone
	StopsLast   = "stops last"                   // daemon
	StopsAlways = "is stopping already"
)

// Seconds is a duration that JSON spells in seconds.
type Seconds time.Duration

// NotKnown is how long something takes of which that could not be read.
const NotKnown Seconds = -1

// MarshalJSON writes the seconds as a number, and null for what is not known.
func (s Seconds) MarshalJSON() ([]byte, error) {
	if s == NotKnown {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, time.Duration(s).Seconds(), 'f', -1, 64), nil
}

// PlanVersion is the version of what Forecast is in JSON. Version 2 has rooms, and of the places of a task the first three only.
const PlanVersion = 2

// Forecast is what would happen if the targets left now, all at once. Nothing is touched to find out.
type Forecast struct {
	Version   int       `json:"schema_version"`
	Targets   []string  `json:"targets"`
	At        time.Time `json:"at"`
	Instances []string  `json:"instances"`
	Verdict   string    `json:"verdict"` // moves, shrinks, uncertain, stuck; unknown if a target was not found
	Headline  string    `json:"headline"`
	Longest   Seconds   `json:"longest_stop_seconds"` // of all stops, from the order to stop to the end of the process
	Steps     []Step    `json:"tasks"`
	Rooms     []Room    `json:"rooms,omitempty"`
	Missing   []string  `json:"not_found,omitempty"`
	Notes     []string  `json:"notes,omitempty"`
}

// Step is what would become of one task.
type Step struct {
	Task       string             `json:"task"`
	Definition string             `json:"task_definition"`
	Service    string             `json:"service,omitempty"`
	Kind       string             `json:"kind"` // replica, daemon, standalone
	Instance   string             `json:"instance"`
	Outcome    string             `json:"outcome"`
	Where      []string           `json:"where,omitempty"` // the first hosts with room for its replacement now
	Places     int                `json:"where_count"`     // all of them
	Because    []placement.Reason `json:"because,omitempty"`
	// Stop is how long its stop takes at most: deregistration delay and stop timeout.
	Stop Seconds `json:"stop_seconds"`
}

// Room says on which hosts there is room now for one replacement more of each of some services. A host is in one Room.
type Room struct {
	Cluster  string   `json:"cluster"`
	Services []string `json:"services"`
	Hosts    []string `json:"hosts"`
}

// someWhere is how many hosts each task names; all are in the rooms.
const someWhere = 3

// rooms group the hosts of a cluster by the services that they have room for.
func rooms(c *inventory.Cluster, fates []placement.Fate) (out []Room) {
	services := map[fleet.InstanceID][]string{}
	for _, f := range fates {
		for _, id := range f.Places {
			services[id] = append(services[id], f.Service)
		}
	}
	at := map[string]int{}
	for _, h := range c.Hosts {
		fit := services[h.Instance]
		if len(fit) == 0 {
			continue
		}
		key := strings.Join(fit, " ")
		if _, known := at[key]; !known {
			at[key] = len(out)
			out = append(out, Room{Cluster: c.Name, Services: fit})
		}
		r := &out[at[key]]
		r.Hosts = append(r.Hosts, string(h.Instance))
	}
	return out
}

// unknownLimit is noted where a time to stop is a guess.
const unknownLimit = "containers without a stopTimeout of their own are taken to have 30s to stop: whether the agent has an " +
	"ECS_CONTAINER_STOP_TIMEOUT could not be read"

// Plan says what would happen if the targets left now. A target is an instance id, a container instance, a task (for its host),
// or the name of a group for all its instances. Only are the clusters that were looked at, where not all were.
func Plan(s *inventory.Inventory, targets []string, now time.Time, only ...string) Forecast {
	f := Forecast{Version: PlanVersion, Targets: targets, At: now, Instances: []string{}, Steps: []Step{}}
	var ids []fleet.InstanceID
	for _, target := range targets {
		found := instances(s, target)
		if len(found) == 0 {
			f.Missing = append(f.Missing, target)
		}
		for _, id := range found {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
				f.Instances = append(f.Instances, string(id))
			}
		}
	}
	worst := placement.Moves
	f.Notes = unread(s)
	for _, c := range s.Clusters {
		r := placement.Leave(s, c, ids)
		worst = max(worst, r.Verdict)
		f.add(s, c, r)
		f.Rooms = append(f.Rooms, rooms(c, r.Fates)...)
	}
	f.Notes = append(f.Notes, protections(s, ids)...)
	for _, c := range s.Clusters {
		for _, h := range c.Hosts {
			if slices.Contains(ids, h.Instance) {
				f.Notes = append(f.Notes, byHand(s, c, c.TasksOn(h))...)
			}
		}
	}
	f.Notes = append(f.Notes, opens(s, ids)...)
	f.Verdict, f.Headline = worst.String(), f.headline(worst)
	if missed := f.unseen(s, ids); len(missed) > 0 {
		f.Verdict, f.Longest = placement.Uncertain.String(), NotKnown
		f.Headline = strings.Join(missed, ", ") + " could not be read, so nothing is promised or proved; from what is known: " + f.Headline
	}
	outside := slices.DeleteFunc(slices.Clone(ids), func(id fleet.InstanceID) bool { return len(find(s, string(id)).all) > 0 })
	if len(only) > 0 && len(outside) > 0 {
		f.Verdict, f.Longest = placement.Uncertain.String(), NotKnown
		f.Headline = fmt.Sprintf("only cluster %s was read, and %s is not in it, so what runs there is not known; from what is known: %s",
			strings.Join(only, " and "), outside[0], f.Headline)
	}
	if len(f.Missing) > 0 {
		f.Verdict, f.Longest = "unknown", NotKnown
		missing := fmt.Sprintf("not found as an instance or a group, in account %s and Region %s: %s", s.Account, s.Region,
			strings.Join(f.Missing, ", "))
		if len(f.Instances) > 0 {
			missing += "; for the others: " + f.Headline
		}
		f.Headline = missing
	}
	return f
}

// unseen are the operations that failed and that the answer about these instances needs.
func (f *Forecast) unseen(s *inventory.Inventory, ids []fleet.InstanceID) []string {
	var missed []string
	for _, c := range s.Clusters {
		for _, h := range c.Hosts {
			if slices.Contains(ids, h.Instance) {
				missed = append(missed, unseen(s, c)...)
			}
		}
	}
	missed = append(missed, unseen(s, nil)...) // they may be registered in another cluster too
	slices.Sort(missed)
	return slices.Compact(missed)
}

// instances are what a target names.
func instances(s *inventory.Inventory, target string) []fleet.InstanceID {
	var ids []fleet.InstanceID
	if g := s.Group(target); g != nil {
		for _, in := range g.Instances {
			ids = append(ids, in.ID)
		}
		return ids
	}
	if p := find(s, target); p.host != nil || p.member != nil || p.ec2 != nil {
		ids = append(ids, p.instance)
	}
	return ids
}

func (f *Forecast) add(s *inventory.Inventory, c *inventory.Cluster, r placement.Result) {
	hosts := map[fleet.ARN]*inventory.Host{}
	for _, h := range c.Hosts {
		if slices.Contains(f.Instances, string(h.Instance)) {
			hosts[h.ARN] = h
		}
	}
	for _, t := range c.Tasks {
		h := hosts[t.ContainerInstance]
		if h == nil || !t.Live() {
			continue
		}
		wait, _ := delayOf(s, c, t)
		l := limitOf(s, c, t)
		step := Step{
			Task: t.ARN.Name(), Definition: t.Family, Service: t.Service(), Instance: string(h.Instance), Kind: "replica", Outcome: StopsAlways,
			Stop: Seconds(wait + l.Duration),
		}
		if l.lost || delayUnread(s, c, t) {
			step.Stop = NotKnown
		}
		if k := slices.IndexFunc(r.Fates, func(f placement.Fate) bool { return slices.Contains(f.Tasks, t.ARN) }); k >= 0 {
			step.fate(&r.Fates[k])
		}
		if !l.known && step.Outcome != NotTouched && step.Stop != NotKnown && !slices.Contains(f.Notes, unknownLimit) {
			f.Notes = append(f.Notes, unknownLimit)
		}
		switch {
		case step.Stop == NotKnown || f.Longest == NotKnown:
			f.Longest = NotKnown
		default:
			f.Longest = max(f.Longest, step.Stop)
		}
		f.Steps = append(f.Steps, step)
	}
}

func (p *Step) fate(f *placement.Fate) {
	p.Kind, p.Because = f.Kind.String(), f.Reasons
	p.Places = len(f.Places)
	for _, id := range f.Places[:min(someWhere, len(f.Places))] {
		p.Where = append(p.Where, string(id))
	}
	switch {
	case f.Kind == placement.Alone:
		p.Outcome, p.Stop = NotTouched, 0
	case f.Kind == placement.Daemon && f.Verdict == placement.Moves:
		p.Outcome = StopsLast
	case f.Verdict == placement.Stuck:
		p.Outcome = Stays
	case f.Verdict == placement.Uncertain:
		p.Outcome = MayStay
	case f.Verdict == placement.Shrinks:
		p.Outcome = StopsOnly
	case f.StopsFirst:
		p.Outcome = StopsFirst
	default:
		p.Outcome = Replaced
	}
}

func (f *Forecast) headline(v placement.Verdict) string {
	n := plain.Count(len(f.Steps), "task")
	on := plain.Count(len(f.Instances), "host")
	if len(f.Steps) == 0 {
		return fmt.Sprintf("no task runs on %s: there is nothing to move", plain.Count(len(f.Instances), "instance"))
	}
	switch v {
	case placement.Moves:
		return fmt.Sprintf("%s on %s would leave, and every replacement finds a place elsewhere, in any order", n, on)
	case placement.Shrinks:
		return fmt.Sprintf("%s on %s would leave, but not every replacement is sure to find a place: services may run with fewer tasks than they want", n, on)
	case placement.Uncertain:
		return fmt.Sprintf("Ebb cannot promise that %s on %s would leave: %s", n, on, f.first(MayStay))
	}
	why := f.first(Stays)
	if why == "" {
		why = f.first(NotTouched)
	}
	if len(f.Steps) == 1 {
		return fmt.Sprintf("the task on %s would stay: %s", f.Steps[0].Instance, why)
	}
	return fmt.Sprintf("at least one of %s on %s would stay: %s", n, on, why)
}

func (f *Forecast) first(what string) string {
	for _, s := range f.Steps {
		if s.Outcome == what && len(s.Because) > 0 {
			return s.about(s.Because[0])
		}
	}
	return ""
}

// about spells a reason with the service that it is about.
func (p Step) about(c placement.Reason) string {
	if p.Service == "" || strings.Contains(c.Message, "service "+p.Service) {
		return c.Message
	}
	return "service " + p.Service + ": " + c.Message
}

// Reasons are the reasons of all tasks in words, each with its code and once.
func (f *Forecast) Reasons() []string {
	var all []string
	for _, s := range f.Steps {
		for _, c := range s.Because {
			if text := string(c.Code) + ": " + s.about(c); !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
	}
	return all
}

// protections says which of the instances a scale-in or a refresh would pass over.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-instance-protection.html
func protections(s *inventory.Inventory, ids []fleet.InstanceID) []string {
	var notes []string
	for _, g := range s.Groups {
		for _, in := range g.Instances {
			if !slices.Contains(ids, in.ID) {
				continue
			}
			if in.Protected {
				notes = append(notes, fmt.Sprintf("%s is protected from scale-in: a scale-in of group %s would choose another; "+
					"terminate-instance-in-auto-scaling-group terminates it anyway", in.ID, in.Group))
			}
			if in.State != fleet.InService {
				notes = append(notes, fmt.Sprintf("%s is %s in group %s", in.ID, in.State, in.Group))
			}
		}
	}
	return notes
}
