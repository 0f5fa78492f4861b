package story

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// countPast is what the record says of the desired count of a service.
type countPast struct {
	cluster, name string
	base, count   int       // the count without what Ebb has raised: what somebody else has set; and as it is
	at            time.Time // when somebody else set it
	own           time.Time // when Ebb last set it
	shown         time.Time // the latest of what Ebb had been shown when it last asked for that
	latest        time.Time // of what it has been shown
	known         []int     // counts that Ebb may take for its own: what it has set last, and what stood before
	blind         bool      // what somebody else has set could not be seen in time, or not be told from what was there
	running       []sample  // tasks that run and are meant to
	lacks         time.Time // since when fewer tasks run on Spot, and in the place of some, than are to
	foreign       time.Time // when somebody else last set the count, or that of the service in its place
	steps         float64   // that Ebb has taken for the present state of an alarm
	stepsSince    time.Time // since when that is its state
	load          []sample  // messages in flight, or values of its metric
}

// sample is a number from a time on.
type sample struct {
	at time.Time
	n  int
}

// blindFor is how old what Ebb knows of the tasks of a service may be when it lowers a count.
const blindFor = 75 * time.Second

// staleFor is how far reads lag behind at most.
const staleFor = 10 * time.Second

// ownLag is how long after a call of its own Ebb believes no look: what that shows may be older than the call.
const ownLag = 20 * time.Second

// asks writes into the record that Ebb asks for a count to be set, and shown what it is shown of one: only its driver knows when.
func asks(r *run, req plan.Request) {
	if a := req.Action; a != nil && a.Count != nil {
		r.w.Log(core.Entry{Kind: core.EntryController, By: caller, To: "asks", Cluster: a.Count.Cluster, Service: a.Count.Service})
	}
}

func shown(r *run, done plan.Done, at time.Time) {
	l := done.Request.Look
	if l != nil && l.Kind == plan.Backlogs {
		inFlight(r)
	}
	if l == nil || l.Kind != plan.Services || done.Result.Err != nil {
		return
	}
	for _, s := range done.Result.View.Services {
		if r.s.Ebb.maySet(l.In, s.Name) {
			r.w.Log(core.Entry{
				Kind: core.EntryController, By: caller, To: "shown", Cluster: l.In, Service: s.Name, Text: at.Format(time.RFC3339Nano),
			})
		}
	}
}

// sawCount follows what Ebb has been shown of a count when it asked for it to be set.
func sawCount(p *past, e core.Entry) {
	c := countPastOf(p, e.Cluster, e.Service)
	switch e.To {
	case "asks":
		c.shown = c.latest
		return
	case "backlog", "metric":
		n, err := strconv.Atoi(e.Text)
		must(err)
		c.load = append(c.load, sample{e.At, n})
		return
	}
	at, err := time.Parse(time.RFC3339Nano, e.Text)
	must(err)
	c.latest = latest(c.latest, at)
}

// countPastOf is the past of a service, which may just begin.
func countPastOf(p *past, cluster, name string) *countPast {
	key := cluster + "/" + name
	if p.counts[key] == nil {
		p.counts[key] = &countPast{cluster: cluster, name: name}
	}
	return p.counts[key]
}

// standIns are the services of the configuration for which others stand in, each with its cluster.
func (e Ebb) standIns(yield func(cluster string, in kernel.StandIn) bool) {
	for _, c := range e.Clusters {
		for _, in := range c.Services {
			if c.Mode != "observe" && !yield(c.Name, in) {
				return
			}
		}
	}
}

// standIn is what a service stands in for.
func (e Ebb) standIn(cluster, name string) (kernel.StandIn, bool) {
	for in, s := range e.standIns {
		if in == cluster && s.OnDemand == name {
			return s, true
		}
	}
	return kernel.StandIn{}, false
}

// maySet reports whether Ebb may set the desired count of a service.
func (e Ebb) maySet(cluster, name string) bool {
	_, in := e.standIn(cluster, name)
	_, scaled := e.scaledBy(cluster, name)
	return in || scaled || slices.ContainsFunc(e.Groups, func(g Group) bool { return g.ReplaceFirst && g.Cluster == cluster && !g.observed() })
}

// counting takes in what the record says of desired counts; false: the entry says something else.
func counting(p *past, e core.Entry) bool {
	p.now = e.At
	switch {
	case e.Kind == core.EntryService:
		counted(p, e)
		lack(p)
	case e.Kind == core.EntryAlarm:
		alarmed(p, e)
	case e.Kind == core.EntryJournal && e.To == "count aside":
		p.countAside = true
	case e.Kind == core.EntryController && e.Service != "":
		sawCount(p, e)
	default:
		if e.Kind == core.EntryNote {
			spotCapacity(p, e)
		}
		return false
	}
	return true
}

// counted is invariant 18, at the moment a desired count is set: what somebody else has set stands, with what is raised on it.
func counted(p *past, e core.Entry) {
	c := countPastOf(p, e.Cluster, e.Service)
	to, err := strconv.Atoi(e.To)
	must(err)
	was := c.count
	c.count = to
	if !byEbb(e.By) {
		c.blind = e.From != "" && (to == was || slices.Contains(c.known, to))
		c.base, c.at = to, e.At
		if e.From != "" {
			c.foreign = e.At
		}
		return
	}
	unseen := !c.foreign.IsZero() && c.shown.Before(latest(c.foreign.Add(staleFor), c.own.Add(ownLag)))
	c.own, c.known = e.At, []int{was, to}
	in, standsIn := p.Ebb.standIn(e.Cluster, e.Service)
	if s, ok := p.Ebb.scaledBy(e.Cluster, e.Service); ok {
		c.base = to
		scaledCount(p, c, s, was, to)
		return
	}
	switch {
	case !p.Ebb.maySet(e.Cluster, e.Service):
		p.blame(4, "Ebb set the desired count of service %s in cluster %s, which is not its own", e.Service, e.Cluster)
	case unseen:
		c.blind = true
	case c.blind:
	case to < c.base:
		p.blame(18, "Ebb set the desired count of %s to %d, and somebody else had set %d: more is put back than was raised", e.Service, to, c.base)
	case c.base == 0 && to > 0 && !standsIn:
		p.blame(18, "Ebb set the desired count of %s to %d, and somebody had stopped it", e.Service, to)
	case !standsIn && to > 2*c.base:
		p.blame(18, "Ebb raised the desired count of %s from %d to %d: more than can leave", e.Service, c.base, to)
	case standsIn && to < was:
		keepsFloor(p, c, in, to, e.At)
	}
}

// keepsFloor is invariant 19: what stands in for Spot is not taken back before its tasks run again.
func keepsFloor(p *past, c *countPast, in kernel.StandIn, to int, at time.Time) {
	spot := countPastOf(p, c.cluster, in.Spot)
	most := 0
	for i, s := range spot.running {
		if i+1 == len(spot.running) || spot.running[i+1].at.After(at.Add(-blindFor-p.handOver())) {
			most = max(most, s.n)
		}
	}
	if least := needed(spot, in); most+to-c.base < least && at.Sub(spot.foreign) > blindFor+p.handOver() {
		p.blame(19, "Ebb lowered %s from %d to %d while %d tasks of %s ran: fewer than %d", c.name, c.count, to, most, in.Spot, least)
	}
}

// needed is how many tasks of a service on Spot are to run, there or in its place.
func needed(spot *countPast, in kernel.StandIn) int {
	return min(cmp.Or(in.Floor, spot.count), spot.count)
}

// nowRuns takes in that a task of a service runs, or does not any more.
func nowRuns(p *past, t *taskPast) {
	runs := t.status == "RUNNING" && t.noticed.IsZero()
	if t.service == "" || t.runs == runs {
		return
	}
	t.runs = runs
	c := countPastOf(p, t.cluster, t.service)
	n := 0
	if len(c.running) > 0 {
		n = c.running[len(c.running)-1].n
	}
	if n--; runs {
		n += 2
	}
	c.running = append(c.running, sample{p.now, n})
	lack(p)
}

// spotCapacity takes in that Fargate Spot has capacity, or none.
func spotCapacity(p *past, e core.Entry) {
	switch e.Text {
	case "FARGATE_SPOT has no capacity":
		p.capacity = false
	case "FARGATE_SPOT has capacity again":
		p.capacity = true
	default:
		return
	}
	lack(p)
}

// lack is the other half of invariant 19: while Spot has no capacity for longer than the limit, what is missing runs on demand.
func lack(p *past) {
	for cluster, in := range p.Ebb.standIns {
		spot, other := countPastOf(p, cluster, in.Spot), countPastOf(p, cluster, in.OnDemand)
		n := 0
		if len(spot.running) > 0 {
			n = spot.running[len(spot.running)-1].n
		}
		lacks := !p.capacity && n+other.count-other.base < needed(spot, in)
		switch from := p.calm(spot.lacks, spot.foreign, other.foreign); {
		case !spot.lacks.IsZero() && !other.blind && other.foreign.IsZero() && p.now.Sub(from) > in.After+3*time.Minute+2*p.handOver():
			p.blame(19, "tasks of %s were missing for %s, and Spot had no capacity, and %s ran none in their place", in.Spot,
				p.now.Sub(from).Round(time.Second), in.OnDemand)
			spot.lacks = time.Time{}
		case !lacks:
			spot.lacks = time.Time{}
		case spot.lacks.IsZero():
			spot.lacks = p.now
		}
	}
}

// putBack is invariant 18 at the end: all that was raised is put back.
func putBack(p *past) {
	lack(p)
	for _, key := range slices.Sorted(maps.Keys(p.counts)) {
		c := p.counts[key]
		calm := p.calm(c.at)
		for _, d := range p.drains {
			calm = latest(calm, d.Zero)
			if !d.Ended.IsZero() {
				calm = latest(calm, d.Ended)
			} else {
				calm = p.End
			}
		}
		for _, s := range c.running {
			calm = latest(calm, s.at)
		}
		if in, is := p.Ebb.standIn(c.cluster, c.name); is {
			for _, s := range countPastOf(p, c.cluster, in.Spot).running {
				calm = latest(calm, s.at)
			}
		}
		over := !p.Raised || p.Running && p.End.Sub(calm) > 10*time.Minute+2*p.handOver()
		if over && !c.own.IsZero() && c.count != c.base && !c.blind && !p.countAside {
			p.blame(18, "the desired count of %s is %d at the end, and without what Ebb had raised it is %d", c.name, c.count, c.base)
		}
	}
}
