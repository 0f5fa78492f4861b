package lambda

import (
	"bytes"
	"crypto/md5" // SQS answers with it
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// senderID is who sends the messages of the simulated cloud.
const senderID = "AIDAEBBSIMULATED"

// queueRecord is one message as a function gets it. Lambda's digest of the message attributes is left out.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
type queueRecord struct {
	MessageID         string                     `json:"messageId"`
	ReceiptHandle     string                     `json:"receiptHandle"`
	Body              string                     `json:"body"`
	Attributes        map[string]string          `json:"attributes"`
	MessageAttributes map[string]recordAttribute `json:"messageAttributes"`
	MD5OfBody         string                     `json:"md5OfBody"`
	EventSource       string                     `json:"eventSource"`
	EventSourceARN    string                     `json:"eventSourceARN"`
	Region            string                     `json:"awsRegion"`
}

type recordAttribute struct {
	StringValue      *string  `json:"stringValue,omitempty"`
	BinaryValue      []byte   `json:"binaryValue,omitempty"`
	StringListValues []string `json:"stringListValues"`
	BinaryListValues [][]byte `json:"binaryListValues"`
	DataType         string   `json:"dataType"`
}

// queueEvent is the event of a batch.
func queueEvent(messages []Message, queueARN, region string) []byte {
	records := make([]queueRecord, 0, len(messages))
	for _, m := range messages {
		sum := md5.Sum([]byte(m.Body))
		attributes := map[string]recordAttribute{}
		for name, a := range m.Attributes { //ebb:any-order one map to another
			r := recordAttribute{DataType: a.Type, BinaryValue: a.Binary, StringListValues: []string{}, BinaryListValues: [][]byte{}}
			if !strings.HasPrefix(a.Type, "Binary") {
				r.StringValue = &a.Value
			}
			attributes[name] = r
		}
		records = append(records, queueRecord{
			MessageID: m.ID, ReceiptHandle: m.Handle, Body: m.Body, MessageAttributes: attributes, MD5OfBody: hex.EncodeToString(sum[:]),
			Attributes: map[string]string{
				"ApproximateReceiveCount": strconv.Itoa(m.Receives), "SenderId": senderID, "SentTimestamp": strconv.FormatInt(m.Sent.UnixMilli(), 10),
				"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.FirstReceived.UnixMilli(), 10),
			},
			EventSource: "aws:sqs", EventSourceARN: queueARN, Region: region,
		})
	}
	return []byte(core.JSON(map[string]any{"Records": records}))
}

// failures reads a report of batch item failures: the ids of the messages that failed, or false if the whole batch did. No list is no
// failure; that a list of anything but objects with a known itemIdentifier fails the batch is documented, and that an answer
// which is no object does is assumed.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
func failures(payload []byte, messages []Message) (map[string]bool, bool) {
	failed := map[string]bool{}
	if len(bytes.TrimSpace(payload)) == 0 {
		return failed, true
	}
	var answer map[string]json.RawMessage // names count to the letter
	if json.Unmarshal(payload, &answer) != nil {
		return nil, false
	}
	list, there := answer["batchItemFailures"]
	if !there {
		return failed, true
	}
	var items []map[string]any
	if json.Unmarshal(list, &items) != nil {
		return nil, false
	}
	known := map[string]bool{}
	for _, m := range messages {
		known[m.ID] = true
	}
	for _, item := range items {
		id, _ := item["itemIdentifier"].(string)
		if !known[id] {
			return nil, false
		}
		failed[id] = true
	}
	return failed, true
}
