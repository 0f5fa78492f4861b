package drain

import (
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// AgentHook is the terminating hook that ebb-agent on the host answers. Ebb answers it only for a host that does not run any more.
const AgentHook = "ebb-host"

// agentCourse follows the hook of a host's agent. The agent does the work and sends the heartbeats: nothing is drained here.
var agentCourse = course{
	rules: []func(*decider) bool{
		ended,     // the hook does not hold the instance any more
		watched,   // Ebb only watches, and would have answered
		excluded,  // an operator has excluded the group
		invalid,   // Auto Scaling takes no call about the hook
		agentGone, // EC2 says that the instance is not running, so its agent is not either
	},
	end: (*decider).answer,
}

// agentGone answers for the agent of a host that does not run. A look at EC2 that is not fresh says nothing: a stopped instance may have been
// started again.
func agentGone(c *decider) bool {
	d, i, m := c.d(), c.instance, c.ec2
	pace := c.p.LookSlow
	if d.Intent != nil || i.Is == fleet.Seen && !i.Value.Healthy {
		pace = c.p.Look
	}
	c.want(d.subject(plan.Instances, ""), m.Is, m.At, pace)
	c.lookAtGroup(c.p.LookSlow + c.p.Look) // a sweep mostly comes first
	c.out.Waiting = "for the agent of the host to answer hook " + d.Hook
	dead := m.Is == fleet.Absent || m.Is == fleet.Seen && m.Value.Gone()
	switch {
	case i.Is != fleet.Seen || !i.Value.State.Waiting():
		c.out.Waiting = "to look at the group"
	case !dead && m.Is == fleet.Seen:
		d.Intent = nil // it runs again
	case dead && c.now.Sub(m.At) <= agentFresh:
		c.answer(HostGone, "EC2 says that the instance is "+machineText(m)+": no agent on it can answer", nil)
	case dead:
		c.wantAt(d.subject(plan.Instances, ""), c.now)
	}
	return true
}

// agentFresh is how old a look at EC2 may be by which the hook of an agent is answered.
const agentFresh = 10 * time.Second

func machineText(m fleet.Fact[fleet.InstanceState]) string {
	if m.Is == fleet.Absent {
		return "gone"
	}
	return string(m.Value)
}
