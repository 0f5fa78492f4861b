package cloudwatch

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// number is a number as CloudWatch writes it: always with a fraction, 100.0.
type number float64

func (n number) String() string {
	text := strconv.FormatFloat(float64(n), 'f', -1, 64)
	if math.Abs(float64(n)) >= 1e7 {
		text = strings.Replace(strconv.FormatFloat(float64(n), 'E', -1, 64), "E+0", "E", 1)
		text = strings.Replace(text, "E+", "E", 1)
	}
	mantissa, exponent, large := strings.Cut(text, "E")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	if large {
		return mantissa + "E" + exponent
	}
	return mantissa
}

// MarshalJSON writes it so in messages too.
func (n number) MarshalJSON() ([]byte, error) { return []byte(n.String()), nil }

// stamp is a time as CloudWatch writes it in messages.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000-0700") }

var comparisons = map[string]string{
	"GreaterThanThreshold": "greater than", "GreaterThanOrEqualToThreshold": "greater than or equal to",
	"LessThanThreshold": "less than", "LessThanOrEqualToThreshold": "less than or equal to",
}

// crossed is the condition after real data, in the words of CloudWatch. The samples are those that speak for the state, the newest first.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
func (a *Alarm) crossed(state string, samples []sample, filled int) Condition {
	c := Condition{State: state}
	m := int(*a.Metric.DatapointsToAlarm)
	if len(samples) == 0 {
		treated := "NonBreaching"
		if state == InAlarm {
			treated = "Breaching"
		}
		c.Reason = fmt.Sprintf("Threshold Crossed: no datapoints were received for %s and %d missing %s treated as [%s].",
			count(filled, "period"), filled, plural(filled, "datapoint was", "datapoints were"), treated)
		return c
	}
	c.value = samples[0].value
	shown := make([]string, 0, len(samples))
	for _, s := range samples {
		shown = append(shown, number(s.value).String()+" "+s.at.Format("(02/01/06 15:04:05)"))
	}
	was := plural(len(samples), "was ", "were ")
	if state == OK {
		was += "not "
	}
	c.Reason = fmt.Sprintf("Threshold Crossed: %d out of the last %s [%s] %s%s the threshold (%v) (minimum %s for %s -> %s transition).",
		len(samples), count(int(*a.Metric.EvaluationPeriods), "datapoint"), strings.Join(shown, ", "), was,
		comparisons[string(a.Metric.ComparisonOperator)], number(*a.Metric.Threshold), count(m, "datapoint"), either(state == OK, InAlarm, OK), state)
	return c
}

func insufficient(n int) string {
	return fmt.Sprintf("Insufficient Data: %d %s unknown.", n, plural(n, "datapoint was", "datapoints were"))
}

func count(n int, what string) string { return fmt.Sprintf("%d %s", n, plural(n, what, what+"s")) }

func plural(n int, one, many string) string { return either(n == 1, one, many) }

func either(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// reasonData is what a transition says for programs.
type reasonData struct {
	Version             string           `json:"version"`
	QueryDate           string           `json:"queryDate"`
	StartDate           string           `json:"startDate,omitempty"`
	Statistic           string           `json:"statistic,omitempty"`
	Period              int              `json:"period"`
	RecentDatapoints    []number         `json:"recentDatapoints"`
	Threshold           number           `json:"threshold"`
	EvaluatedDatapoints []evaluatedPoint `json:"evaluatedDatapoints"`
}

type evaluatedPoint struct {
	Timestamp string  `json:"timestamp"`
	Value     *number `json:"value,omitempty"`
}

func (a *Alarm) reasonData(now time.Time, period time.Duration, samples []sample) string {
	d := reasonData{Version: "1.0", QueryDate: stamp(now), Period: int(period.Seconds()), RecentDatapoints: []number{}, Threshold: number(*a.Metric.Threshold)}
	if a.Metric.MetricName != nil {
		id, _ := a.watched()
		d.Statistic = a.queries.all[id].stat
	}
	for _, s := range samples {
		p := evaluatedPoint{Timestamp: stamp(s.at)}
		if s.known {
			p.Value = new(number(s.value))
			d.RecentDatapoints = append([]number{number(s.value)}, d.RecentDatapoints...) // the oldest first
			d.StartDate = stamp(s.at)
		}
		d.EvaluatedDatapoints = append(d.EvaluatedDatapoints, p)
	}
	return core.JSON(d)
}

// triggered is the reason data of a composite alarm.
func triggered(by []trigger) string {
	type state struct {
		Value     string `json:"value"`
		Timestamp string `json:"timestamp"`
	}
	type alarm struct {
		ARN   string `json:"arn"`
		State state  `json:"state"`
	}
	return core.JSON(map[string]any{"triggeringAlarms": core.Mapped(by, func(t trigger) alarm { return alarm{t.arn, state{t.State, stamp(t.At)}} })})
}
