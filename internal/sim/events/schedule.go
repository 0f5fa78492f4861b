package events

import (
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// parseRate reads a schedule expression of the form rate(5 minutes). The simulated cloud has no cron expressions.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
func parseRate(text string) (time.Duration, error) {
	bad := core.Refuse("ValidationException", "Parameter ScheduleExpression is not valid.")
	inner, opens := strings.CutPrefix(text, "rate(")
	inner, closes := strings.CutSuffix(inner, ")")
	number, unit, _ := strings.Cut(inner, " ")
	n, err := strconv.Atoi(number)
	if !opens || !closes || err != nil || n < 1 || n > 100000 {
		return 0, bad
	}
	if n > 1 { // the plural is for these, and for these only
		plural := strings.HasSuffix(unit, "s")
		if unit = strings.TrimSuffix(unit, "s"); !plural {
			return 0, bad
		}
	}
	switch unit {
	case "minute":
		return time.Duration(n) * time.Minute, nil
	case "hour":
		return time.Duration(n) * time.Hour, nil
	case "day":
		return time.Duration(n) * 24 * time.Hour, nil
	}
	return 0, bad
}

// schedule lets a rule fire every so often, first one interval from now, until it is deleted, or its schedule changed or taken away.
func (w *Events) schedule(r *rule) {
	r.scheduled++
	if r.every == 0 {
		return
	}
	turn := r.scheduled
	var fire func()
	fire = func() {
		if r.scheduled != turn || w.findRule(r.Name) != r {
			return
		}
		if r.State == "ENABLED" {
			w.fire(r)
		}
		w.After(r.every, fire)
	}
	w.After(r.every, fire)
}

// fire sends the event of a schedule to the rule's own targets: it is on no bus.
func (w *Events) fire(r *rule) {
	at := w.Now()
	for _, t := range r.Targets {
		w.Deliver(core.Entry{}, func() {
			body, fields := w.spell("aws.events", "Scheduled Event", at, []string{r.ARN}, "{}")
			w.post.Send(t.ARN, "", targetInput(t, body, fields), core.Entry{})
		})
	}
}
