// Package cloudwatch is Amazon CloudWatch in a simulated cloud: metrics, and alarms that watch them and act when their state changes.
//
// It never knows what its metrics mean: whoever has something to measure puts the data, and whoever is to act is one of Others.
package cloudwatch

import (
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// CloudWatch is the metrics and alarms of a world.
type CloudWatch struct {
	*core.Core
	others Others
	series map[string]*series // by the key of its metric
	alarms []*Alarm           // in the order of their names
	mutes  []*Mute            // in the order of their names
}

// Others are whom alarms tell.
type Others struct {
	Bus      Bus
	Actions  Actions
	Policies Policies
	Sources  Sources
}

// Sources are the services that publish metrics.
type Sources interface {
	Begin() // somebody watches from now on
}

// Bus is EventBridge.
type Bus interface {
	Wants(source, detailType string) bool
	Emit(about core.Entry, source, detailType string, resources []string, detail any)
}

// Actions are topics and functions.
type Actions interface {
	// Send sends to a topic, or to a function, by its ARN; a function has no subject.
	Send(arn, subject, body string, about core.Entry)
}

// Policies are the scaling policies of Application Auto Scaling.
type Policies interface {
	// Breached says that the alarm of a policy is in the state that the policy is an action of, and the value that brought it there.
	Breached(policyARN string, threshold, value float64)
}

// New makes CloudWatch without metrics and alarms.
func New(c *core.Core, others Others) *CloudWatch {
	return &CloudWatch{Core: c, others: others, series: map[string]*series{}}
}

// The longest that data may be behind or before the time of the world.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
const (
	tooOld = 14 * 24 * time.Hour
	tooNew = 2 * time.Hour
)
