// Package metrics counts what Ebb does: one table of every metric, filled from what the engine and the AWS calls tell, and shown to
// Prometheus, as lines for CloudWatch, and on a page of the reference.
//
// It never decides anything and never asks AWS or the journal: what it shows is what it was told.
package metrics

// Metric is one row of the table.
type Metric struct {
	Name      string
	Type      string // counter, gauge or histogram
	Labels    []string
	Stability string // see the page
	Help      string
}

// The names.
const (
	drainsOpen     = "ebb_drains_in_progress"
	drainSeconds   = "ebb_drain_duration_seconds"
	drainsEnded    = "ebb_drains_ended_total"
	tasksOut       = "ebb_spot_tasks_total"
	tasksRaised    = "ebb_desired_count_raised_total"
	blockers       = "ebb_blockers_total"
	calls          = "ebb_aws_calls_total"
	oldest         = "ebb_oldest_hook_age_seconds"
	leases         = "ebb_leases_held"
	noticesWaiting = "ebb_notices_waiting"
	notices        = "ebb_notices_total"
	journalFailed  = "ebb_journal_failures_total"
	setAside       = "ebb_set_aside_total"
	buildInfo      = "ebb_build_info"
)

const (
	counter   = "counter"
	gauge     = "gauge"
	histogram = "histogram"
	stable    = "STABLE"
	beta      = "BETA"
	alpha     = "ALPHA"
)

// Table is every metric of Ebb.
func Table() []Metric {
	return []Metric{
		{drainsOpen, gauge, []string{"scope"}, stable, "Drains in progress, by scope: a cluster, or a pattern of groups without one."},
		{drainSeconds, histogram, []string{"outcome"}, stable, "How long drains took, from the time from which the deadline counts until they ended."},
		{drainsEnded, counter, []string{"outcome"}, stable, "Drains that ended: drained, forced, host-gone and the other outcomes of the history."},
		{
			tasksOut, counter, []string{"first"}, beta,
			"Tasks on Fargate Spot that were interrupted, by who took their targets out first: ebb, ecs before Ebb looked, or unseen: " +
				"Ebb deregistered them without a look, because it had too few calls. AWS promised the " +
				"latter in 2023, and broke it in 2025: alarm on a change.",
		},
		{
			tasksRaised, counter, []string{"for"}, beta,
			"Tasks by which desired counts of services were raised, and put back later: for hosts that leave (replace_first), or for spot, because " +
				"Fargate Spot had no capacity (on_demand).",
		},
		{blockers, counter, []string{"code"}, beta, "What was told to keep a drain from going on, by its code of ebb why; each blocker of a drain once."},
		{
			calls, counter, []string{"service", "operation", "outcome"}, beta,
			"AWS calls: ok, or the class of the failure, which is throttled, denied, conflict, invalid, gone or unknown.",
		},
		{oldest, gauge, nil, stable, "Age of the oldest hook that is not answered, by the time from which its deadline counts; 0 without one."},
		{leases, gauge, nil, beta, "Leases under which this Ebb works; 0 while it stands by."},
		{noticesWaiting, gauge, []string{"route"}, beta, "Notices that wait in the journal for their receiver, when the outbox was last read."},
		{
			notices, counter, []string{"route", "outcome"}, beta,
			"Attempts to send a notice: sent, failed (it is tried again) or discarded.",
		},
		{journalFailed, counter, nil, beta, "How often the journal could not be read or written, or another Ebb had written it meanwhile."},
		{setAside, counter, nil, beta, "What the journal refused for good and Ebb set aside; ebb status lists it."},
		{buildInfo, gauge, []string{"version"}, alpha, "1, with the version of this Ebb."},
	}
}
