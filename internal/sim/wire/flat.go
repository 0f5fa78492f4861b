package wire

import (
	"bytes"
	"reflect"
)

// The query protocol with flat lists and maps, as clients of SQS from before 2023 speak it: they have no level of their own, and their items have
// names in the singular.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests.html

// flat is how a service writes members without a level for lists.
type flat struct {
	spelling spelling
	names    map[string]string // Type.Field to the name, where it differs from the one in JSON
}

func (p flat) name(t reflect.Type, f reflect.StructField) string {
	if n, ok := p.names[t.Name()+"."+f.Name]; ok {
		return n
	}
	if !f.IsExported() || f.Name == "ResultMetadata" {
		return ""
	}
	return f.Name
}

func (p flat) field(t reflect.Type, name string) (int, bool) {
	for i := range t.NumField() {
		if n := p.name(t, t.Field(i)); n == name && n != "" {
			return i, true
		}
	}
	return 0, false
}

// xml writes the members of a structure: an element for each item of a list, and a name and value for each entry of a map.
func (p flat) xml(b *bytes.Buffer, v reflect.Value) {
	for i := range v.NumField() {
		name := p.name(v.Type(), v.Type().Field(i))
		f := v.Field(i)
		switch {
		case name == "":
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() != reflect.Uint8:
			for j := range f.Len() {
				p.element(b, name, f.Index(j))
			}
		case f.Kind() == reflect.Map:
			for _, k := range sortedKeys(f) {
				b.WriteString("<" + name + ">")
				p.element(b, "Name", k)
				p.element(b, "Value", f.MapIndex(k))
				b.WriteString("</" + name + ">")
			}
		default:
			p.element(b, name, f)
		}
	}
}

func (p flat) element(b *bytes.Buffer, name string, v reflect.Value) {
	if v.Kind() != reflect.Struct {
		p.spelling.element(b, name, v)
		return
	}
	b.WriteString("<" + name + ">")
	p.xml(b, v)
	b.WriteString("</" + name + ">")
}
