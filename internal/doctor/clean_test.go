package doctor

import (
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

var now = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

const (
	queueURL = "https://sqs.eu-west-1.amazonaws.com/111122223333/ebb"
	queueARN = "arn:aws:sqs:eu-west-1:111122223333:ebb"
	webTG    = fleet.ARN("arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web-tg/0123456789abcdef")
)

// clean is an account in which Ebb drains one group of three hosts, with a service behind a load balancer and a daemon. Nothing is
// wrong with it.
func clean() *Input {
	s := &inventory.Inventory{
		At: now, Account: "111122223333", Region: "eu-west-1",
		Clusters: []*inventory.Cluster{{
			Name: "prod", ARN: "arn:aws:ecs:eu-west-1:111122223333:cluster/prod",
			Services: []*inventory.Service{
				{
					Service: fleet.Service{
						Name: "web", Cluster: "prod", Desired: 2, Running: 2, MinPercent: 100, MaxPercent: 200,
						LoadBalancers: []fleet.LoadBalancer{{TargetGroup: webTG, Container: "web", ContainerPort: 8080}},
					},
					Status: "ACTIVE", LaunchType: "EC2", Controller: "ECS", TaskDefinition: "web:1",
				},
				{Service: fleet.Service{Name: "agent", Cluster: "prod", Daemon: true, Desired: 3, Running: 3, MaxPercent: 100}, Status: "ACTIVE",
					LaunchType: "EC2", Controller: "ECS", TaskDefinition: "agent:1"},
			},
			TaskDefinitions: []*inventory.TaskDefinition{
				{Name: "web:1", Network: "bridge", Containers: []inventory.Container{{Name: "web"}}},
				{Name: "agent:1", Network: "host", Containers: []inventory.Container{{Name: "agent"}}},
			},
		}},
		Groups: []*inventory.Group{{
			Group: fleet.Group{Name: "web-asg", ARN: "arn:aws:autoscaling:eu-west-1:111122223333:autoScalingGroup:0:autoScalingGroupName/web-asg",
				Max: 6, Desired: 3},
			Hooks: []fleet.Hook{{
				Name: "ebb-drain", Group: "web-asg", Transition: fleet.TerminatingTransit, Heartbeat: 15 * time.Minute, Global: 25 * time.Hour,
				DefaultResult: "CONTINUE", Target: queueARN,
			}},
		}},
		TargetGroups: []*inventory.TargetGroup{{ARN: webTG, Name: "web-tg", Type: "instance", Protocol: "HTTP", Delay: 30 * time.Second, DelayKnown: true}},
		Queues: []inventory.Queue{
			{URL: queueURL, ARN: queueARN, Visibility: time.Minute, Retention: 96 * time.Hour, Redrive: queueARN + "-dlq", MaxReceives: 5},
			{URL: queueURL + "-dlq", ARN: queueARN + "-dlq", Visibility: time.Minute, Retention: 336 * time.Hour},
		},
	}
	c, g := s.Clusters[0], s.Groups[0]
	for i, id := range []fleet.InstanceID{"i-0a", "i-0b", "i-0c"} {
		arn := fleet.ARN("arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/" + string(id))
		c.Hosts = append(c.Hosts, &inventory.Host{
			ContainerInstance: fleet.ContainerInstance{ARN: arn, Cluster: "prod", Instance: id, Status: fleet.Active, Connected: true},
			RegisteredAt:      now.Add(-time.Hour),
		})
		g.Instances = append(g.Instances, fleet.GroupInstance{ID: id, Group: "web-asg", State: fleet.InService, Healthy: true})
		s.Instances = append(s.Instances, &inventory.Instance{ID: id, State: fleet.StateRunning, Launched: now.Add(-time.Hour)})
		addTask(c, arn, "agent:1", "service:agent")
		if i < 2 {
			addTask(c, arn, "web:1", "service:web")
		}
	}
	return &Input{
		Inventory: s, Everything: true, Now: now,
		Ebb: &Settings{Hook: "ebb-drain", Queue: queueURL, Groups: []Managed{{Match: "web-*", Cluster: "prod", Deadline: 30 * time.Minute}}},
	}
}

func addTask(c *inventory.Cluster, host fleet.ARN, family, group string) {
	c.Tasks = append(c.Tasks, &inventory.Task{
		Task: fleet.Task{
			ARN: host + "-" + fleet.ARN(family), Cluster: "prod", ContainerInstance: host, Family: family, Group: group, LastStatus: "RUNNING", DesiredStatus: "RUNNING",
		},
		LaunchType: "EC2", StartedAt: now.Add(-time.Hour),
	})
}

// managed is the clean account with managed draining in the place of Ebb.
func managed() *Input {
	in := clean()
	in.Ebb = nil
	s := in.Inventory
	s.Queues = nil
	s.Clusters[0].CapacityProviders = []inventory.CapacityProvider{{
		Name: "web-cp", Group: "web-asg", ManagedScaling: true, TerminationProtection: true, ManagedDraining: true, Status: "ACTIVE",
	}}
	s.Groups[0].ProtectsNew = true
	s.Groups[0].Hooks = []fleet.Hook{{
		Name: fleet.ManagedDrainingHook, Group: "web-asg", Transition: fleet.TerminatingTransit, Heartbeat: time.Hour, Global: 48 * time.Hour,
		DefaultResult: "CONTINUE",
	}}
	for i := range 2 { // those with tasks of the service
		s.Groups[0].Instances[i].Protected = true
	}
	s.Rules = []inventory.Rule{{
		Name: "AutoScalingManagedRule", Enabled: true, ManagedBy: "ecs.amazonaws.com", Targets: []string{"arn:aws:ecs:eu-west-1:111122223333:managed"},
		Pattern: `{"source":["aws.autoscaling"],"detail-type":["EC2 Instance-terminate Lifecycle Action"]}`,
	}}
	return in
}
