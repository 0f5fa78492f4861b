// Package sqs is Amazon SQS in a simulated cloud: standard queues that hide what was received, deliver it again, and redrive it.
//
// It never delivers to anybody by itself: receivers ask, and Lambda is told when there is something to look for.
package sqs

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// maxInvisible is the longest that one receive can hide a message, counted from the receive.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
const maxInvisible = 12 * time.Hour

// SQS are the queues of a world.
type SQS struct {
	*core.Core
	Work     Work
	pollers  Pollers
	queues   []*Queue
	queue    map[string]*Queue // by name
	receipts map[string]receipt
}

// Pollers look into queues when there is something in them: the event source mappings of Lambda.
type Pollers interface {
	Polls(queueARN string) bool // whether somebody looks into the queue
	Poll(queueARN string)
}

// Work is messages that are counted only: they arrive and are worked off without anybody else seeing them.
type Work interface {
	QueueCounts(queue string) (visible, hidden int)
}

// New makes SQS without queues.
func New(c *core.Core, pollers Pollers) *SQS {
	return &SQS{Core: c, pollers: pollers, queue: map[string]*Queue{}, receipts: map[string]receipt{}}
}

// receipt is what a receipt handle stands for: a message and which of its receives.
type receipt struct {
	queue   *Queue
	message *Message
}

// CreateQueue makes a queue and returns the live one, whose attributes may be changed. The same name again returns the queue
// that is there.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
func (w *SQS) CreateQueue(spec Queue) (*Queue, error) {
	if spec.Name == "" || len(spec.Name) > 80 {
		return nil, core.Refuse("InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	if q := w.queue[spec.Name]; q != nil {
		return q, nil
	}
	q := &spec
	q.Messages = nil
	q.ARN = w.ARN("sqs", q.Name)
	q.URL = "https://sqs." + w.Region + ".amazonaws.com/" + w.Account + "/" + q.Name
	q.CreatedAt = w.Now()
	if q.Visibility == 0 {
		q.Visibility = 30 * time.Second
	}
	if q.Retention == 0 {
		q.Retention = 4 * 24 * time.Hour
	}
	w.queues = append(w.queues, q)
	w.queue[q.Name] = q
	return q, nil
}

// Queue returns the live queue of a name, URL or ARN, whose attributes may be changed.
func (w *SQS) Queue(id string) (*Queue, error) {
	if q := w.queue[core.LastPart(id)]; q != nil {
		return q, nil
	}
	return nil, core.Refuse("QueueDoesNotExist", "The specified queue does not exist.")
}

// Count counts the messages of a queue: those that can be seen, those in flight and those that are delayed.
func (w *SQS) Count(q *Queue) (visible, hidden, delayed int) {
	visible, hidden, delayed = tell(q, w.Now(), w.QueueLate)
	moreVisible, moreHidden := w.Work.QueueCounts(q.Name)
	return visible + moreVisible, hidden + moreHidden, delayed
}

// Queues returns the live queues, in the order in which they were made.
func (w *SQS) Queues() []*Queue { return slices.Clone(w.queues) }

// DeleteQueue removes a queue and its messages.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html
func (w *SQS) DeleteQueue(id string) error {
	if err := w.PurgeQueue(id); err != nil {
		return err
	}
	q, _ := w.Queue(id)
	delete(w.queue, q.Name)
	w.queues = slices.DeleteFunc(w.queues, func(x *Queue) bool { return x == q })
	return nil
}

// PurgeQueue removes all messages of a queue.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html
func (w *SQS) PurgeQueue(id string) error {
	q, err := w.Queue(id)
	if err != nil {
		return err
	}
	for _, m := range q.Messages {
		w.logMessage(q, m, "deleted")
	}
	q.Messages = nil
	return nil
}

func (w *SQS) logMessage(q *Queue, m *Message, to string) {
	e := m.about
	e.Kind, e.Queue, e.Message, e.To = core.EntryMessage, q.Name, m.ID, to
	w.Log(e)
}

// SendMessage puts a message into a queue; a delay below zero is the queue's own.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
func (w *SQS) SendMessage(queue, body string, attrs map[string]MessageAttribute, delay time.Duration) (Message, error) {
	q, err := w.Queue(queue)
	if err != nil {
		return Message{}, err
	}
	if body == "" {
		return Message{}, core.Refuse("MissingParameter", "The request must contain the parameter MessageBody.")
	}
	if len(body) > 1<<20 {
		return Message{}, core.Refuse("InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.")
	}
	if delay > 900*time.Second {
		return Message{}, core.Refuse("InvalidParameterValue",
			"Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", int(delay.Seconds()))
	}
	if delay < 0 {
		delay = q.Delay
	}
	return *w.send(q, body, attrs, delay, core.Entry{}), nil
}

// Deliver puts a message of another service of AWS into the queue of an ARN; false if there is none.
func (w *SQS) Deliver(arn, body string, about core.Entry) bool {
	q := w.queue[core.LastPart(arn)]
	if q == nil || q.ARN != arn {
		return false
	}
	w.send(q, body, nil, q.Delay, about)
	return true
}

func (w *SQS) send(q *Queue, body string, attrs map[string]MessageAttribute, delay time.Duration, about core.Entry) *Message {
	q.Touched = w.Now()
	m := &Message{ID: w.UUID(), Body: body, Sent: w.Now(), VisibleAt: w.Now().Add(delay), Attributes: attrs, about: about}
	q.Messages = append(q.Messages, m)
	w.logMessage(q, m, "sent")
	w.wakeAt(q, m.VisibleAt)
	return m
}

// wakeAt lets the event source mappings of a queue look at it then. Where there are none it schedules nothing, so that a driver that
// waits for the next change looks into the queue then.
func (w *SQS) wakeAt(q *Queue, t time.Time) {
	if t.After(w.Now()) || w.pollers.Polls(q.ARN) {
		w.At(t, func() { w.pollers.Poll(q.ARN) })
	}
}

// ReceiveMessage hides up to max visible messages and returns them; no visibility is the queue's own. It is a short poll. A
// message that was received more often than the redrive policy allows goes to the dead-letter queue instead.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
func (w *SQS) ReceiveMessage(queue string, maxMessages int, visibility *time.Duration) ([]Message, error) {
	q, err := w.Queue(queue)
	if err != nil {
		return nil, err
	}
	if maxMessages == 0 {
		maxMessages = 1
	}
	if maxMessages < 1 || maxMessages > 10 {
		return nil, core.Refuse("InvalidParameterValue",
			"Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", maxMessages)
	}
	hide := q.Visibility
	if visibility != nil {
		hide = *visibility
	}
	if hide < 0 || hide > maxInvisible {
		return nil, refuseVisibility(hide)
	}
	w.sweep(q)
	var got []Message
	for _, m := range q.Messages {
		if len(got) == maxMessages {
			break
		}
		if !m.VisibleAt.After(w.Now()) {
			got = append(got, w.receive(q, m, hide))
		}
	}
	return got, nil
}

// Waiting counts the messages of a queue that a receive would find now, and since when the first of them has been there.
func (w *SQS) Waiting(name string) (visible int, first time.Time) {
	q := w.queue[name]
	if q == nil {
		return 0, w.Now()
	}
	w.sweep(q)
	first = w.Now()
	for _, m := range q.Messages {
		if !m.VisibleAt.After(w.Now()) {
			visible++
			if m.VisibleAt.Before(first) {
				first = m.VisibleAt
			}
		}
	}
	return visible, first
}

// sweep moves or drops what a receive no longer finds: messages past their retention, and those received too often.
func (w *SQS) sweep(q *Queue) {
	dead := w.queue[core.LastPart(q.RedriveARN)]
	q.Messages = slices.DeleteFunc(q.Messages, func(m *Message) bool {
		switch {
		case w.Now().Sub(m.Sent) >= q.Retention:
			w.logMessage(q, m, "expired")
			return true
		case dead != nil && q.MaxReceives > 0 && m.Receives >= q.MaxReceives && !m.VisibleAt.After(w.Now()):
			moved := *m // the time it was sent stays
			moved.Receives, moved.Handle, moved.VisibleAt = 0, "", w.Now()
			moved.FirstReceived, moved.LastReceived = time.Time{}, time.Time{}
			dead.Messages = append(dead.Messages, &moved)
			w.wakeAt(dead, w.Now())
			w.logMessage(q, m, "redriven")
			return true
		}
		return false
	})
}

func (w *SQS) receive(q *Queue, m *Message, hide time.Duration) Message {
	m.Receives++
	m.LastReceived = w.Now()
	if m.FirstReceived.IsZero() {
		m.FirstReceived = w.Now()
	}
	m.Handle = "AQEB" + w.Hex(48)
	m.VisibleAt = w.Now().Add(hide)
	m.again = w.Chance(w.Switches.Duplicate) && !m.again
	if m.again {
		m.VisibleAt = w.Now() // delivered once more although it was hidden
	}
	w.receipts[m.Handle] = receipt{q, m}
	w.wakeAt(q, m.VisibleAt)
	w.logMessage(q, m, "received")
	return *m
}

// DeleteMessage deletes the message that a receipt handle stands for. With a handle of an earlier receive it succeeds and the
// message stays.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html
func (w *SQS) DeleteMessage(queue, handle string) error {
	q, r, err := w.findReceipt(queue, handle)
	if err != nil {
		return err
	}
	i := slices.Index(q.Messages, r.message)
	if i < 0 || r.message.Handle != handle {
		return nil
	}
	w.logMessage(q, r.message, "deleted")
	q.Messages = slices.Delete(q.Messages, i, i+1)
	return nil
}

func (w *SQS) findReceipt(queue, handle string) (*Queue, receipt, error) {
	q, err := w.Queue(queue)
	if err != nil {
		return nil, receipt{}, err
	}
	r, ok := w.receipts[handle]
	if !ok || r.queue != q {
		return nil, receipt{}, core.Refuse("ReceiptHandleIsInvalid", "The input receipt handle \"%s\" is not a valid receipt handle.", handle)
	}
	return q, r, nil
}

// ChangeMessageVisibility hides a received message for d from now, for this receive only, and at most 12 hours from the receive.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
func (w *SQS) ChangeMessageVisibility(queue, handle string, d time.Duration) error {
	q, r, err := w.findReceipt(queue, handle)
	if err != nil {
		return err
	}
	if d < 0 || d > maxInvisible {
		return refuseVisibility(d)
	}
	m := r.message
	if m.Handle != handle || !slices.Contains(q.Messages, m) {
		return core.Refuse("InvalidParameterValue",
			"Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout "+
				"change.", handle)
	}
	if !m.VisibleAt.After(w.Now()) {
		return core.Refuse("MessageNotInflight", "The message referred to is not in flight.")
	}
	if w.Now().Add(d).After(m.LastReceived.Add(maxInvisible)) {
		return core.Refuse("InvalidParameterValue",
			"Value %d for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 "+
				"seconds]", int(d.Seconds()))
	}
	m.VisibleAt = w.Now().Add(d)
	w.wakeAt(q, m.VisibleAt)
	return nil
}

func refuseVisibility(d time.Duration) error {
	return core.Refuse("InvalidParameterValue",
		"Value %d for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.", int(d.Seconds()))
}
