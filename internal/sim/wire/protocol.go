package wire

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// A protocol is a way to write requests, answers and refusals.
type protocol interface {
	// operation is what the request asks for.
	operation(r *http.Request, body []byte) string
	decode(body []byte, in any, strict bool) error
	answer(operation, requestID string, out any) (contentType string, body []byte, err error)
	refuse(e *Error, requestID string) (contentType string, body []byte)
	// unknown and broken are the codes for an operation and for a body that cannot be read.
	unknown() string
	broken() string
}

// protocolOf finds the protocol of a request: requests in CBOR say so in a header, those in JSON name their operation in one, and the others
// name it in a form. A service that is not known
// gets its refusal as one of awsQuery would.
func protocolOf(s *service, r *http.Request) protocol {
	var p core.Protocol
	if s != nil {
		p = s.Protocol
	}
	switch {
	case p.CBOR && r.Header.Get("Smithy-Protocol") == rpcV2:
		return cborProtocol{}
	case r.Header.Get("X-Amz-Target") != "":
		return jsonProtocol{version: or(p.JSON, "1.1"), prefix: p.Prefix, spelling: spelling{small: p.Small, names: p.Names.Members}}
	case p.EC2:
		return ec2Protocol{p.Names}
	}
	return queryProtocol{p}
}

// jsonProtocol is awsJson 1.0 and 1.1.
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
type jsonProtocol struct {
	version, prefix string
	spelling        spelling
}

func (p jsonProtocol) contentType() string { return "application/x-amz-json-" + p.version }

func (jsonProtocol) operation(r *http.Request, _ []byte) string {
	target := r.Header.Get("X-Amz-Target")
	return target[strings.LastIndex(target, ".")+1:]
}

func (p jsonProtocol) decode(body []byte, in any, strict bool) error {
	tree, err := jsonTree(body)
	if err != nil {
		return err
	}
	if tree == nil {
		return malformedf("the body must be a structure")
	}
	return decoder{strict: strict, field: p.spelling.field}.decode(reflect.ValueOf(in).Elem(), tree, "the request")
}

func (p jsonProtocol) answer(_, _ string, out any) (string, []byte, error) {
	body, err := p.spelling.json(out)
	return p.contentType(), body, err
}

func (p jsonProtocol) refuse(e *Error, _ string) (string, []byte) {
	body, err := spelling{}.json(map[string]string{"__type": p.prefix + e.jsonName(), "message": e.Message})
	if err != nil { // strings always have a JSON form
		panic(err)
	}
	return p.contentType(), body
}

func (jsonProtocol) unknown() string { return "UnknownOperationException" }
func (jsonProtocol) broken() string  { return "SerializationException" }

// queryProtocol is awsQuery.
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
type queryProtocol struct{ core.Protocol }

func (p queryProtocol) spelling() spelling {
	return spelling{names: p.Names.Members, items: p.Names.Items}
}

func (p queryProtocol) flat() flat { return flat{spelling: p.spelling(), names: p.Names.Flat} }

func (queryProtocol) operation(_ *http.Request, body []byte) string { return action(body) }

func action(body []byte) string {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return ""
	}
	return form.Get("Action")
}

func (p queryProtocol) decode(body []byte, in any, strict bool) error {
	names := p.spelling().field
	if p.Flat {
		names = p.flat().field
	}
	return decodeForm(body, in, decoder{query: true, strict: strict, field: names})
}

func decodeForm(body []byte, in any, d decoder) error {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return malformedf("the body is not a form: %v", err)
	}
	tree, err := queryTree(form)
	if err != nil {
		return err
	}
	return d.decode(reflect.ValueOf(in).Elem(), tree, "the request")
}

func (p queryProtocol) answer(operation, requestID string, out any) (string, []byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<%sResponse xmlns="%s">`, operation, p.Namespace)
	if reflect.TypeOf(out).Elem().NumField() > 1 { // there is more than ResultMetadata
		fmt.Fprintf(&b, "<%sResult>", operation)
		if p.Flat {
			p.flat().xml(&b, reflect.ValueOf(out).Elem())
		} else {
			p.spelling().xml(&b, reflect.ValueOf(out))
		}
		fmt.Fprintf(&b, "</%sResult>", operation)
	} else if !p.Flat {
		fmt.Fprintf(&b, "<%sResult/>", operation)
	}
	fmt.Fprintf(&b, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>", requestID, operation)
	return "text/xml", b.Bytes(), nil
}

func (p queryProtocol) refuse(e *Error, requestID string) (string, []byte) {
	fault := "Sender"
	if e.Status >= http.StatusInternalServerError {
		fault = "Receiver"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<ErrorResponse xmlns="%s"><Error><Type>%s</Type><Code>`, p.Namespace, fault)
	escape(&b, e.Code)
	b.WriteString("</Code><Message>")
	escape(&b, e.Message)
	fmt.Fprintf(&b, "</Message></Error><RequestId>%s</RequestId></ErrorResponse>", requestID)
	return "text/xml", b.Bytes()
}

func (queryProtocol) unknown() string { return "InvalidAction" }
func (queryProtocol) broken() string  { return "MalformedQueryString" }

// ec2Protocol is ec2Query: like awsQuery, with flat lists and its own errors.
// https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html
type ec2Protocol struct{ names core.Names }

func (ec2Protocol) operation(_ *http.Request, body []byte) string { return action(body) }

func (p ec2Protocol) decode(body []byte, in any, strict bool) error {
	return decodeForm(body, in, decoder{query: true, strict: strict, field: func(t reflect.Type, name string) (int, bool) {
		if i, ok := (spelling{}).field(t, p.names.Plural[name]); ok {
			return i, true
		}
		return spelling{}.field(t, name)
	}})
}

func (ec2Protocol) answer(operation, requestID string, out any) (string, []byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<%sResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>%s</requestId>`, operation, requestID)
	v := reflect.ValueOf(out).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || f.Tag.Get("xml") == "-" {
			continue
		}
		name, item, _ := strings.Cut(strings.TrimSuffix(f.Tag.Get("xml"), ",omitempty"), ">")
		if err := ec2Element(&b, name, item, v.Field(i)); err != nil {
			return "", nil, err
		}
	}
	fmt.Fprintf(&b, "</%sResponse>", operation)
	return "text/xml;charset=UTF-8", b.Bytes(), nil
}

// ec2Element writes one member of an answer; the structures in it say their own names.
func ec2Element(b *bytes.Buffer, name, item string, v reflect.Value) error {
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return nil
	}
	e := xml.NewEncoder(b)
	if item == "" {
		return e.EncodeElement(v.Interface(), xml.StartElement{Name: xml.Name{Local: name}})
	}
	b.WriteString("<" + name + ">")
	for i := range v.Len() {
		if err := e.EncodeElement(v.Index(i).Interface(), xml.StartElement{Name: xml.Name{Local: item}}); err != nil {
			return err
		}
	}
	b.WriteString("</" + name + ">")
	return nil
}

func (ec2Protocol) refuse(e *Error, requestID string) (string, []byte) {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>`)
	escape(&b, e.Code)
	b.WriteString("</Code><Message>")
	escape(&b, e.Message)
	fmt.Fprintf(&b, "</Message></Error></Errors><RequestID>%s</RequestID></Response>", requestID)
	return "text/xml;charset=UTF-8", b.Bytes()
}

func (ec2Protocol) unknown() string { return "InvalidAction" }
func (ec2Protocol) broken() string  { return "MalformedQueryString" }
