package sim

import "slices"

// place chooses where a task starts: among the active, connected instances that it fits on, the zone with the fewest tasks of the
// service, then the instance with the fewest, then with the fewest tasks at all, then the oldest. Without a place it says why.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement.html
func (w *World) place(c *cluster, def *TaskDefinition, s *service) (*containerInstance, string) {
	inZone := map[string]int{}
	onMachine := map[*containerInstance]int{}
	if s != nil {
		for _, t := range s.tasks {
			if t.live() && t.ci.Status == "ACTIVE" {
				inZone[t.ci.Zone]++
			}
			onMachine[t.ci]++
		}
	}
	var best *containerInstance
	why := "No Container Instances were found in your cluster"
	for _, ci := range c.machines {
		if ci.Status != "ACTIVE" {
			continue
		}
		if !ci.Connected {
			why = "AGENT"
			continue
		}
		if misfit := misfit(ci, def); misfit != "" {
			why = misfit
			continue
		}
		if s != nil && s.DistinctInstance && onMachine[ci] > 0 {
			why = "distinctInstance placement constraint unsatisfied"
			continue
		}
		if best == nil || less([3]int{inZone[ci.Zone], onMachine[ci], len(ci.tasks)}, [3]int{inZone[best.Zone], onMachine[best], len(best.tasks)}) {
			best = ci
		}
	}
	return best, why
}

func less(a, b [3]int) bool { return slices.Compare(a[:], b[:]) < 0 }

// misfit says which resource of an instance a task lacks, in AWS's words, or nothing.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
func misfit(ci *containerInstance, def *TaskDefinition) string {
	port := def.HostPort
	if port == 0 && def.Network == "host" {
		port = def.Port
	}
	switch {
	case def.CPU > ci.FreeCPU:
		return "RESOURCE:CPU"
	case def.Memory > ci.FreeMemory:
		return "RESOURCE:MEMORY"
	case port != 0 && def.Network != "awsvpc" && slices.Contains(ci.Ports, port):
		return "RESOURCE:PORTS"
	}
	return ""
}
