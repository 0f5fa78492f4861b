package ecs

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// AddCapacityProvider makes a capacity provider of a group and associates it with the cluster into which the group launches. The
// instances that are there get its name. With managed draining the group gets ECS's hook, and EventBridge ECS's rule.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCapacityProvider.html
func (w *ECS) AddCapacityProvider(p CapacityProvider) error {
	arn, into, protectNew, err := w.Groups.Launching(p.Group)
	if err != nil {
		return err
	}
	c := w.cluster[into]
	switch {
	case p.Name == "" || w.findProvider(p.Name) != nil:
		return core.Refuse("ClientException", "The specified capacity provider name %q is not one that can be made: it must be given, and new.", p.Name)
	case c == nil:
		return core.Refuse("ClientException", "Group %s launches into no cluster.", p.Group)
	case p.TerminationProtection && !p.ManagedScaling:
		return core.Refuse("InvalidParameterException", "The managed termination protection setting for the capacity provider is invalid: it needs managed scaling.")
	case p.TerminationProtection && !protectNew:
		return core.Refuse("InvalidParameterException", "The managed termination protection setting for the capacity provider is invalid. "+
			"To enable managed termination protection for a capacity provider, the Auto Scaling group must have instance protection from scale in enabled.")
	}
	p.ARN, p.GroupARN = w.ARN("ecs", "capacity-provider/"+p.Name), arn
	w.providers = append(w.providers, &p)
	w.providing[p.Group] = &p
	c.Providers = append(c.Providers, p.Name)
	for _, ci := range c.instances {
		if ci.h.Group == p.Group {
			ci.CapacityProvider = p.Name
		}
	}
	if p.ManagedDraining {
		w.addManagedDraining(p.Group)
	}
	return nil
}

func (w *ECS) findProvider(id string) *CapacityProvider {
	for _, p := range w.providers {
		if p.Name == id || p.ARN == id {
			return p
		}
	}
	return nil
}

// DescribeCapacityProviders answers for names or ARNs, or for all if there are none: AWS's own for Fargate are always there. Unknown
// ones are failures with the reason MISSING. A cluster (empty: any) narrows the answer to its own.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeCapacityProviders.html
func (w *ECS) DescribeCapacityProviders(of string, ids []string) ([]CapacityProvider, []Failure, error) {
	var c *cluster
	if of != "" {
		var err error
		if c, err = w.findCluster(of); err != nil {
			return nil, nil, err
		}
	}
	if len(ids) > 100 {
		return nil, nil, core.Refuse("InvalidParameterException", "Capacity providers can have at most 100 items.")
	}
	var all []CapacityProvider
	if c == nil {
		all = w.fargateProviders([]string{onDemand, onSpot})
	} else {
		all = w.fargateProviders(c.Providers)
	}
	for _, p := range w.providers {
		if c == nil || slices.Contains(c.Providers, p.Name) {
			all = append(all, *p)
		}
	}
	if len(ids) == 0 {
		return all, nil, nil
	}
	var found []CapacityProvider
	var failures []Failure
	for _, id := range ids {
		i := slices.IndexFunc(all, func(p CapacityProvider) bool { return p.Name == id || p.ARN == id })
		if i < 0 {
			failures = append(failures, Failure{ARN: w.fullARN(id, "capacity-provider/"), Reason: "MISSING"})
			continue
		}
		found = append(found, all[i])
	}
	return found, failures, nil
}

// CheckStrategy says what is wrong with the capacity provider strategy of a service or task, or, without one of its own, with the cluster's.
func (w *ECS) CheckStrategy(cluster string, own []StrategyItem, launchType string) error {
	c, err := w.findCluster(cluster)
	if err == nil {
		_, err = w.strategyFor(c, own, launchType)
	}
	return err
}

// strategyFor is the capacity provider strategy of a service or task: its own, or the cluster's unless the launch type is named.
func (w *ECS) strategyFor(c *cluster, own []StrategyItem, launchType string) ([]StrategyItem, error) {
	if len(own) == 0 && launchType == "" {
		own = c.DefaultStrategy
	}
	bases, fargate := 0, 0
	for _, item := range own {
		if !slices.Contains(c.Providers, item.Provider) {
			return nil, core.Refuse("InvalidParameterException", "The specified capacity provider '%s' is not associated with the cluster %s.", item.Provider, c.Name)
		}
		if item.Base > 0 {
			bases++
		}
		if isFargate(item.Provider) {
			fargate++
		}
	}
	if bases > 1 {
		return nil, core.Refuse("InvalidParameterException", "Only one capacity provider in a capacity provider strategy can have a base defined.")
	}
	if fargate > 0 && fargate < len(own) {
		return nil, core.Refuse("InvalidParameterException", "A capacity provider strategy cannot contain a mix of capacity providers using "+
			"Auto Scaling groups and Fargate providers. Specify one or the other and try again.")
	}
	return own, nil
}

// next is the capacity provider of the next task, when so many tasks have each already: first the base, then by weight. AWS places
// the task there or nowhere. None without a strategy.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html
func next(strategy []StrategyItem, count map[string]int) []string {
	best, least := "", 0
	for _, item := range strategy {
		n := count[item.Provider]
		if n < item.Base {
			return []string{item.Provider}
		}
		share := (n - item.Base + 1) * 1000 / max(item.Weight, 1)
		if item.Weight > 0 && (best == "" || share < least) {
			best, least = item.Provider, share
		}
	}
	if best == "" && len(strategy) > 0 {
		best = strategy[0].Provider // all weights are 0: AWS refuses such a strategy once the base is full
	}
	if best == "" {
		return nil
	}
	return []string{best}
}

// allProviders are those of a service's strategy; a DAEMON service runs on the instances of all of them.
func (s *service) allProviders() []string {
	var names []string
	for _, item := range s.Providers {
		names = append(names, item.Provider)
	}
	return names
}

// unprotectAfter is how long an instance is without tasks before ECS lifts its protection; AWS gives no number.
const unprotectAfter = time.Minute

// protectSoon keeps the scale-in protection of an instance as managed termination protection wants it: on as soon as a task other
// than a daemon's is there, and off when there has been none for a while.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-termination-protection.html
func (w *ECS) protectSoon(ci *containerInstance) {
	if !w.protects(ci) {
		return
	}
	ci.idle++
	if hasOther(ci) {
		w.Groups.Protect(ci.Instance, true)
		return
	}
	idle := ci.idle
	w.After(unprotectAfter, func() {
		if ci.idle == idle {
			w.unprotect(ci)
		}
	})
}

// protects reports whether managed termination protection is on for an instance.
func (w *ECS) protects(ci *containerInstance) bool {
	p := w.providing[ci.h.Group]
	return p != nil && p.TerminationProtection
}

// unprotect lifts the protection of an instance that has no task other than daemons'.
func (w *ECS) unprotect(ci *containerInstance) {
	if w.protects(ci) && w.Groups.IsInService(ci.Instance) && !hasOther(ci) && !w.Switches.ProtectionStuck {
		w.Groups.Protect(ci.Instance, false)
	}
}

// InService lets managed termination protection look at an instance that is in service now.
func (w *ECS) InService(h *core.Instance) {
	if ci := w.newest(h.ID); ci != nil {
		w.protectSoon(ci)
	}
}

func hasOther(ci *containerInstance) bool {
	return slices.ContainsFunc(ci.tasks, func(t *task) bool { return !t.Daemon })
}
