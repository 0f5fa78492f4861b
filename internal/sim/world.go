package sim

import (
	"github.com/ebbhq/ebb/internal/sim/appautoscaling"
	"github.com/ebbhq/ebb/internal/sim/autoscaling"
	"github.com/ebbhq/ebb/internal/sim/cloudwatch"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ec2"
	"github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/elb"
	"github.com/ebbhq/ebb/internal/sim/events"
	"github.com/ebbhq/ebb/internal/sim/imds"
	"github.com/ebbhq/ebb/internal/sim/lambda"
	"github.com/ebbhq/ebb/internal/sim/load"
	"github.com/ebbhq/ebb/internal/sim/secretsmanager"
	"github.com/ebbhq/ebb/internal/sim/servicediscovery"
	"github.com/ebbhq/ebb/internal/sim/sns"
	"github.com/ebbhq/ebb/internal/sim/sqs"
	"github.com/ebbhq/ebb/internal/sim/ssm"
	"github.com/ebbhq/ebb/internal/sim/sts"
	"github.com/ebbhq/ebb/internal/sim/traffic"
	"github.com/ebbhq/ebb/internal/sim/vpclattice"
)

// World is a simulated cloud: its services over one core, whose methods are the world's own. It is not safe for concurrent use. Lists are
// answered whole, in a fixed order, and as copies; pages are cut for calls only.
type World struct {
	*core.Core
	*appautoscaling.AppAutoScaling
	*autoscaling.AutoScaling
	*cloudwatch.CloudWatch
	*ec2.EC2
	*ecs.ECS
	*elb.ELB
	*events.Events
	*imds.IMDS
	*lambda.Lambda
	*load.Load
	*secretsmanager.SecretsManager
	*servicediscovery.ServiceDiscovery
	*sns.SNS
	*sqs.SQS
	*ssm.SSM
	*sts.STS
	*traffic.Traffic
	*vpclattice.Lattice

	publisher *publisher
}

// New makes an empty world at its start time.
func New(cfg core.Config) *World {
	c := core.New(cfg)
	w := &World{Core: c}
	w.Load = load.New(c, workers{w})
	w.Events = events.New(c, post{w})
	w.EC2 = ec2.New(c, w.Events, observer{w})
	w.ELB = elb.New(c, w.EC2)
	w.Lambda = lambda.New(c, queues{w})
	w.SQS = sqs.New(c, w.Lambda)
	w.SQS.Work = w.Load
	w.SNS = sns.New(c, w.SQS, w.Lambda)
	w.ServiceDiscovery = servicediscovery.New(c)
	w.Lattice = vpclattice.New(c)
	w.ECS = ecs.New(c, ecs.Others{Targets: w.ELB, Lattice: w.Lattice, Names: w.ServiceDiscovery, Bus: w.Events, Subnets: w.EC2, Work: w.Load})
	w.AutoScaling = autoscaling.New(c, autoscaling.Others{Instances: w.EC2, Clusters: w.ECS, Targets: w.ELB, Bus: w.Events, Post: post{w}})
	w.ECS.Groups = w.AutoScaling
	w.publisher = &publisher{w: w, before: map[string]load.Report{}, fine: map[string]load.Report{}, own: map[string]load.Report{}}
	w.AppAutoScaling = appautoscaling.New(c, appautoscaling.Others{Services: services{w}, Alarms: alarms{w}})
	w.CloudWatch = cloudwatch.New(c, cloudwatch.Others{Bus: w.Events, Actions: post{w}, Policies: w.AppAutoScaling, Sources: w.publisher})
	w.IMDS = imds.New(c, w.EC2, lifecycles{w})
	w.STS = sts.New(c)
	w.Traffic = traffic.New(c, w)
	w.SSM = ssm.New(c)
	w.SecretsManager = secretsmanager.New(c)
	return w
}

// Services are the services of the world, as the wire serves them.
func (w *World) Services() []core.Service {
	return []core.Service{
		w.AppAutoScaling.Service(), w.AutoScaling.Service(), w.CloudWatch.Service(), w.EC2.Service(), w.ECS.Service(), w.ELB.Service(),
		w.Events.Service(), w.Lambda.Service(), w.SNS.Service(), w.SQS.Service(), w.STS.Service(), w.SSM.Service(), w.SecretsManager.Service(),
		w.ServiceDiscovery.Service(), w.Lattice.Service(),
	}
}

// Settle places and starts everything at once and makes all targets healthy, without moving the time: the world as it has been
// for a while.
func (w *World) Settle() {
	w.ECS.Settle()
	w.ELB.Settle()
	w.Lattice.Settle()
	w.AutoScaling.Settle()
}
