package sqs

import "testing"

// TestAttributeDigest compares with digests made by another implementation: the Go client does not check this one, others do.
func TestAttributeDigest(t *testing.T) {
	number := map[string]MessageAttribute{"timestamp": {Type: "Number", Value: "1493147359900"}}
	if got := *md5OfAttributes(number); got != "235c5c510d26fb653d073faed50ae77c" {
		t.Errorf("one number: %s", got)
	}
	mixed := map[string]MessageAttribute{"text": {Type: "String", Value: "x"}, "bytes": {Type: "Binary", Binary: []byte{0, 1}}}
	if got := *md5OfAttributes(mixed); got != "20934fc2cac75cfe417f2762653bc121" {
		t.Errorf("text and bytes: %s", got)
	}
	if got := md5OfAttributes(nil); got != nil {
		t.Errorf("none: %s", *got)
	}
}
