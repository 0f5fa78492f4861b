package sqs

import (
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// Queue is a standard SQS queue.
type Queue struct {
	Name, ARN, URL   string
	Visibility       time.Duration
	Retention        time.Duration
	Delay            time.Duration
	WaitTime         time.Duration
	RedriveARN       string // of the dead-letter queue; empty: none
	MaxReceives      int
	Messages         []*Message
	CreatedAt        time.Time
	Touched          time.Time // when somebody last used it
	Policy, KMSKeyID string
}

// Message is a message in a queue.
type Message struct {
	ID, Body      string
	Sent          time.Time
	VisibleAt     time.Time
	FirstReceived time.Time
	LastReceived  time.Time
	Receives      int
	Handle        string // of the latest receive; older handles are stale
	Attributes    map[string]MessageAttribute

	about core.Entry // what the message is about: group, hook, instance
	again bool       // the latest receive leaves it visible, as a queue that delivers more than once may
}

// About is what the message is about, for the record.
func (m *Message) About() core.Entry { return m.about }

// MessageAttribute is a user attribute of a message.
type MessageAttribute struct {
	Type, Value string
	Binary      []byte
}
