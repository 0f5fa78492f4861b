package kernel

import (
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// What is seen of targets and of where they are registered.

func sawTargets(o *observer, a answer) {
	keep(o, a, a.Result.View.Health, func(h fleet.Health) (plan.Subject, fleet.Health) {
		return plan.Subject{Kind: a.Kind, In: a.In, ID: h.Target.ID, Port: h.Target.Port}, h
	})
}

func sawDelays(o *observer, a answer) {
	keep(o, a, a.Result.View.Delays, func(d fleet.Delay) (plan.Subject, fleet.Delay) { return plan.Subject{Kind: a.Kind, In: a.In}, d })
}

func sawGroupHealth(o *observer, a answer) {
	keep(o, a, [][]fleet.Health{a.Result.View.Health}, func(all []fleet.Health) (plan.Subject, []fleet.Health) {
		return plan.Subject{Kind: a.Kind, In: a.In}, all
	})
}

func sawConnections(o *observer, a answer) {
	keep(o, a, a.Result.View.Connections, func(c plan.Open) (plan.Subject, int) {
		return plan.Subject{Kind: a.Kind, In: a.In, ID: c.Target.ID, Port: c.Target.Port}, c.Count
	})
}
