package fleet

import "time"

// Alarm is a CloudWatch alarm of any kind, as DescribeAlarms shows it.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html
type Alarm struct {
	Name    string
	State   string    // OK, ALARM or INSUFFICIENT_DATA
	Since   time.Time // when the state last changed to another one
	Trouble string    // why the state may be wrong: PARTIAL_DATA, EVALUATION_ERROR, EVALUATION_FAILURE; empty: it is right
	Muted   bool      // its actions are disabled, or muted now
	Breach  *float64  // how far the newest datapoint is beyond the threshold, in units of the metric; nil: AWS does not say
}

// Alarming is the state of an alarm whose condition holds.
const Alarming = "ALARM"

// Scaler is what Application Auto Scaling may do with the desired count of a service.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_ScalableTarget.html
type Scaler struct {
	Service   string
	Suspended bool // neither load nor schedule changes the count
}

// Backlog is what is in an SQS queue, by its own counters, which are approximate and may lag by a minute.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
type Backlog struct {
	Queue    string // URL
	Visible  int
	InFlight int // received, and neither deleted nor visible again
	Delayed  int // to become visible by themselves
}

// Metric names a metric of CloudWatch, and how its datapoints are made.
type Metric struct {
	Namespace  string            `json:"namespace" yaml:"namespace"`
	Name       string            `json:"name" yaml:"name"`
	Dimensions map[string]string `json:"dimensions,omitempty" yaml:"dimensions,omitempty"`
	Stat       string            `json:"stat" yaml:"stat"`     // Sum, Average, Maximum, p99, ...
	Period     time.Duration     `json:"period" yaml:"period"` // 10 s, 20 s, 30 s, or minutes
}

// Datapoint is the newest complete one of a metric.
type Datapoint struct {
	Metric string // the subject of the look
	From   time.Time
	Value  float64
}
