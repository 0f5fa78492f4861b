package wire

import (
	"bytes"
	"reflect"
)

// SQS over the query protocol, as clients from before 2023 speak it: lists and maps have no level of their own, and their items have
// names in the singular.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests.html

// flatNames are the names in the query protocol of the members whose names in JSON differ. MessageSystemAttributeNames of a receive
// comes as AttributeName, like the deprecated AttributeNames; they mean the same.
var flatNames = map[string]string{
	"CreateQueueInput.Attributes":                          "Attribute",
	"CreateQueueInput.Tags":                                "Tag",
	"SetQueueAttributesInput.Attributes":                   "Attribute",
	"GetQueueAttributesInput.AttributeNames":               "AttributeName",
	"GetQueueAttributesOutput.Attributes":                  "Attribute",
	"ListQueuesOutput.QueueUrls":                           "QueueUrl",
	"ReceiveMessageInput.AttributeNames":                   "AttributeName",
	"ReceiveMessageInput.MessageSystemAttributeNames":      "MessageSystemAttributeName",
	"ReceiveMessageInput.MessageAttributeNames":            "MessageAttributeName",
	"ReceiveMessageOutput.Messages":                        "Message",
	"Message.Attributes":                                   "Attribute",
	"Message.MessageAttributes":                            "MessageAttribute",
	"MessageAttributeValue.StringListValues":               "StringListValue",
	"MessageAttributeValue.BinaryListValues":               "BinaryListValue",
	"MessageSystemAttributeValue.StringListValues":         "StringListValue",
	"MessageSystemAttributeValue.BinaryListValues":         "BinaryListValue",
	"SendMessageBatchRequestEntry.MessageSystemAttributes": "MessageSystemAttribute",
	"SendMessageInput.MessageAttributes":                   "MessageAttribute",
	"SendMessageInput.MessageSystemAttributes":             "MessageSystemAttribute",
	"SendMessageBatchRequestEntry.MessageAttributes":       "MessageAttribute",
	"SendMessageBatchInput.Entries":                        "SendMessageBatchRequestEntry",
	"SendMessageBatchOutput.Successful":                    "SendMessageBatchResultEntry",
	"SendMessageBatchOutput.Failed":                        "BatchResultErrorEntry",
	"DeleteMessageBatchInput.Entries":                      "DeleteMessageBatchRequestEntry",
	"DeleteMessageBatchOutput.Successful":                  "DeleteMessageBatchResultEntry",
	"DeleteMessageBatchOutput.Failed":                      "BatchResultErrorEntry",
	"ChangeMessageVisibilityBatchInput.Entries":            "ChangeMessageVisibilityBatchRequestEntry",
	"ChangeMessageVisibilityBatchOutput.Successful":        "ChangeMessageVisibilityBatchResultEntry",
	"ChangeMessageVisibilityBatchOutput.Failed":            "BatchResultErrorEntry",
}

func flatName(t reflect.Type, f reflect.StructField) string {
	if n, ok := flatNames[t.Name()+"."+f.Name]; ok {
		return n
	}
	if !f.IsExported() || f.Name == "ResultMetadata" {
		return ""
	}
	return f.Name
}

func flatField(t reflect.Type, name string) (int, bool) {
	for i := range t.NumField() {
		if n := flatName(t, t.Field(i)); n == name && n != "" {
			return i, true
		}
	}
	return 0, false
}

// flatXML writes the members of a structure: an element for each item of a list, and a name and value for each entry of a map.
func flatXML(b *bytes.Buffer, v reflect.Value) {
	for i := range v.NumField() {
		name := flatName(v.Type(), v.Type().Field(i))
		f := v.Field(i)
		switch {
		case name == "":
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() != reflect.Uint8:
			for j := range f.Len() {
				flatElement(b, name, f.Index(j))
			}
		case f.Kind() == reflect.Map:
			for _, k := range sortedKeys(f) {
				b.WriteString("<" + name + ">")
				flatElement(b, "Name", k)
				flatElement(b, "Value", f.MapIndex(k))
				b.WriteString("</" + name + ">")
			}
		default:
			flatElement(b, name, f)
		}
	}
}

func flatElement(b *bytes.Buffer, name string, v reflect.Value) {
	if v.Kind() != reflect.Struct {
		spelling{}.element(b, name, v)
		return
	}
	b.WriteString("<" + name + ">")
	flatXML(b, v)
	b.WriteString("</" + name + ">")
}
