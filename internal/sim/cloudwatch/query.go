package cloudwatch

import (
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// queries are metrics and expressions that may name each other.
type queries struct {
	w     *CloudWatch
	all   map[string]*query
	order []string // of the ids
}

type query struct {
	types.MetricDataQuery
	metric Metric
	key    string // of it
	stat   string
	period time.Duration
	math   *expression // nil: a metric
	level  int         // how many expressions lie below it; -1: it is being found out
}

var idForm = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)

// read checks queries as CloudWatch does.
func (w *CloudWatch) read(in []types.MetricDataQuery) (*queries, error) {
	q := &queries{w: w, all: map[string]*query{}}
	for _, one := range in {
		id := core.Deref(one.Id)
		switch {
		case !idForm.MatchString(id):
			return nil, refuse("The value %q is not valid for the id of a query: it begins with a small letter.", id)
		case q.all[id] != nil:
			return nil, refuse("The values for parameter id in MetricDataQueries are not unique: %s.", id)
		case (one.MetricStat == nil) == (one.Expression == nil):
			return nil, refuse("Query %s must have either a MetricStat or an Expression.", id)
		}
		added := &query{MetricDataQuery: one}
		q.all[id] = added
		q.order = append(q.order, id)
		if one.MetricStat == nil {
			continue
		}
		if err := added.stats(); err != nil {
			return nil, err
		}
	}
	for _, id := range q.order {
		if err := q.settle(q.all[id]); err != nil {
			return nil, err
		}
	}
	return q, nil
}

func refuse(format string, args ...any) error {
	return core.Refuse("ValidationException", format, args...)
}

// stats takes what a query says of its metric.
func (q *query) stats() error {
	s := q.MetricStat
	if s.Metric == nil {
		return refuse("Query %s has a MetricStat without a metric.", *q.Id)
	}
	q.metric = Metric{core.Deref(s.Metric.Namespace), core.Deref(s.Metric.MetricName), dimensions(s.Metric.Dimensions)}
	q.key, q.stat = q.metric.key(), core.Deref(s.Stat)
	q.period = time.Duration(core.Deref(s.Period)) * time.Second
	if !knownStat(q.stat) {
		return refuse("The value %s for parameter Stat is not supported.", q.stat)
	}
	return checkPeriod(q.period)
}

func checkPeriod(p time.Duration) error {
	switch {
	case p == time.Second, p == 5*time.Second, p == 10*time.Second, p == 20*time.Second, p == 30*time.Second, p > 0 && p%time.Minute == 0:
		return nil
	}
	return refuse("The value %d for parameter Period is not valid: it must be 1, 5, 10, 20, 30, or a multiple of 60.", int(p.Seconds()))
}

func dimensions(all []types.Dimension) map[string]string {
	m := map[string]string{}
	for _, d := range all {
		m[core.Deref(d.Name)] = core.Deref(d.Value)
	}
	return m
}

// settle reads the expression of a query, after those that it names, and finds its period.
func (q *queries) settle(one *query) error {
	if one.MetricStat != nil || one.math != nil && one.level >= 0 {
		return nil
	}
	if one.math != nil || len(*one.Expression) > 2048 {
		return refuse("Expression %s names itself, or is longer than 2048 characters.", *one.Id)
	}
	e, err := parse(*one.Expression, func(id string) float64 {
		if named := q.all[id]; named != nil {
			return named.period.Seconds()
		}
		return 0
	})
	if err != nil {
		return refuse("%v", err)
	}
	one.math, one.level = &e, -1
	one.period = time.Duration(core.Deref(one.Period)) * time.Second
	for _, id := range e.ids {
		named := q.all[id]
		if named == nil {
			return refuse("Error in expression %q: undefined variable %q.", *one.Id, id)
		}
		if err := q.settle(named); err != nil {
			return err
		}
		if one.period != 0 && one.period != named.period {
			return refuse("The metrics of expression %s have different periods, which the simulated cloud does not mix.", *one.Id)
		}
		one.period = named.period
	}
	one.level = 1
	if one.period == 0 {
		one.period = time.Minute
	}
	return nil
}

// value is that of a query in the period that begins at a time; false if there is none.
func (q *queries) value(id string, at time.Time) (float64, bool) {
	one := q.all[id]
	if one.math == nil {
		return q.w.series[one.key].statistic(one.stat, at, one.period)
	}
	return one.math.eval(func(name string) (float64, bool) { return q.value(name, at) })
}

// returned are the ids of the queries whose values are asked for.
func (q *queries) returned() []string {
	var ids []string
	for _, id := range q.order {
		if r := q.all[id].ReturnData; r == nil || *r {
			ids = append(ids, id)
		}
	}
	return ids
}
