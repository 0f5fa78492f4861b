package drain

import (
	"fmt"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// An operator's word stands in AWS, as an attribute of the container instance, so that every Ebb that looks at it reads the same. Where a
// hook holds the host, Auto Scaling has decided already, and the word changes nothing.

// Said is what is remembered of an operator's word. The zero Said is none: the drain is another's.
type Said struct {
	Word fleet.Word `json:"word,omitzero"` // as it was seen last
	// WordGone is the first look at the container instance that did not show it, and every look since has not either.
	WordGone time.Time `json:"word_gone,omitzero"`
}

// asked reports whether it is an operator who lets the host leave, and nobody else does.
func (d *Drain) asked() bool { return !d.held() && d.Word != fleet.Word{} && !d.warned() }

// heed follows what the latest look at the container instance says of the operator's word.
func heed(c *decider) {
	d := c.d()
	if !d.asked() || c.container.Is != fleet.Seen {
		return
	}
	w, unread := c.container.Value.Word, c.container.Value.BadWord != ""
	d.WordGone = since(d.WordGone, w == fleet.Word{} && !unread, c.container.At) // of what cannot be read, the last that could counts
	if w != (fleet.Word{}) && w != d.Word {
		d.Word, d.Cutting, d.Intent = w, time.Time{}, nil // it is decided again
		c.note("word", "an operator has changed what is to become of %s: %s", d.Target.ID, WordText(w))
	}
}

// withdrawn ends a drain whose word an operator has taken back. One look is not enough: reads lag behind. Meanwhile nothing is done.
func withdrawn(c *decider) bool {
	d := c.d()
	if !d.asked() || d.WordGone.IsZero() {
		return false
	}
	if len(d.Taken) > 0 && c.container.Value.Status == fleet.Active {
		return false // its tasks get no traffic any more, and nothing registers them again: the drain goes on until ECS takes them away
	}
	if over := d.WordGone.Add(c.p.Settle + c.p.Skew); c.container.At.Before(over) {
		c.out.Waiting = "to see once more whether the operator's word stands"
		c.wantAt(d.registered(plan.ContainerInstances), over)
		c.wake(over)
		return true
	}
	c.close(Cancelled, "an operator has taken back the word that it is to be drained; ECS says "+c.container.Value.Status, nil)
	return true
}

// overdue is how a drain ends whose operator wanted no more than to wait until the deadline.
func overdue(c *decider) bool {
	d := c.d()
	return (d.rebalances() || d.asked() && d.Word.Late == fleet.LateLeave) && c.leaveAsItIs("")
}

// fresh reports whether the word has been looked at since a time: an operator may have changed it. While it has not, a look is asked for.
func (c *decider) fresh(since time.Time) bool {
	if c.container.Is != fleet.Unknown && c.container.At.After(since) {
		return true
	}
	c.out.Waiting = "to see whether the operator's word still stands"
	c.wantAt(c.d().registered(plan.ContainerInstances), c.now)
	return false
}

// unheard is for how long at most one run of Ebb waits for a look at the word once the operator's deadline is over.
const unheard = 2 * time.Minute

// heard waits at the operator's deadline until the word has been looked at once more. What cannot be read is not done.
func heard(c *decider) bool {
	d := c.d()
	if !d.asked() || c.fresh(d.Word.Deadline) {
		return false
	}
	over := Later(d.Word.Deadline, c.seen.Since()).Add(unheard)
	if last := d.Word.Deadline.Add(5 * unheard); c.p.Tick > 0 && last.Before(over) {
		over = last // each pass is a run of its own
	}
	if c.now.Before(over) {
		c.wake(over)
		return true
	}
	return c.leaveAsItIs("whether the operator's word still stands could not be seen" + c.trouble(plan.ContainerInstances) + "; ")
}

func (c *decider) leaveAsItIs(why string) bool {
	d, live := c.d(), c.liveTasks()
	what := "it stays DRAINING"
	if d.DrainingSince.IsZero() {
		what = "it was not set DRAINING"
		if len(d.Taken) > 0 {
			what += ", but targets on it were taken out"
		}
	}
	left := "no task is known to be left"
	if len(live) > 0 {
		left = fmt.Sprintf("%d of %d tasks are left: %s", len(live), len(c.tasks), strings.Join(names(live), ", "))
	}
	if w := unseen(c); w != "" {
		left = w
	}
	c.close(Overdue, fmt.Sprintf("%s; %s%s; %s", overText(c, Deadline(*d, c.hook, c.p)), why, what, left), nil)
	return true
}

// part lets go of a host that no hook holds. If an operator has asked for that, or it is replaced before EC2 interrupts it, its group
// terminates it. A call may have had its effect
// although nobody knows: so the group is looked at before each.
func part(c *decider, o Outcome, reason string, cut []string) {
	d, i, try := c.d(), c.instance, c.seen.Tried(plan.Terminate)
	if d.onlyNoticed() && !d.rebalances() {
		goes(c, o, reason, cut)
		return
	}
	if !d.rebalances() && (d.Word.End == fleet.EndKeep || !d.asked()) || o != Drained && o != Forced {
		c.close(o, reason, cut)
		return
	}
	if d.Observed {
		would(c, "let Auto Scaling terminate %s: %s", d.Target.ID, reason)
		c.close(o, reason, cut)
		return
	}
	if d.Intent == nil || d.Intent.Outcome != o {
		d.Intent = &Answer{At: c.now, Outcome: o, Reason: reason, CutOff: cut}
		c.note("terminate", "let Auto Scaling terminate %s: %s", d.Target.ID, reason)
	}
	c.out.Waiting = "for Auto Scaling to terminate it"
	seen := i.Is != fleet.Unknown && i.At.After(Later(d.Intent.At, try.Started))
	switch {
	case !try.OK.IsZero(), seen && i.Is == fleet.Seen && !staying(i.Value.State):
		c.close(o, reason+"; Auto Scaling terminates it", cut)
	case seen && i.Is == fleet.Absent:
		c.stays(o, reason, "it is in no Auto Scaling group", cut)
	case (try.Class == plan.Invalid || try.Class == plan.Denied) && try.Fails >= terminateFor:
		c.stays(o, reason, try.Message, cut)
	case !seen:
		c.lookAtGroup(0)
	case d.asked() && !c.fresh(d.Intent.At):
	case c.ready(plan.Terminate):
		c.do(plan.Action{
			Kind: plan.Terminate, Why: d.because(),
			End: &plan.InstanceEnd{Instance: d.Instance(), Decrement: d.Word.End == fleet.EndDecrement},
		})
	}
}

// stays ends a drain whose host was to be terminated, and is not.
func (c *decider) stays(o Outcome, reason, why string, cut []string) {
	c.close(o, reason+"; Auto Scaling does not terminate it: "+why, cut)
	c.d().Final.Stays = true
}

// terminateFor is how many times in a row Auto Scaling must refuse to terminate an instance before that is believed.
const terminateFor = 3

// WordText says what an operator wants, for people.
func WordText(w fleet.Word) string {
	late := "stays as it is"
	if w.Late == fleet.LateTerminate {
		late = "is terminated with what is on it"
	}
	end := map[fleet.End]string{
		fleet.EndKeep: "stays DRAINING", fleet.EndTerminate: "is terminated", fleet.EndDecrement: "is terminated, and its group gets smaller",
	}[w.End]
	return fmt.Sprintf("once it is drained it %s; if tasks still run at %s, it %s (%s)", end, w.Deadline.Format("2006-01-02 15:04:05 UTC"), late, w.Reason)
}

// overText says which deadline is over.
func overText(c *decider, at time.Time) string {
	d := c.d()
	switch {
	case d.asked():
		return "the operator's deadline, " + at.Format("15:04:05 UTC") + ", is over"
	case d.warned() && at.Equal(d.Ends):
		return "EC2 ends the instance now"
	case d.Slot.IsZero() && !d.Queued.IsZero():
		return "the hook ends before its turn came to leave"
	}
	return fmt.Sprintf("the deadline of %s is over", at.Sub(Later(d.Zero, d.Slot)).Round(time.Second))
}
