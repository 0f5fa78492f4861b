package placement_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
)

// parts are what the tests change in the cluster of pair.
type parts struct {
	s    *inventory.Inventory
	c    *inventory.Cluster
	web  *inventory.Service
	def  *inventory.TaskDefinition
	here *inventory.Task // on the host that leaves
	away *inventory.Task
	rest *inventory.Host // that stays
}

func partsOf(s *inventory.Inventory) parts {
	c := s.Clusters[0]
	return parts{s, c, c.Services[0], c.TaskDefinitions[0], c.Tasks[0], c.Tasks[1], c.Hosts[1]}
}

// runs adds a task that runs on a host.
func runs(s *inventory.Inventory, host *inventory.Host, group string) *inventory.Task {
	c := s.Clusters[0]
	c.Tasks = append(c.Tasks, &inventory.Task{Task: fleet.Task{ARN: fleet.ARN("task/" + group), ContainerInstance: host.ARN, Family: "web:1", Group: group,
		LastStatus: "RUNNING", DesiredStatus: "RUNNING"}})
	return c.Tasks[len(c.Tasks)-1]
}

// third adds a host like the one that stays, with nothing on it.
func (p parts) third() *inventory.Host {
	h := *p.rest
	n := len(p.c.Hosts)
	h.ARN, h.Instance, h.Attributes = fleet.ARN(fmt.Sprintf("ci/%d", n)), fleet.InstanceID(fmt.Sprintf("i-%d", n)), maps.Clone(h.Attributes)
	p.c.Hosts = append(p.c.Hosts, &h)
	return &h
}

// service adds a service like web that wants so many tasks and has none, and its task definition.
func (p parts) service(name string, desired int) (*inventory.Service, *inventory.TaskDefinition) {
	v, d := *p.web, *p.def
	v.Name, v.Desired, v.TaskDefinition, d.Name = name, desired, name+":1", name+":1"
	p.c.Services, p.c.TaskDefinitions = append(p.c.Services, &v), append(p.c.TaskDefinitions, &d)
	return &v, &d
}

// runs adds a task of a service that runs on a host.
func (p parts) runs(h *inventory.Host, service *inventory.Service) *inventory.Task {
	k := runs(p.s, h, "service:"+service.Name)
	k.ARN, k.Family = fleet.ARN(fmt.Sprintf("task/%d", len(p.c.Tasks)-1)), service.TaskDefinition
	return k
}

// whole is all that an answer says.
func whole(r placement.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.Verdict)
	for _, f := range r.Fates {
		fmt.Fprintf(&b, "%s %s %s: %s", f.Kind, f.Service, f.Tasks, f.Verdict)
		if f.Desired+f.Min+f.Max+f.Missing > 0 {
			fmt.Fprintf(&b, ", %d wanted, %d to %d, %d to start on %s", f.Desired, f.Min, f.Max, f.Missing, f.Places)
		}
		if f.StopsFirst {
			b.WriteString(", stops first")
		}
		b.WriteString("\n")
		for _, reason := range f.Reasons {
			fmt.Fprintf(&b, "%s: %s\n", reason.Code, reason.Message)
		}
	}
	return b.String()
}

// answer is a world and all that is said about the host i-0 of it. Where the lines end does not matter.
type answer struct {
	change func(p parts)
	want   string
}

func check(t *testing.T, answers map[string]answer) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		t.Run(name, func(t *testing.T) {
			s := pair()
			answers[name].change(partsOf(s))
			got := whole(leave(s))
			if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(answers[name].want), " ") {
				t.Errorf("got:\n%s\nwant:\n%s", got, answers[name].want)
			}
		})
	}
}
