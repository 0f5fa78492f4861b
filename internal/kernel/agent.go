package kernel

import (
	"cmp"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
)

// followsAgent opens a drain that follows the hook of a host's agent, once Ebb's own hook does not hold the instance any more, or where the
// group has none. It reports whether a sweep that found the instance waiting is settled by that.
func followsAgent(k *Kernel, t fleet.Target, group string, own fleet.Fact[fleet.Hook], now time.Time) bool {
	past := k.recent[t]
	man, ok := k.cfg.managed(group)
	switch {
	case !ok || !man.Agent || !k.cfg.mine(man.Scope()) || k.open[t] != nil || k.spared(group, man) != "":
		return false
	case k.newer[group+"/"+t.ID] != nil || k.aside[group+"/"+t.ID]:
		return false
	case own.Is != fleet.Absent && !past.holds(), past.holds() && past.newest().agent:
		return false
	}
	man.Policy.Skew = k.cfg.Skew
	d := drain.Drain{Target: t, Zero: now, Heard: now, Hold: drain.Hold{Group: group, Hook: drain.AgentHook, Agent: true}}
	d.Key = past.unused(group + "/" + t.ID + "/a" + now.UTC().Format("20060102T150405"))
	k.begun(&entry{d: d, man: man, scope: man.Scope(), since: now, dirty: true, fresh: true})
	k.line(now, d.Key, "heard", t.ID+" of group "+group+" waits in the hook of its agent")
	return true
}

// besideAgent takes in a message about an instance of which only the hook of its agent is followed: Ebb's own hook may hold it too.
func besideAgent(k *Kernel, h Heard, man Managed, now time.Time) (why string, taken bool) {
	e, t := h.Event, fleet.HostTarget(h.Event.Instance)
	o, open := k.open[t]
	if !open || !o.d.Agent {
		return "", false
	}
	if key, late := k.recent[t].late(e); late {
		k.Counts["late"]++
		return "drain " + key + " has ended", true
	}
	if k.spared(e.Group, man) == "" {
		takeOver(k, o, man, drain.Hold{Group: e.Group, Hook: e.Hook, Token: e.Token, WarmPool: e.ToWarmPool()}, cmp.Or(e.Time, h.Sent), now)
	}
	return "Ebb's own hook holds the instance too", true
}

// lookAgain lets the drain that follows an agent's hook ask EC2 at once: an event says that something has become of the instance.
func lookAgain(k *Kernel, e *entry) string {
	unknown[fleet.InstanceState](k.facts, instanceOf(e.d.Target))
	e.dirty = true
	return "EC2 is asked about the host whose agent's hook is open"
}
