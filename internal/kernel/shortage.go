package kernel

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/desired"
	"github.com/ebbhq/ebb/internal/fleet"
)

// StandIn says which service takes the place of one on Fargate Spot while that has no capacity. ECS takes a changed capacity provider strategy
// only with a new deployment, which would replace the tasks that run well; a second service needs none.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
type StandIn struct {
	Spot     string        `yaml:"name"`            // a service of the cluster
	OnDemand string        `yaml:"on_demand"`       // another, with the same task definition and target groups; no two entries have the same
	After    time.Duration `yaml:"after,omitempty"` // for how long capacity must have been missing
	Floor    int           `yaml:"floor,omitempty"` // of how many tasks of Spot Ebb replaces those that do not run; 0: of all that are desired
}

// standIn finds what an on-demand service stands in for.
func (c *Config) standIn(cluster, onDemand string) (StandIn, bool) {
	for _, m := range c.Groups {
		if i := slices.IndexFunc(m.StandIns, func(s StandIn) bool { return s.OnDemand == onDemand }); i >= 0 && m.Cluster == cluster && !m.Policy.Observe {
			return m.StandIns[i], true
		}
	}
	return StandIn{}, false
}

// spotPrefix begins the name of what raises a count because Spot has no capacity.
const spotPrefix = "spot/"

// spotBack is for how long fewer tasks must be missing before as many are taken back.
const spotBack = 5 * time.Minute

// shortage is what is remembered of tasks that are missing on Spot. It is in the journal, for an Ebb that lives for one pass.
type shortage struct {
	Since time.Time `json:"since,omitzero"` // the first look at which tasks were missing; every look since has said so, or there is a raise
	Calm  time.Time `json:"calm,omitzero"`  // the first look at which fewer were missing than are raised; every look since has said so
	Most  int       `json:"most,omitempty"` // the most that were missing since Calm
}

// raiseForSpot raises the counts of the services that stand in for others, and lowers them again.
func raiseForSpot(k *Kernel, now time.Time) {
	for _, m := range k.cfg.Groups {
		for _, in := range m.StandIns {
			f := known[fleet.Service](k.facts, serviceIn(m.Cluster, in.Spot))
			if f.Is == fleet.Unknown || now.Sub(f.At) > 2*spotEvery || m.Policy.Observe || !k.cfg.mine(m.Scope()) {
				continue // unknown is not zero
			}
			missing := max(0, min(cmp.Or(in.Floor, f.Value.Desired), f.Value.Desired)-f.Value.Running)
			c := k.counts[countKey(m.Cluster, in.OnDemand)]
			if missing > 0 && c == nil {
				c = countOf(k, m.Cluster, in.OnDemand)
			}
			there := known[fleet.Service](k.facts, serviceIn(m.Cluster, in.OnDemand)).Is != fleet.Absent
			if c != nil && there && f.At.After(c.seen) {
				c.seen = f.At
				c.weigh(in, missing, f)
			}
		}
	}
	for _, c := range k.counts { //ebb:any-order each for itself
		in, is := k.cfg.standIn(c.Cluster, c.Service)
		for _, r := range slices.Clone(c.Raises) {
			if strings.HasPrefix(r.Who, spotPrefix) && (!is || r.Who != spotPrefix+in.Spot) { // it is not configured any more
				c.Entry, c.Shortage = c.Drop(r.Who, now), shortage{}
			}
		}
	}
}

// weigh takes in a look at the Spot service: more is raised at once, and less only when less was missing for a while.
func (c *count) weigh(in StandIn, missing int, f fleet.Fact[fleet.Service]) {
	who, s := spotPrefix+in.Spot, &c.Shortage
	switch by := c.by(who); {
	case by == 0 && missing == 0:
		*s = shortage{}
	case by == 0:
		s.Since = cmp.Or(s.Since, f.At)
		if f.At.Sub(s.Since) >= in.After && !f.Value.NoCapacity.Before(s.Since.Add(-in.After)) {
			c.Entry = c.Raise(desired.Raise{Who: who, By: missing})
		}
	case missing >= by:
		s.Calm, s.Most = time.Time{}, 0
		c.Entry = c.Raise(desired.Raise{Who: who, By: missing})
	default:
		s.Calm, s.Most = cmp.Or(s.Calm, f.At), max(s.Most, missing)
		if f.At.Sub(s.Calm) < spotBack {
			return
		}
		if c.Entry = c.Raise(desired.Raise{Who: who, By: s.Most}); s.Most == 0 {
			c.Entry, s.Since = c.Drop(who, f.At), time.Time{}
		}
		s.Calm, s.Most = time.Time{}, 0
	}
}
