package sqs

import (
	"crypto/md5" // SQS answers with it, and clients check it
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

func md5Of(body string) *string {
	sum := md5.Sum([]byte(body))
	return new(hex.EncodeToString(sum[:]))
}

// md5OfAttributes is the digest that clients check for message attributes; nil if there are none.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
func md5OfAttributes(attributes map[string]MessageAttribute) *string {
	if len(attributes) == 0 {
		return nil
	}
	var b []byte
	put := func(s string) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		put(name)
		put(a.Type)
		if strings.HasPrefix(a.Type, "Binary") {
			b = append(b, 2)
			put(string(a.Binary))
		} else {
			b = append(b, 1)
			put(a.Value)
		}
	}
	return md5Of(string(b))
}

func attributesIn(in map[string]types.MessageAttributeValue) map[string]MessageAttribute {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]MessageAttribute, len(in))
	for name, a := range in { //ebb:any-order one map to another
		out[name] = MessageAttribute{Type: core.Deref(a.DataType), Value: core.Deref(a.StringValue), Binary: a.BinaryValue}
	}
	return out
}

func messageOut(m Message, in *sqs.ReceiveMessageInput) types.Message {
	out := types.Message{MessageId: &m.ID, ReceiptHandle: &m.Handle, Body: &m.Body, MD5OfBody: md5Of(m.Body), Attributes: systemAttributes(m, in)}
	wanted := map[string]MessageAttribute{}
	for name, a := range m.Attributes { //ebb:any-order one map to another
		if slices.ContainsFunc(in.MessageAttributeNames, func(ask string) bool { return asksFor(ask, name) }) {
			wanted[name] = a
		}
	}
	if len(wanted) == 0 {
		return out
	}
	out.MD5OfMessageAttributes = md5OfAttributes(wanted)
	out.MessageAttributes = make(map[string]types.MessageAttributeValue, len(wanted))
	for name, a := range wanted { //ebb:any-order one map to another
		v := types.MessageAttributeValue{DataType: &a.Type, BinaryValue: a.Binary}
		if !strings.HasPrefix(a.Type, "Binary") {
			v.StringValue = &a.Value
		}
		out.MessageAttributes[name] = v
	}
	return out
}

// asksFor reports whether one of MessageAttributeNames means an attribute: by name, prefix ("foo.*") or All.
func asksFor(ask, name string) bool {
	if prefix, ok := strings.CutSuffix(ask, ".*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return ask == "All" || ask == name
}

// systemAttributes are those that a receive asks for, by the new member or the deprecated one. All are strings.
func systemAttributes(m Message, in *sqs.ReceiveMessageInput) map[string]string {
	names := core.Mapped(in.MessageSystemAttributeNames, func(n types.MessageSystemAttributeName) string { return string(n) })
	//nolint:staticcheck // older clients still send the deprecated member
	names = append(names, core.Mapped(in.AttributeNames, func(n types.QueueAttributeName) string { return string(n) })...)
	all := map[string]string{
		"SenderId":                         "AIDAEBBSIMULATED",
		"SentTimestamp":                    strconv.FormatInt(m.Sent.UnixMilli(), 10),
		"ApproximateReceiveCount":          strconv.Itoa(m.Receives),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.FirstReceived.UnixMilli(), 10),
	}
	if slices.Contains(names, "All") {
		return all
	}
	maps.DeleteFunc(all, func(name, _ string) bool { return !slices.Contains(names, name) })
	if len(all) == 0 {
		return nil
	}
	return all
}

type redrive struct {
	Target string `json:"deadLetterTargetArn"`
	Max    any    `json:"maxReceiveCount"` // a number, or the same as a string
}

// durations are the queue attributes in seconds, with their ranges.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
func durations(q *Queue) map[string]struct {
	to        *time.Duration
	low, high int
} {
	type limit = struct {
		to        *time.Duration
		low, high int
	}
	return map[string]limit{
		"VisibilityTimeout":             {&q.Visibility, 0, 43200},
		"MessageRetentionPeriod":        {&q.Retention, 60, 1209600},
		"DelaySeconds":                  {&q.Delay, 0, 900},
		"ReceiveMessageWaitTimeSeconds": {&q.WaitTime, 0, 20},
	}
}

func setAttributes(q *Queue, attributes map[string]string) error {
	known := durations(q)
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		value := attributes[name]
		d, ok := known[name]
		switch {
		case ok:
			n, err := strconv.Atoi(value)
			if err != nil || n < d.low || n > d.high {
				return core.Refuse("InvalidAttributeValue", "Invalid value for the parameter %s.", name)
			}
			*d.to = time.Duration(n) * time.Second
		case name == "RedrivePolicy":
			if err := setRedrive(q, value); err != nil {
				return err
			}
		case name == "Policy":
			q.Policy = value
		case name == "KmsMasterKeyId":
			q.KMSKeyID = value
		case name == "FifoQueue" && value == "true":
			return core.Refuse("InvalidAttributeValue", "The simulated cloud has standard queues only.")
		case !slices.Contains(types.QueueAttributeName("").Values(), types.QueueAttributeName(name)):
			return core.Refuse("InvalidAttributeName", "Unknown Attribute %s.", name)
		}
	}
	return nil
}

func setRedrive(q *Queue, policy string) error {
	if policy == "" {
		q.RedriveARN, q.MaxReceives = "", 0
		return nil
	}
	bad := core.Refuse("InvalidAttributeValue",
		"Value %s for parameter RedrivePolicy is invalid. Reason: it must hold deadLetterTargetArn and maxReceiveCount.", policy)
	var r redrive
	if json.Unmarshal([]byte(policy), &r) != nil || r.Target == "" {
		return bad
	}
	switch n := r.Max.(type) {
	case float64:
		q.MaxReceives = int(n)
	case string:
		q.MaxReceives, _ = strconv.Atoi(n)
	}
	if q.MaxReceives < 1 || q.MaxReceives > 1000 {
		return bad
	}
	q.RedriveARN = r.Target
	return nil
}

func (s api) attributesOf(q *Queue, asked []types.QueueAttributeName) (map[string]string, error) {
	for _, name := range asked {
		if !slices.Contains(name.Values(), name) {
			return nil, core.Refuse("InvalidAttributeName", "Unknown Attribute %s.", name)
		}
	}
	visible, hidden, delayed := s.Count(q)
	all := map[string]string{
		"QueueArn": q.ARN, "MaximumMessageSize": strconv.Itoa(maxMessage), "SqsManagedSseEnabled": "true",
		"CreatedTimestamp":                      strconv.FormatInt(q.CreatedAt.Unix(), 10),
		"LastModifiedTimestamp":                 strconv.FormatInt(q.CreatedAt.Unix(), 10),
		"ApproximateNumberOfMessages":           strconv.Itoa(visible),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(hidden),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(delayed),
	}
	for name, d := range durations(q) { //ebb:any-order one map to another
		all[name] = strconv.Itoa(int(*d.to / time.Second))
	}
	if q.RedriveARN != "" {
		policy, _ := json.Marshal(redrive{q.RedriveARN, q.MaxReceives})
		all["RedrivePolicy"] = string(policy)
	}
	if q.Policy != "" {
		all["Policy"] = q.Policy
	}
	if q.KMSKeyID != "" {
		all["KmsMasterKeyId"] = q.KMSKeyID
	}
	if !slices.Contains(asked, types.QueueAttributeNameAll) {
		maps.DeleteFunc(all, func(name, _ string) bool { return !slices.Contains(asked, types.QueueAttributeName(name)) })
	}
	return all, nil
}

// tell counts the messages of a queue by what they wait for, but for those that were sent so lately.
func tell(q *Queue, now time.Time, late time.Duration) (visible, hidden, delayed int) {
	for _, m := range q.Messages {
		switch {
		case late > 0 && now.Sub(m.Sent) < late:
		case !m.VisibleAt.After(now):
			visible++
		case m.Receives > 0:
			hidden++
		default:
			delayed++
		}
	}
	return visible, hidden, delayed
}
