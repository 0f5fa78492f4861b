package story

import "github.com/ebbhq/ebb/internal/sim/core"

// Shrink returns the smallest part of a failing scenario that still breaks the same invariant: without the steps, faults, services,
// tasks and switches that are not needed, and with fewer hosts. A scenario that does not fail comes back as it is.
func Shrink(s Scenario) Scenario {
	target, ok := broken(s)
	if !ok {
		return s
	}
	for again := true; again; {
		again = false
		for _, smaller := range []func(*Scenario, int) bool{
			dropStep, dropFault, dropService, dropTasks, dropRule, dropGroup, fewerHosts, fewerTasks, plain,
		} {
			for i := 0; ; i++ {
				c := clone(s)
				if !smaller(&c, i) {
					break
				}
				if inv, bad := broken(c); bad && inv == target {
					s, again = c, true
					i--
				}
			}
		}
	}
	return s
}

// broken runs a scenario and says which invariant is the first that does not hold.
func broken(s Scenario) (invariant int, bad bool) {
	res, err := Run(s)
	if err != nil || len(res.Violations) == 0 {
		return 0, false
	}
	return res.Violations[0].Invariant, true
}

func clone(s Scenario) Scenario {
	c, err := Parse(Format(s))
	must(err) // Format writes what Parse reads
	return c
}

func cut[T any](list *[]T, i int) bool {
	if i >= len(*list) {
		return false
	}
	*list = append((*list)[:i:i], (*list)[i+1:]...)
	return true
}

func dropStep(s *Scenario, i int) bool    { return cut(&s.At, i) }
func dropFault(s *Scenario, i int) bool   { return cut(&s.Faults, i) }
func dropService(s *Scenario, i int) bool { return cut(&s.World.Services, i) }
func dropTasks(s *Scenario, i int) bool   { return cut(&s.World.Tasks, i) }
func dropRule(s *Scenario, i int) bool    { return cut(&s.World.Rules, i) }
func dropGroup(s *Scenario, i int) bool   { return len(s.World.Groups) > 1 && cut(&s.World.Groups, i) }

// fewerHosts halves a group, then takes single hosts from its end.
func fewerHosts(s *Scenario, i int) bool {
	n := len(s.World.Groups)
	if i >= 2*n {
		return false
	}
	g := &s.World.Groups[i%n]
	if i < n && g.Desired > 3 {
		g.Desired /= 2
		return true
	}
	if g.Desired > 1 {
		g.Desired--
		return true
	}
	return i+1 < 2*n && fewerHosts(s, i+1)
}

func fewerTasks(s *Scenario, i int) bool {
	for ; i < len(s.World.Services); i++ {
		if sv := &s.World.Services[i]; sv.Desired > 1 {
			sv.Desired /= 2
			return true
		}
	}
	return false
}

// plain sets the switches to their documented values, all at once.
func plain(s *Scenario, i int) bool {
	if i > 0 || s.World.Switches == (core.Switches{}) {
		return false
	}
	s.World.Switches = core.Switches{}
	return true
}
