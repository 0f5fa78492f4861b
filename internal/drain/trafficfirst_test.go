package drain

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// crowded is a scene with what is known of a target group, of a service of Cloud Map, and of connections.
type crowded struct {
	*scene
	all   fleet.Fact[[]fleet.Health]
	ttl   fleet.Fact[fleet.Delay]
	count fleet.Fact[int]
}

func (s crowded) Fact(of plan.Subject) any {
	switch of.Kind {
	case plan.GroupHealth:
		return &s.all
	case plan.TTLs:
		return &s.ttl
	case plan.Connections:
		return &s.count
	case plan.Names:
		return &fleet.Fact[fleet.Health]{Is: fleet.Absent, At: s.now}
	}
	return s.scene.Fact(of)
}

// before is a host that is not DRAINING yet, with a task whose traffic leaves first. Its target group has four healthy targets, of which three must be.
func before() crowded {
	s := emptyHost()
	s.d.DrainingSince = time.Time{}
	s.o.Container.Value.Status = fleet.Active
	s.o.Running = []time.Time{s.now}
	s.service("web", false, "healthy")
	s.task("web", "web", "RUNNING", "RUNNING").At = s.now
	s.delay = fleet.Fact[fleet.Delay]{Is: fleet.Seen, At: s.now, Value: fleet.Delay{Delay: 20 * time.Second, LeastHealthy: 3}}
	s.p.TrafficFirst = []TrafficFirst{{Cluster: "prod", Service: "web", Wait: time.Minute}}
	s.d.EarlyFrom = s.now
	all := []fleet.Health{{Target: fleet.TargetID{ID: string(host), Port: 32768}, State: "healthy"}}
	for _, id := range []string{"i-1", "i-2", "i-3"} {
		all = append(all, fleet.Health{Target: fleet.TargetID{ID: id, Port: 1}, State: "healthy"})
	}
	return crowded{scene: s, all: fleet.Fact[[]fleet.Health]{Is: fleet.Seen, At: s.now, Value: all}}
}

// out is the same with its target out for so long, and seen just now.
func out(since time.Duration) crowded {
	s := before()
	target := fleet.TargetID{ID: string(host), Port: 32768}
	s.health[target] = fleet.Fact[fleet.Health]{Is: fleet.Seen, At: s.now, Value: fleet.Health{State: "draining"}}
	s.d.Taken = []Taken{{group, target.ID, target.Port}}
	s.d.EarlyOut = s.now.Add(-since)
	return s
}

func TestTrafficFirst(t *testing.T) {
	cloudMap := func(s crowded) {
		v := s.services["web"]
		v.Value.Registries = []fleet.ARN{"arn:aws:servicediscovery:eu-west-1:111122223333:service/srv-1"}
		s.services["web"] = v
	}
	for name, x := range map[string]struct {
		in   crowded
		make func(*crowded)
		do   string // the kinds of action
		says string // what it waits for
	}{
		"there is room":         {before(), func(*crowded) {}, "deregister", "for target"},
		"another has taken one": {before(), func(s *crowded) { s.taken = []Taken{{group, "i-1", 1}} }, "", "for room in target group web"},
		"at whatever port":      {before(), func(s *crowded) { s.taken = []Taken{{group, "i-1", 0}} }, "", "2 would be healthy, and 3 must be"},
		"one of them is sick":   {before(), func(s *crowded) { s.all.Value[1].State = "unhealthy" }, "", "for room"},
		"its own is sick": {before(), func(s *crowded) { s.all.Value[0].State, s.all.Value[1].State = "unhealthy", "unhealthy" },
			"deregister", "for target"},
		"by percentage": {before(), func(s *crowded) { s.delay.Value.LeastHealthy, s.delay.Value.LeastPercent = 1, 100 },
			"deregister", "for target"},
		"of a percentage too few": {before(), func(s *crowded) { s.all.Value[1].State, s.delay.Value = "unhealthy", fleet.Delay{LeastPercent: 70} },
			"", "70% of 3 must be"},
		"the group was not seen":  {before(), func(s *crowded) { s.all = fleet.Fact[[]fleet.Health]{} }, "", "to see how many targets"},
		"that was long ago":       {before(), func(s *crowded) { s.all.At = s.now.Add(-time.Minute) }, "", "to see how many targets"},
		"what must be is unknown": {before(), func(s *crowded) { s.delay.Is = fleet.Unknown }, "", "to see how many targets"},
		"tasks are not listed":    {before(), func(s *crowded) { s.o.Running = nil }, "", "to list the tasks"},
		"only observed":           {before(), func(s *crowded) { s.p.Observe = true }, "", "for somebody else"},
		"no rule for the cluster": {before(), func(s *crowded) { s.p.TrafficFirst[0].Cluster = "other" }, "set-draining", "for ECS"},
		"ECS does not reach it":   {before(), func(s *crowded) { s.o.Container.Value.Connected = false }, "set-draining", "for ECS"},
		"it has just left":        {out(59 * time.Second), func(*crowded) {}, "", "until 09:01:01 UTC"},
		"the wait is over":        {out(time.Minute), func(*crowded) {}, "set-draining", "for ECS"},
		"by another clock":        {out(time.Minute), func(s *crowded) { s.p.Skew = 30 * time.Second }, "", "until 09:01:30 UTC"},
		"the TTL is not": {out(time.Minute), func(s *crowded) { s.ttl = ttlOf(s.now, time.Minute); cloudMap(*s) },
			"", "until 09:01:05 UTC"},
		"the TTL is over": {out(65 * time.Second), func(s *crowded) { s.ttl = ttlOf(s.now, time.Minute); cloudMap(*s) },
			"set-draining", "for ECS"},
		"the TTL is not known":     {out(time.Hour), func(s *crowded) { cloudMap(*s) }, "", "to learn where"},
		"connections are unknown":  {out(time.Minute), func(s *crowded) { s.p.TrafficFirst[0].Quiet = "u" }, "", "to learn how many connections"},
		"the count is an old one":  {out(time.Minute), counted(0, -2*time.Minute, 0), "", "to learn how many connections"},
		"connections are left":     {out(time.Minute), counted(7, 0, time.Minute), "", "for 7 connections"},
		"none is left since now":   {out(time.Minute), counted(0, 0, 0), "", "to see no connection"},
		"none is left for a while": {out(time.Minute), counted(0, 0, 20*time.Second), "set-draining", "for ECS"},
	} {
		s := x.in
		x.make(&s)
		dec := Decide(s.d, s, s.p, s.now)
		var did []string
		for _, a := range dec.Do {
			if a.Kind != plan.Beat {
				did = append(did, a.Kind.String())
			}
		}
		if got := strings.Join(did, " "); got != x.do || !strings.Contains(dec.Waiting, x.says) {
			t.Errorf("%s: it does %q and waits %s; want %q, %s", name, got, dec.Waiting, x.do, x.says)
		}
		if slices.Contains(did, "deregister") && len(dec.Drain.Taken) == 0 {
			t.Errorf("%s: what it takes out it does not remember", name)
		}
	}
}

func ttlOf(at time.Time, d time.Duration) fleet.Fact[fleet.Delay] {
	return fleet.Fact[fleet.Delay]{Is: fleet.Seen, At: at, Value: fleet.Delay{Delay: d}}
}

// counted is so many connections, seen some time from now, and none for as long as that.
func counted(n int, at, none time.Duration) func(*crowded) {
	return func(s *crowded) {
		s.p.TrafficFirst[0].Quiet = "http://{id}/"
		s.count = fleet.Fact[int]{Is: fleet.Seen, At: s.now.Add(at), Value: n}
		if none > 0 {
			s.d.QuietSince = s.now.Add(-none)
		}
	}
}
