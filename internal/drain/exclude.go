package drain

import (
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

// tagsFor is how long a drain waits for the tags of its group. A sweep reads them; one that fails for ever must not hold all.
const tagsFor = time.Minute

// excluded ends a drain that has not begun in a group that an operator has excluded. Before the tags of the group are known, nothing
// begins: the host may be another drainer's.
func excluded(c *decider) bool {
	d := c.d()
	if d.Admitted || d.asked() { // an operator's word about one host counts for more than one about its group
		return false
	}
	switch slot := c.seen.Slot(); {
	case slot.Excluded && !slot.Unread:
		c.note("excluded", "Ebb does not drain %s: group %s has the tag %s=true", d.Target.ID, d.Group, fleet.ExcludeTag)
		c.close(Excluded, "group "+d.Group+" has the tag "+fleet.ExcludeTag+"=true", nil)
		return true
	case tagsUnread(c):
		c.out.Waiting = "to read the tags of the group"
		c.wake(d.Heard.Add(tagsFor))
		return true
	}
	return false
}

func tagsUnread(c *decider) bool { return c.seen.Slot().Unread && c.now.Sub(c.d().Heard) < tagsFor }

// tooSoon reports whether a heartbeat can wait for the tags of the group: the first look at them is mostly under way.
func tooSoon(c *decider) bool {
	soon := c.d().Heard.Add(15 * time.Second)
	if c.seen.Slot().Excluded { // it was, when the tags were last read
		soon = c.d().Heard.Add(tagsFor)
	}
	if c.d().Admitted || !tagsUnread(c) || !c.now.Before(soon) {
		return false
	}
	c.wake(soon)
	return true
}

// admit remembers that the drain has begun, and was not excluded: a tag that comes later does not stop it halfway.
func admit(c *decider) {
	d := c.d()
	begun := !d.Asked.IsZero() || !d.DrainingSince.IsZero() || len(d.Taken) > 0 || d.Intent != nil
	d.Admitted = d.Admitted || begun && !tagsUnread(c)
}
