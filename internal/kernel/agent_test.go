package kernel

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// followed is a kernel that follows the hook of the agent of the instance of termination(1), and its drain.
func followed(t *testing.T) (*Kernel, *entry) {
	k := hearing(t, Config{Groups: []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults(), Agent: true}}})
	target := fleet.HostTarget(termination(1).Event.Instance)
	put(k.facts, hooksOf("web"), fleet.Absent, t0, fleet.Hook{})
	k.toAdopt[target] = "web"
	k.Next(t0)
	if e := k.open[target]; e == nil || !e.d.Agent || e.d.Hook != drain.AgentHook {
		t.Fatalf("the drain is %+v", e)
	}
	return k, k.open[target]
}

// An older Ebb would drain such a host and answer the hook of its agent, so it must not read the record.
func TestTheRecordOfAnAgentsHookIsForANewerEbb(t *testing.T) {
	_, e := followed(t)
	var f form
	if err := json.Unmarshal(recordOf(e).Body, &f); err != nil || f.Version != agentRecord {
		t.Errorf("version %d: %v", f.Version, err)
	}
}

// A message says that Ebb's own hook holds the instance too: it is drained.
func TestAMessageAboutAnInstanceWhoseAgentIsFollowed(t *testing.T) {
	k, e := followed(t)
	k.Hear(termination(1), minute(1))
	if out := k.Next(minute(1)); e.d.Agent || e.d.Hook != "ebb-drain" || e.d.Token == "" || len(out.Settle) != 1 || !out.Settle[0].Delete {
		t.Errorf("drain %+v, verdicts %+v", e.d.Hold, out.Settle)
	}
	k, e = followed(t)
	e.d.Key = "kept"
	k.recent[e.d.Target] = &history{drains: []past{{key: "earlier", token: termination(1).Event.Token, ended: t0}}}
	k.Hear(termination(1), minute(1))
	if out := k.Next(minute(1)); !e.d.Agent || len(out.Settle) != 1 || !strings.Contains(out.Settle[0].Why, "earlier has ended") {
		t.Errorf("a late message: drain %+v, verdicts %+v", e.d.Hold, out.Settle)
	}
}

// An event of EC2 about the host makes Ebb ask EC2 at once, and says nothing by itself.
func TestAnEventAboutAHostWhoseAgentIsFollowed(t *testing.T) {
	k, e := followed(t)
	for _, r := range k.flying {
		k.Did(cloud{}.answer(r), t0)
	}
	settle(k, cloud{}, t0)
	h := noticeAbout(event.InstanceState, e.d.Instance(), t0)
	k.Hear(h, t0.Add(2*time.Second))
	asks := 0
	for _, r := range k.Next(t0.Add(2 * time.Second)).Do {
		if r.Look != nil && r.Look.Kind == plan.Instances {
			asks++
		}
	}
	if asks != 1 || e.d.Intent != nil || e.d.Noticed != "" || !e.d.Agent {
		t.Errorf("%d looks at EC2; drain %+v", asks, e.d)
	}
}
