package kernel

import (
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

func spotRequestOf(t fleet.Target) plan.Subject {
	return plan.Subject{Kind: plan.SpotRequests, ID: t.ID}
}

func sawSpotRequests(o *observer, a answer) {
	keep(o, a, a.Result.View.SpotRequests, func(s plan.SpotStatus) (plan.Subject, fleet.SpotRequest) {
		return spotRequestOf(fleet.HostTarget(s.Instance)), s.SpotRequest
	})
}
