package story

import (
	"cmp"
	"fmt"
	"time"
)

// What AWS does of its own accord in a story, and not an operator.

func providerOf(s Step) string { return cmp.Or(s.Provider, "FARGATE_SPOT") }

// noCapacity takes the capacity of Fargate away, and gives it back when the step says so.
func noCapacity(r *run, s Step) error {
	if err := r.w.SetFargateCapacity(providerOf(s), false); err != nil || s.For == 0 {
		return err
	}
	r.w.After(s.For, func() { _ = r.w.SetFargateCapacity(providerOf(s), true) }) // it is one of the two, as was just seen
	return nil
}

// interrupt takes Spot capacity back: of a host, or of the oldest tasks of a service, or of a family.
func interrupt(r *run, s Step) error {
	if s.Host != "" {
		return r.w.Interrupt(r.host(s.Host), s.Result)
	}
	all, err := r.w.SpotTasks(s.Cluster, s.Service, s.Task)
	if err != nil {
		return err
	}
	n := max(s.Count, 1)
	if len(all) < n {
		return fmt.Errorf("interrupt: only %d such tasks run on FARGATE_SPOT", len(all))
	}
	for _, arn := range all[:n] {
		if err := r.w.InterruptTask(s.Cluster, arn); err != nil {
			return err
		}
	}
	return nil
}

// health announces a change by AWS Health, two weeks before it unless the step says otherwise: of a host, or of tasks on Fargate.
func health(r *run, s Step) error {
	in := cmp.Or(s.For, 14*24*time.Hour)
	if s.Host != "" {
		return r.w.ScheduleChange(r.host(s.Host), s.Result, in)
	}
	return r.w.RetireFargate(s.Cluster, s.Service, s.Task, in)
}
