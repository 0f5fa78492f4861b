package wire

import (
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// Limit is a token bucket in world time.
type Limit struct {
	Burst     float64
	PerSecond float64
}

// DefaultLimits are the buckets that AWS documents for ECS, and a guess for Auto Scaling, which publishes none.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/request-throttling.html
func DefaultLimits() map[string]Limit {
	return map[string]Limit{
		"autoscaling":                 {100, 10},
		"ecs.capacity-provider-read":  {50, 20},
		"ecs.cluster-read":            {50, 20},
		"ecs.cluster-resource-modify": {100, 40},
		"ecs.cluster-resource-read":   {100, 20},
		"ecs.service-modify":          {50, 5},
		"ecs.service-read":            {100, 20},
		"ecs.task-definition-read":    {50, 20},
		"ecs.task-protection":         {200, 80},
	}
}

// Limits are DefaultLimits with what a world's switches say otherwise.
func Limits(s core.Switches) map[string]Limit {
	limits := DefaultLimits()
	own := limits["autoscaling"]
	if s.AutoScalingBurst > 0 {
		own.Burst = float64(s.AutoScalingBurst)
	}
	if s.AutoScalingRate > 0 {
		own.PerSecond = s.AutoScalingRate
	}
	limits["autoscaling"] = own
	return limits
}

// Category is the bucket that an operation draws from.
func Category(service, operation string) string {
	if service != "ecs" {
		return service
	}
	switch operation {
	case "ListClusters", "DescribeClusters":
		return "ecs.cluster-read"
	case "DescribeCapacityProviders":
		return "ecs.capacity-provider-read"
	case "RunTask", "StopTask", "DeregisterContainerInstance", "UpdateContainerInstancesState", "PutAttributes", "DeleteAttributes":
		return "ecs.cluster-resource-modify"
	case "UpdateService":
		return "ecs.service-modify"
	case "ListServices", "DescribeServices":
		return "ecs.service-read"
	case "DescribeTaskDefinition":
		return "ecs.task-definition-read"
	case "GetTaskProtection", "UpdateTaskProtection":
		return "ecs.task-protection"
	}
	return "ecs.cluster-resource-read"
}

type bucket struct {
	tokens float64
	at     time.Time
}

// admit takes a token for a call, and reports whether there was one.
func (a *API) admit(req Request) bool {
	if len(a.Limits) == 0 {
		return true
	}
	category := Category(req.Service, req.Operation)
	limit, ok := a.Limits[category]
	if !ok {
		return true
	}
	b := a.buckets[category]
	if b == nil {
		b = &bucket{tokens: limit.Burst, at: req.At}
		a.buckets[category] = b
	}
	b.tokens = min(limit.Burst, b.tokens+req.At.Sub(b.at).Seconds()*limit.PerSecond)
	b.at = req.At
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
