package sns

// Topic is an SNS topic.
type Topic struct {
	Name, ARN     string
	Subscriptions []*Subscription
}

// Subscription delivers a topic's messages to a queue or a function.
type Subscription struct {
	ARN, Protocol, Endpoint string // Protocol: sqs, lambda
	Raw                     bool
}
