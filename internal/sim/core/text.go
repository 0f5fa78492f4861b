package core

import (
	"encoding/json"
	"strings"
	"time"
)

// ISO spells a time as AWS does in messages, to the second.
func ISO(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// ISOMillis spells a time as AWS does in messages, to the millisecond.
func ISOMillis(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// LastPart is what follows the last slash, or the last colon if there is no slash: the name in an ARN or URL.
func LastPart(id string) string {
	if i := strings.LastIndexByte(id, '/'); i >= 0 {
		return id[i+1:]
	}
	return id[strings.LastIndexByte(id, ':')+1:]
}

// IsInstanceID reports whether a text has the form of an EC2 instance id: i- and 8 or 17 hexadecimal digits.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html
func IsInstanceID(id string) bool {
	digits, ok := strings.CutPrefix(id, "i-")
	return ok && (len(digits) == 8 || len(digits) == 17) && strings.Trim(digits, "0123456789abcdef") == ""
}

// JSON spells a value that always has a JSON form.
func JSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("sim: a message that cannot be spelled: " + err.Error())
	}
	return string(b)
}
