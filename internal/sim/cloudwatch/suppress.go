package cloudwatch

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// What keeps a composite alarm from acting: its suppressor is in ALARM, has been until lately, or may yet come into it.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm_Suppression.html
const (
	byAlarm     = "Alarm"
	byExtension = "ExtensionPeriod"
	byWait      = "WaitPeriod"
)

// checkSuppressor checks what a composite alarm says of its suppressor.
func (w *CloudWatch) checkSuppressor(in cloudwatch.PutCompositeAlarmInput) error {
	switch {
	case in.ActionsSuppressor == nil:
		return nil
	case w.FindAlarm(*in.ActionsSuppressor) == nil:
		return refuse("ActionsSuppressor %s does not exist.", *in.ActionsSuppressor)
	case in.ActionsSuppressorWaitPeriod == nil || in.ActionsSuppressorExtensionPeriod == nil:
		return refuse("ActionsSuppressor needs ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod.")
	}
	return nil
}

// suppressed says what keeps an alarm from acting now; empty: nothing.
func (w *CloudWatch) suppressed(a *Alarm) string {
	if a.Composite == nil || a.Composite.ActionsSuppressor == nil {
		return ""
	}
	s := w.FindAlarm(*a.Composite.ActionsSuppressor)
	switch wait, extension := a.suppression(); {
	case s == nil:
		return ""
	case s.Now.State == InAlarm:
		return byAlarm
	case s.Before.State == InAlarm && w.Now().Sub(s.Now.At) < extension:
		return byExtension
	case w.Now().Sub(a.Now.At) < wait:
		return byWait
	}
	return ""
}

func (a *Alarm) suppression() (wait, extension time.Duration) {
	seconds := func(n *int32) time.Duration { return time.Duration(core.Deref(n)) * time.Second }
	return seconds(a.Composite.ActionsSuppressorWaitPeriod), seconds(a.Composite.ActionsSuppressorExtensionPeriod)
}

// resume looks again at an alarm that was kept from acting. Once nothing keeps it, it acts, and an event says so whose two states are the same.
func (w *CloudWatch) resume(a *Alarm) {
	if a.Now.by == "" || w.FindAlarm(a.Name) != a {
		return
	}
	if by := w.suppressed(a); by != "" {
		a.Now.by = by
		return
	}
	a.Before, a.Now.by = a.Now, ""
	a.Now.At = w.Now()
	w.emit(a, w.muting(a))
	w.act(a)
}

// suppresses lets the composite alarms whose suppressor has changed look again, now and when what it says is over.
func (w *CloudWatch) suppresses(s *Alarm) {
	for _, a := range w.alarms {
		if a.Composite == nil || a.Composite.ActionsSuppressor == nil || w.FindAlarm(*a.Composite.ActionsSuppressor) != s {
			continue
		}
		w.resume(a)
		_, extension := a.suppression()
		w.After(extension, func() { w.resume(a) })
	}
}
