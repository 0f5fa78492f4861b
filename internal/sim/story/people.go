package story

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/engine"
	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/kernel"
	"github.com/ebbhq/ebb/internal/notice"
)

// routes are the ways to people in a story whose Ebb tells them: one for everything, and one for what somebody should look at.
func (e Ebb) routes() []notice.Route {
	if !e.Notify {
		return nil
	}
	return []notice.Route{{Name: everything, Digest: "09:05"}, {Name: "alarm", Events: []notice.Event{notice.Stuck, notice.Forced}}}
}

const everything = "everything"

var errNotify = errors.New("injected: the receiver of notices failed")

// people receive what Ebb tells, and notice what it gets wrong.
type people struct {
	*run
	told    map[string]string // by route, drain and event: the key under which they were told
	removed map[string]bool   // by route and key: it was removed from the outbox after that
}

func (r *run) newPeople() *people {
	return &people{run: r, told: map[string]string{}, removed: map[string]bool{}}
}

// Tell is told by Ebb. A receiver may fail, also after it has taken the notice.
func (p *people) Tell(_ context.Context, route string, n notice.Notice, message string) (string, error) {
	how := p.faultOf("notify", 0).How
	if how == "error" {
		return "", errNotify
	}
	what := told(route, n)
	if p.removed[route+"|"+n.Key] {
		p.bad = append(p.bad, Violation{14, "people were told again, by " + what + ", under the same key"})
	}
	if was, again := p.told[what]; again && was != n.Key {
		p.bad = append(p.bad, Violation{14, fmt.Sprintf("people were told by %s under two keys, %s and %s", what, was, n.Key)})
	}
	p.told[what] = n.Key
	p.cover["told "+string(n.Event)]++
	host := ""
	if n.Drain != "" {
		host = p.hostOfKey(n.Drain)
	}
	p.tell("told", host, route+": "+n.Title)
	if how != "" {
		return "", errNotify
	}
	return cmp.Or(message, "message "+n.Key), nil
}

// told names what people are told by a route.
func told(route string, n notice.Notice) string {
	if n.Drain == "" { // a digest, or what AWS has scheduled
		return route + " of " + n.Key
	}
	what := route + " of " + n.Drain + " " + string(n.Event)
	if n.Blocker != "" {
		what += " by " + n.Blocker
	}
	return what
}

// why says what keeps a target: often nothing that people need to know.
func (r *run) why(_ context.Context, a kernel.Ask) (kernel.Answer, error) {
	if a.Service != "" {
		return whyNoPlace(r, a), nil
	}
	r.cover["asked why"]++
	if r.dice.percent(30) {
		return kernel.Answer{}, nil
	}
	code := []string{"sigterm", "replacement-health"}[r.dice.n(2)]
	return kernel.Answer{Blocker: notice.Blocker{Code: code, Text: "its tasks do not stop"}}, nil
}

// discarded notes what leaves the outbox. What nobody was told is lost.
func (p *people) discarded(messages []journal.Forwarded) {
	for _, m := range messages {
		if !notice.IsOutbox(m.Scope) {
			continue
		}
		route, n, err := notice.Read(m)
		must(err)
		what := told(route, n)
		if p.told[what] == "" {
			p.bad = append(p.bad, Violation{14, "the notice " + what + " left the outbox, and nobody was told"})
		}
		p.removed[route+"|"+n.Key] = true
	}
}

// waiting reports whether the outbox has something in it.
func (p *people) waiting() bool {
	var boxes []string
	for _, scope := range kernel.Scopes(p.kernelConfig().Groups, nil) {
		boxes = append(boxes, notice.Outbox(scope))
	}
	left, err := p.store.Forwarded(context.Background(), boxes)
	must(err)
	return len(left) > 0
}

// missed are drains of whose end nobody was told, although there was time. Of one that the journal never took nobody is.
func (p *people) missed(ended []drain.Drain) {
	for _, d := range ended {
		took := slices.ContainsFunc([]notice.Event{notice.Done, notice.Forced}, func(e notice.Event) bool {
			return p.told[everything+" of "+d.Key+" "+string(e)] != ""
		})
		if d.Agent || d.TaskARN() != "" && !d.Final.CutsOff() {
			continue // tasks on Fargate Spot come and go, and of an agent's hook nobody is told
		}
		soon := p.w.Now().Sub(latest(d.Ended, p.lastFault)) < 15*time.Minute && p.waiting()
		if !took && !soon && !d.Observed && d.Final.Outcome != drain.Unreadable && !p.refuses[d.Key] {
			p.bad = append(p.bad, Violation{14, fmt.Sprintf("nobody was told that the drain of %s ended (%s)", p.hostOfKey(d.Key), d.Final.Outcome)})
		}
	}
	r := p.s.Ebb.routes()[0]
	until, due := r.Due(p.w.Now().Add(-p.s.Ebb.Skew))
	ready := latest(latest(until, p.start.Add(p.s.Ebb.Late)), p.lastFault)
	if due && p.w.Now().Sub(ready) > 15*time.Minute && p.told[everything+" of "+r.Mark(until).ID] == "" {
		p.bad = append(p.bad, Violation{14, "nobody was told the digest until " + until.Format("15:04")})
	}
}

// teller are the people, if Ebb tells them anything.
func (r *run) teller() engine.Teller {
	if !r.s.Ebb.Notify {
		return nil
	}
	return r.people
}
