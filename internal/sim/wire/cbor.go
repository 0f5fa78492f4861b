package wire

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

// What requests and answers in CBOR say of themselves.
const (
	rpcV2    = "rpc-v2-cbor"
	cborType = "application/cbor"
)

// cborProtocol is Smithy's RPC v2 with CBOR, as the SDK for Go speaks it with CloudWatch. The codec is that of the SDK itself, which every
// program with such a client has anyway.
// https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
type cborProtocol struct{}

// operation is the last part of the path: /service/GraniteServiceVersion20100801/operation/PutMetricData.
func (cborProtocol) operation(r *http.Request, _ []byte) string {
	return r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
}

func (cborProtocol) decode(body []byte, in any, strict bool) error {
	if len(body) == 0 {
		return nil
	}
	v, err := cbor.Decode(body)
	if err != nil {
		return malformedf("the body is not CBOR: %v", err)
	}
	return decoder{strict: strict, field: spelling{}.field}.decode(reflect.ValueOf(in).Elem(), cborTree(v), "the request")
}

func (cborProtocol) answer(_, _ string, out any) (string, []byte, error) {
	return cborType, cbor.Encode(cborValue(spelling{keepTimes: true}.tree(reflect.ValueOf(out)))), nil
}

func (cborProtocol) refuse(e *Error, _ string) (string, []byte) {
	return cborType, cbor.Encode(cbor.Map{"__type": cbor.String(e.jsonName()), "message": cbor.String(e.Message)})
}

func (cborProtocol) unknown() string { return "UnknownOperationException" }
func (cborProtocol) broken() string  { return "SerializationException" }

// cborTree is a value as decoder takes it: numbers are as in JSON, and times are seconds since 1970.
func cborTree(v cbor.Value) any {
	switch x := v.(type) {
	case cbor.Map:
		m := make(map[string]any, len(x))
		for k, e := range x { //ebb:any-order one map to another
			m[k] = cborTree(e)
		}
		return m
	case cbor.List:
		l := make([]any, 0, len(x))
		for _, e := range x {
			l = append(l, cborTree(e))
		}
		return l
	case *cbor.Tag:
		return cborTree(x.Value)
	case cbor.Slice:
		return []byte(x)
	case cbor.String:
		return string(x)
	case cbor.Bool:
		return bool(x)
	case cbor.Uint:
		return json.Number(strconv.FormatUint(uint64(x), 10))
	case cbor.NegInt:
		return json.Number("-" + strconv.FormatUint(uint64(x), 10))
	case cbor.Float32:
		return json.Number(strconv.FormatFloat(float64(x), 'g', -1, 32))
	case cbor.Float64:
		return json.Number(strconv.FormatFloat(float64(x), 'g', -1, 64))
	}
	return nil
}

// cborValue is a tree that spelling has made, in CBOR.
func cborValue(tree any) cbor.Value {
	switch x := tree.(type) {
	case nil:
		return &cbor.Nil{}
	case map[string]any:
		m := make(cbor.Map, len(x))
		for k, e := range x { //ebb:any-order one map to another
			m[k] = cborValue(e)
		}
		return m
	case []any:
		l := make(cbor.List, 0, len(x))
		for _, e := range x {
			l = append(l, cborValue(e))
		}
		return l
	case []byte:
		return cbor.Slice(x)
	case time.Time:
		return &cbor.Tag{ID: 1, Value: cbor.Float64(float64(x.UnixMilli()) / 1000)}
	}
	v := reflect.ValueOf(tree)
	switch v.Kind() {
	case reflect.Bool:
		return cbor.Bool(v.Bool())
	case reflect.Int32, reflect.Int64:
		if n := v.Int(); n < 0 {
			return cbor.NegInt(uint64(-n))
		}
		return cbor.Uint(uint64(v.Int()))
	case reflect.Float32, reflect.Float64:
		return cbor.Float64(v.Float())
	}
	return cbor.String(v.String())
}
