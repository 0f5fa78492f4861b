package events

// Rule is an EventBridge rule on the default bus.
type Rule struct {
	Name, ARN, Pattern, State, Description string
	Schedule                               string // rate(1 minute); empty: none
	ManagedBy                              string // the AWS service that made it; empty: the user
	Targets                                []RuleTarget
}

// RuleTarget is where a rule sends its events: a queue, a topic or a function.
type RuleTarget struct {
	ID, ARN, Input, InputPath string
}
