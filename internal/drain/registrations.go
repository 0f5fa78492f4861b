package drain

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

// mostRegistrations is how many other registrations are taken in at a time: a record has a limited size, and anybody on a host can register it.
const mostRegistrations = 10

// registered keeps which registrations of the host there are, and which of them is being drained.
func (c *decider) registered(ci fleet.ContainerInstance) {
	d := c.d()
	if d.ContainerInstance != ci.ARN {
		d.ContainerInstance, d.DrainingSince = ci.ARN, time.Time{} // lists of an earlier registration prove nothing of this one
		d.Others = slices.DeleteFunc(slices.Clone(d.Others), func(r fleet.Registration) bool { return r.ARN == ci.ARN })
	}
	for _, r := range ci.Others[:min(len(ci.Others), mostRegistrations)] {
		if !slices.Contains(d.Others, r) && !slices.Contains(d.Emptied, r.ARN) {
			d.Others = append(slices.Clone(d.Others), r)
		}
	}
}

// alone goes on with the next registration of the host, until there is no other.
func alone(c *decider) bool {
	if len(c.d().Others) == 0 {
		return true
	}
	c.next(nil)
	return false
}

// next goes on with another registration of the host. lost names the tasks that are given up with this one.
func (c *decider) next(lost []string) {
	d := c.d()
	r := d.Others[0]
	c.note("registered-twice", "the instance is registered more than once: after %s, now %s", d.ContainerInstance.Name(), r.ARN.Name())
	d.Emptied, d.Lost = append(slices.Clone(d.Emptied), d.ContainerInstance), append(slices.Clone(d.Lost), lost...)
	d.Others = slices.Clone(d.Others[1:])
	d.Host = Host{Cluster: r.Cluster, ContainerInstance: r.ARN}
	d.Left = nil
	c.container = fleet.Fact[fleet.ContainerInstance]{}
	c.lookAtContainer(0)
	c.out.Waiting = "to look at another registration of the instance"
}
