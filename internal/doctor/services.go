package doctor

import (
	"fmt"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/inventory"
)

func serviceChecks() []Check {
	return []Check{
		{"never-drains", "A service that can never drain", eachOf((*Input).clusters, kept, neverDrains)},
		{"no-place", "A cluster that cannot spare its fullest host", each((*Input).clusters, noPlace)},
		{"stops-all", "A service that may stop all its tasks at once", eachOf((*Input).clusters, kept, stopsAll)},
	}
}

// replacedFirst lets replacements start before tasks stop.
func (in *Input) replacedFirst(c *inventory.Cluster, v *inventory.Service) advice.Fix {
	f := in.At.Percents(c.Name, v.Name, 100, 200, v.MinPercent, v.MaxPercent)
	if v.MaxPercent <= 100 {
		f = f.Costs(advice.Interrupts, "two copies of a task may run at a time, which a maximum of 100 percent may rule out on purpose",
			"two copies may run at a time")
	}
	return f.For("lets replacements start first")
}

func neverDrains(in *Input, c *inventory.Cluster, v *inventory.Service) *Finding {
	least, most := v.Bounds()
	if least < v.Desired || most > v.Desired {
		return nil
	}
	return &Finding{
		Severity: Error, Subject: serviceIn(c, v),
		Finding: fmt.Sprintf("of %d tasks at least %d must be healthy (minimumHealthyPercent %d, rounded up) and at most %d may run "+
			"(maximumPercent %d, rounded down): ECS may neither stop a task first nor start another",
			v.Desired, least, v.MinPercent, most, v.MaxPercent),
		Impact: "no host with one of its tasks ever drains: Ebb cuts the task off at its deadline, managed draining after 48h",
		Advice: advice.Of(in.replacedFirst(c, v)),
	}
}

// stopsAll looks only at services behind a load balancer: clients wait for their answers.
func stopsAll(in *Input, c *inventory.Cluster, v *inventory.Service) *Finding {
	if least, _ := v.Bounds(); least > 0 || len(v.LoadBalancers) == 0 {
		return nil
	}
	return &Finding{
		Severity: Info, Subject: serviceIn(c, v), Finding: fmt.Sprintf("with a minimumHealthyPercent of %d a drain may stop every task "+
			"before one replacement answers", v.MinPercent),
		Impact: "clients may get errors during a drain", Advice: advice.Of(in.replacedFirst(c, v)),
	}
}
