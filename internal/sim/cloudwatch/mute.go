package cloudwatch

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// Mute is a rule that mutes the actions of alarms for some time. The alarms go on changing their states, and their events are sent.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-mute-rules.html
type Mute struct {
	cloudwatch.PutAlarmMuteRuleInput
	ARN     string
	Updated time.Time

	once     bool
	starts   func(t time.Time) bool // whether a window begins in this minute
	duration time.Duration
}

// window is a time in which actions are muted.
type window struct {
	by         string // ARN of the rule
	start, end time.Time
}

// PutMute makes or changes a mute rule.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutAlarmMuteRule.html
func (w *CloudWatch) PutMute(in cloudwatch.PutAlarmMuteRuleInput) error {
	m := &Mute{PutAlarmMuteRuleInput: in, ARN: w.ARN("cloudwatch", "alarm-mute-rule:"+*in.Name), Updated: w.Now()}
	if in.Rule.Schedule == nil || in.MuteTargets == nil || len(in.MuteTargets.AlarmNames) > 100 {
		return core.Refuse("ValidationException", "A mute rule needs a schedule, and 1 to 100 alarms.")
	}
	s := in.Rule.Schedule
	if zone := core.Deref(s.Timezone); zone != "" && zone != "UTC" {
		return core.Refuse("ValidationException", "The simulated cloud knows no time zone but UTC, and not %q.", zone)
	}
	var ok bool
	if m.starts, m.once, ok = schedule(core.Deref(s.Expression)); !ok {
		return core.Refuse("ValidationException", "The schedule expression %q is neither cron(...) with five fields nor at(yyyy-MM-ddThh:mm).",
			core.Deref(s.Expression))
	}
	if m.duration, ok = isoDuration(core.Deref(s.Duration)); !ok || m.duration < time.Minute || m.duration > 15*24*time.Hour {
		return core.Refuse("ValidationException", "The duration %q is not from PT1M to P15D.", core.Deref(s.Duration))
	}
	w.DeleteMute(*in.Name)
	i, _ := slices.BinarySearchFunc(w.mutes, *in.Name, func(m *Mute, name string) int { return strings.Compare(*m.Name, name) })
	w.mutes = slices.Insert(w.mutes, i, m)
	return nil
}

// DeleteMute removes a mute rule; one that is not there is no error.
func (w *CloudWatch) DeleteMute(name string) {
	w.mutes = slices.DeleteFunc(w.mutes, func(m *Mute) bool { return *m.Name == name })
}

// muting is the window in which the actions of an alarm are muted now, or nil. Of several, it is the one that ends last.
func (w *CloudWatch) muting(a *Alarm) *window {
	var last *window
	for _, m := range w.mutes {
		if !slices.Contains(m.MuteTargets.AlarmNames, a.Name) {
			continue
		}
		if active := m.active(w.Now()); active != nil && (last == nil || active.end.After(last.end)) {
			last = active
		}
	}
	return last
}

// active is the window that is open at a time, or nil.
func (m *Mute) active(now time.Time) *window {
	if m.expired(now) {
		return nil
	}
	minute := now.Truncate(time.Minute)
	for start := minute; now.Sub(start) < m.duration; start = start.Add(-time.Minute) {
		if m.starts(start) && !start.Before(core.Deref(m.StartDate)) {
			return &window{m.ARN, start, start.Add(m.duration)}
		}
	}
	return nil
}

func (m *Mute) expired(now time.Time) bool { return m.ExpireDate != nil && !now.Before(*m.ExpireDate) }

func (m *Mute) status(now time.Time) string {
	switch {
	case m.expired(now):
		return "EXPIRED"
	case m.active(now) != nil:
		return "ACTIVE"
	}
	return "SCHEDULED"
}

// resumeAfter lets an alarm act at the end of a window if it is still in the state into which it came in the window.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-mute-rules-behaviour.html
func (w *CloudWatch) resumeAfter(a *Alarm, open *window) {
	since := a.Now.At
	w.At(open.end, func() {
		switch next := w.muting(a); {
		case !a.muted || !a.Now.At.Equal(since) || w.FindAlarm(a.Name) != a:
		case next != nil:
			w.resumeAfter(a, next)
		default:
			a.muted = false
			w.act(a)
		}
	})
}

// schedule reads a schedule expression.
func schedule(text string) (starts func(time.Time) bool, once, ok bool) {
	if inner, found := strings.CutPrefix(text, "at("); found {
		at, err := time.Parse("2006-01-02T15:04", strings.TrimSuffix(inner, ")"))
		return func(t time.Time) bool { return t.Equal(at) }, true, err == nil && strings.HasSuffix(text, ")")
	}
	inner, opens := strings.CutPrefix(text, "cron(")
	inner, closes := strings.CutSuffix(inner, ")")
	fields := strings.Fields(inner)
	if !opens || !closes || len(fields) != 5 {
		return nil, false, false
	}
	var sets [5]map[int]bool
	for i, f := range fields {
		if sets[i], ok = cronField(f, i); !ok {
			return nil, false, false
		}
	}
	return func(t time.Time) bool {
		now := [5]int{t.Minute(), t.Hour(), t.Day(), int(t.Month()), int(t.Weekday())}
		for i, set := range sets {
			if set != nil && !set[now[i]] {
				return false
			}
		}
		return true
	}, false, true
}

// The names and bounds of the fields of a cron expression.
var (
	cronNames = [5]string{3: "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC", 4: "SUN MON TUE WED THU FRI SAT"}
	cronFrom  = [5]int{0, 0, 1, 1, 0}
	cronTo    = [5]int{59, 23, 31, 12, 6}
)

// cronField is the set of a field: *, numbers or names, ranges, and lists of them. Nil: everything.
func cronField(text string, field int) (map[int]bool, bool) {
	if text == "*" {
		return nil, true
	}
	value := func(s string) int {
		if i := slices.Index(strings.Fields(cronNames[field]), strings.ToUpper(s)); i >= 0 {
			return i + cronFrom[field]
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			return -1
		}
		return n
	}
	set := map[int]bool{}
	for part := range strings.SplitSeq(text, ",") {
		low, high, isRange := strings.Cut(part, "-")
		from := value(low)
		to := from
		if isRange {
			to = value(high)
		}
		if from < cronFrom[field] || to > cronTo[field] || from > to {
			return nil, false
		}
		for n := from; n <= to; n++ {
			set[n] = true
		}
	}
	return set, true
}

var durationForm = regexp.MustCompile(`^P(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?)?$`)

// isoDuration reads P2DT12H.
func isoDuration(text string) (time.Duration, bool) {
	parts := durationForm.FindStringSubmatch(text)
	if parts == nil {
		return 0, false
	}
	var d time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute} {
		n, _ := strconv.Atoi(parts[i+1]) // empty: none
		d += time.Duration(n) * unit
	}
	return d, true
}
