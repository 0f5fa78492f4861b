package sim

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/appautoscaling"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/load"
)

// loads begin when everything runs.
func (b *builder) loads(s Spec) error {
	for _, l := range s.Load {
		i := slices.IndexFunc(s.Services, func(v ServiceSpec) bool { return v.Name == l.Service && (l.Cluster == "" || l.Cluster == v.Cluster) })
		if i < 0 {
			return fmt.Errorf("load: there is no service %q; add it to services", l.Service)
		}
		v := s.Services[i]
		l.Cluster = v.Cluster
		if slices.ContainsFunc(b.w.Loads(), func(other load.Spec) bool { return other.Service == l.Service }) {
			return fmt.Errorf("load of service %q: it has one already", l.Service)
		}
		if err := b.load(v, &l); err != nil {
			return fmt.Errorf("load of service %q: %w", l.Service, err)
		}
		if err := b.w.AddLoad(l); err != nil {
			return fmt.Errorf("load of service %q: %w", l.Service, err)
		}
		b.w.publisher.Begin()
	}
	return nil
}

// load checks the work of a service, and finds its target group.
func (b *builder) load(v ServiceSpec, l *load.Spec) error {
	if l.Queue != "" {
		if _, err := b.w.Queue(l.Queue); err != nil {
			return fmt.Errorf("there is no queue %q; add it to queues", l.Queue)
		}
		if l.Work < time.Millisecond || l.Rate != 0 || l.TargetGroup != "" {
			return fmt.Errorf("messages need work, how long a task works on one, from 1ms; rate and target_group are for requests")
		}
		return nil
	}
	if l.Rate <= 0 || l.Work != 0 || l.Concurrency != 0 || l.Protects {
		return fmt.Errorf("requests need a rate, how many a task serves in a second; work, concurrency and protects are for messages")
	}
	name := cmp.Or(l.TargetGroup, v.TargetGroup)
	if name == "" {
		return nil
	}
	arns, err := b.arns([]string{name})
	if err == nil {
		l.TargetGroup = arns[0]
	}
	return err
}

// scaling makes scalable targets and their policies.
func (b *builder) scaling(s Spec) error {
	for _, a := range s.Scaling {
		a.Policies = core.Mapped(a.Policies, func(p appautoscaling.PolicySpec) appautoscaling.PolicySpec { return b.labelled(a.Service, p) })
		if err := b.w.AddScaling(a); err != nil {
			return fmt.Errorf("scaling of service %q in cluster %q: %w", a.Service, a.Cluster, err)
		}
	}
	return nil
}

// labelled names the target group whose requests a policy tracks: that of the load.
func (b *builder) labelled(service string, p appautoscaling.PolicySpec) appautoscaling.PolicySpec {
	loads := b.w.Loads()
	i := slices.IndexFunc(loads, func(l load.Spec) bool { return l.Service == service && l.TargetGroup != "" })
	if p.Tracks == "requests" && p.Label == "" && i >= 0 {
		balancer, group := elbNames(loads[i])
		p.Label = balancer + "/" + group
	}
	return p
}
