package placement_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
)

// large is a cluster of 200 hosts and 150 services, filled to about four fifths.
func large(r *rand.Rand) *inventory.Inventory {
	c := &inventory.Cluster{Name: "prod"}
	for i := range 200 {
		c.Hosts = append(c.Hosts, &inventory.Host{
			ContainerInstance: fleet.ContainerInstance{ARN: fleet.ARN(fmt.Sprintf("ci/%d", i)), Instance: fleet.InstanceID(fmt.Sprintf("i-%d", i)),
				Status: fleet.Active, Connected: true},
			CPU: 8192, Memory: 16000, Free: inventory.Resources{CPU: 8192, Memory: 16000}, Trunk: true,
		})
	}
	for i := range 150 {
		name, cpu, desired := fmt.Sprintf("s%d", i), 64+r.IntN(1500), 5+r.IntN(15)
		c.TaskDefinitions = append(c.TaskDefinitions, &inventory.TaskDefinition{Name: name + ":1", CPU: cpu, Memory: 256})
		c.Services = append(c.Services, &inventory.Service{
			Service: fleet.Service{Name: name, Desired: desired, MinPercent: 100, MaxPercent: 200}, LaunchType: "EC2", TaskDefinition: name + ":1",
		})
		for j := range desired {
			h := c.Hosts[r.IntN(len(c.Hosts))]
			for h.Free.CPU < cpu {
				h = c.Hosts[r.IntN(len(c.Hosts))]
			}
			h.Free.CPU -= cpu
			c.Tasks = append(c.Tasks, &inventory.Task{Task: fleet.Task{
				ARN: fleet.ARN(fmt.Sprintf("task/%d-%d", i, j)), ContainerInstance: h.ARN, Family: name + ":1", Group: "service:" + name,
				LastStatus: "RUNNING", DesiredStatus: "RUNNING",
			}})
		}
	}
	return &inventory.Inventory{Clusters: []*inventory.Cluster{c}}
}

func BenchmarkLeave(b *testing.B) {
	for _, n := range []int{1, 5, 20, 60} {
		b.Run(fmt.Sprintf("%d of 200 hosts", n), func(b *testing.B) {
			s := large(rand.New(rand.NewPCG(1, 1)))
			ids := make([]fleet.InstanceID, n)
			for i := range ids {
				ids[i] = s.Clusters[0].Hosts[i].Instance
			}
			verdict := placement.Moves
			for b.Loop() {
				verdict = placement.Leave(s, s.Clusters[0], ids).Verdict
			}
			b.ReportMetric(float64(verdict), "verdict")
		})
	}
}
