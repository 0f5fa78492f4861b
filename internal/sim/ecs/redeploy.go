package ecs

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// SetStrategy gives a service another capacity provider strategy; none gives it back its launch type. That alone starts no deployment and
// moves no task: new tasks follow it. AWS refuses it without a new deployment, although its reference says nothing of that; the switch
// strategy_in_place allows it.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
func (w *ECS) SetStrategy(cluster, id string, strategy []StrategyItem, force bool) error {
	c, err := w.findCluster(cluster)
	if err != nil {
		return err
	}
	s := w.findService(c, id)
	if s == nil {
		return core.Refuse("ServiceNotFoundException", "Service not found.")
	}
	if len(s.sets) > 0 {
		return core.Refuse("InvalidParameterException",
			"Unable to update the capacity provider strategy on services with a %s deployment controller.", s.Controller)
	}
	if slices.Equal(strategy, s.Providers) {
		return nil
	}
	changed := &service{Service: s.Service, c: c, def: s.def}
	changed.Providers = nil
	if len(strategy) > 0 {
		if changed.Providers, err = w.strategyFor(c, strategy, ""); err != nil {
			return err
		}
	}
	if err := w.checkServed(changed); err != nil {
		return err
	}
	if !force && !w.StrategyInPlace {
		return core.Refuse("InvalidParameterException", "When switching from launch type to capacity provider strategy on an existing service, "+
			"or making a change to a capacity provider strategy on a service that is already using one, you must force a new deployment.")
	}
	s.Providers = changed.Providers
	w.checkAnew(s)
	return nil
}

// ForceNewDeployment replaces all tasks of a service, also where its task definition (empty: as it is) is the same.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
func (w *ECS) ForceNewDeployment(cluster, id, definition string) error {
	c, err := w.findCluster(cluster)
	if err != nil {
		return err
	}
	s := w.findService(c, id)
	if s == nil {
		return core.Refuse("ServiceNotFoundException", "Service not found.")
	}
	if len(s.sets) > 0 {
		return core.Refuse("InvalidParameterException",
			"Cannot force a new deployment on services with a %s deployment controller.", s.Controller)
	}
	if definition != "" {
		def, err := w.findDefinition(definition)
		if err != nil {
			return core.Refuse("ClientException", "TaskDefinition not found.")
		}
		s.def, s.Definition = def, definitionID(def)
	}
	s.otherGroups()
	w.deploy(s)
	w.checkAnew(s)
	return nil
}

// checkAnew lets the scheduler look at a service that was changed, without back-off.
func (w *ECS) checkAnew(s *service) {
	for _, part := range s.parts() {
		part.blocked, part.backoff, part.retryAt = false, 0, time.Time{}
		w.checkSoon(part, 0)
	}
}
