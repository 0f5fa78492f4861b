package advice

// Messaging makes the commands about queues, and about the rules of EventBridge.
type Messaging struct{ at At }

// Messaging makes commands about queues and rules.
func (at At) Messaging() Messaging { return Messaging{at} }

// Redrive is the value of a queue's attribute RedrivePolicy.
func Redrive(deadLetters string) string {
	return compact(map[string]string{"deadLetterTargetArn": deadLetters, "maxReceiveCount": "5"})
}

// SetQueue sets attributes of a queue.
func (m Messaging) SetQueue(url string, attributes map[string]string) Command {
	return m.at.aws("sqs set-queue-attributes", "--queue-url", url, "--attributes", compact(attributes))
}

// CreateQueue creates a queue.
func (m Messaging) CreateQueue(name string, attributes map[string]string) Command {
	if len(attributes) == 0 {
		return m.at.aws("sqs create-queue", "--queue-name", name)
	}
	return m.at.aws("sqs create-queue", "--queue-name", name, "--attributes", compact(attributes))
}

// DeleteQueue deletes a queue.
func (m Messaging) DeleteQueue(url string) Command {
	return m.at.aws("sqs delete-queue", "--queue-url", url).Costs(Destroys, "the messages in the queue", "nobody reads it any more")
}

// ReadQueue shows messages of a queue. Each is out of sight for half a minute.
func (m Messaging) ReadQueue(url string) Command {
	return m.at.aws("sqs receive-message", "--queue-url", url, "--max-number-of-messages", "10", "--visibility-timeout", "30").
		Costs(Interrupts, "other readers do not see these messages for 30 s, and each counts as received once more", "")
}

// SendBack sends the messages of a dead-letter queue back to where they came from.
func (m Messaging) SendBack(arn string) Command {
	return m.at.aws("sqs start-message-move-task", "--source-arn", arn).
		Costs(Interrupts, "its messages are delivered again, however old they are", "their reader is mended")
}

// Purge deletes every message of a queue.
func (m Messaging) Purge(url string) Command {
	return m.at.aws("sqs purge-queue", "--queue-url", url).Costs(Destroys, "every message in the queue", "nobody needs them any more")
}

// EnableRule enables a rule of EventBridge.
func (m Messaging) EnableRule(name string) Command {
	return m.at.aws("events enable-rule", "--name", name).Undone(m.at.aws("events disable-rule", "--name", name))
}

// PutRule makes a rule of EventBridge, or gives it another pattern.
func (m Messaging) PutRule(name, pattern string) Command {
	return m.at.aws("events put-rule", "--name", name, "--event-pattern", pattern)
}

// PutTarget lets a rule send to a queue.
func (m Messaging) PutTarget(rule, arn string) Command {
	return m.at.aws("events put-targets", "--rule", rule, "--targets", compact([]any{map[string]string{"Id": "ebb", "Arn": arn}})).
		Undone(m.RemoveTarget(rule))
}

// RemoveTarget takes Ebb's queue away from a rule.
func (m Messaging) RemoveTarget(rule string) Command {
	return m.at.aws("events remove-targets", "--rule", rule, "--ids", "ebb")
}

// DeleteRule deletes a rule.
func (m Messaging) DeleteRule(name string) Command {
	return m.at.aws("events delete-rule", "--name", name)
}
