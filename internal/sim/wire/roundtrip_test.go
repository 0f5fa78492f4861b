package wire

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	aas "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwschemas "github.com/aws/aws-sdk-go-v2/service/cloudwatch/schemas"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	eb "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqsschemas "github.com/aws/aws-sdk-go-v2/service/sqs/schemas"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/transport/http/protocol/awsjson"
	"github.com/aws/smithy-go/transport/http/protocol/awsquery"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
)

// filler gives every field of a value a value of its own, so that none can stand for another.
type filler struct {
	n     int
	stack map[reflect.Type]bool
}

func (f *filler) fill(v reflect.Value) {
	f.n++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Struct:
		f.fields(v)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes(fmt.Appendf(nil, "b%d", f.n))
			return
		}
		if v.Type().Elem().Kind() == reflect.Interface { // a union
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f.fill(v.Index(0))
		f.fill(v.Index(1))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			e := reflect.New(v.Type().Elem()).Elem()
			f.fill(e)
			v.SetMapIndex(reflect.ValueOf(fmt.Sprintf("k%d", f.n)).Convert(v.Type().Key()), e)
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("s<%d>&", f.n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.n))
	case reflect.Float64:
		v.SetFloat(float64(f.n) + 0.5)
	}
}

func (f *filler) fields(v reflect.Value) {
	if v.Type() == timeType {
		v.Set(reflect.ValueOf(time.Unix(1795219200+int64(f.n), 250e6).UTC()))
		return
	}
	if f.stack[v.Type()] { // a shape that holds itself
		return
	}
	f.stack[v.Type()] = true
	defer delete(f.stack, v.Type())
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		if sf.IsExported() && sf.Name != "ResultMetadata" && sf.Name != "EndpointId" { // an EndpointId changes the host
			f.fill(v.Field(i))
		}
	}
}

func fill(v reflect.Value, from int) reflect.Value {
	f := &filler{n: from, stack: map[reflect.Type]bool{}}
	f.fill(v.Elem())
	return v
}

// TestRoundTrip sends every operation through the real client of the SDK with every field filled: the request that the operation gets
// must be the one that was sent, and the answer that the client gets the one that was given.
func TestRoundTrip(t *testing.T) {
	api := New(Config{World: sim.New(core.Config{}), Strict: true})
	for _, s := range api.services {
		s.Errors.Own = true // the requests here have any values
	}
	s := &server{api: api}
	cfg := config(http.HandlerFunc(s.serve))
	noSums := func(o *sqs.Options) { o.DisableMessageChecksumValidation = true }
	clients := []struct {
		service string
		client  any
		flat    bool
	}{
		{"application-autoscaling", aas.NewFromConfig(cfg), false},
		{"autoscaling", autoscaling.NewFromConfig(cfg), false},
		{"cloudwatch", cloudwatch.NewFromConfig(cfg), false}, // in CBOR
		{"cloudwatch", cloudwatch.NewFromConfig(cfg, func(o *cloudwatch.Options) { o.Protocol = awsjson.New10(cwschemas.GraniteServiceVersion20100801) }), false},
		{"cloudwatch", cloudwatch.NewFromConfig(cfg, func(o *cloudwatch.Options) { o.Protocol = awsquery.New(cwschemas.GraniteServiceVersion20100801) }), false},
		{"ecs", ecs.NewFromConfig(cfg), false},
		{"elasticloadbalancing", elb.NewFromConfig(cfg), false},
		{"events", eb.NewFromConfig(cfg), false},
		{"sns", sns.NewFromConfig(cfg), false},
		{"sqs", sqs.NewFromConfig(cfg, noSums), false},
		{"sqs", sqs.NewFromConfig(cfg, noSums, func(o *sqs.Options) { o.Protocol = awsquery.New(sqsschemas.AmazonSQS) }), true},
		{"sts", sts.NewFromConfig(cfg), false},
	}
	// Not clients of the SDK: see TestEC2, TestLambda, TestParameters, TestSecretValues, TestCloudMap and TestLattice.
	tried := map[string]bool{"ec2": true, "lambda": true, "ssm": true, "secretsmanager": true, "servicediscovery": true, "vpc-lattice": true}
	for _, c := range clients {
		tried[c.service] = true
		for name, o := range api.services[c.service].operations {
			t.Run(c.service+"."+name, func(t *testing.T) { roundTrip(t, c.client, o, c.flat) })
		}
	}
	for name := range api.services {
		if !tried[name] {
			t.Errorf("%s: no client tries it", name)
		}
	}
}

func roundTrip(t *testing.T, client any, o *operation, flat bool) {
	method := reflect.ValueOf(client).MethodByName(o.Name)
	if !method.IsValid() {
		t.Fatalf("the client has no method %s", o.Name)
	}
	sent := fill(reflect.New(method.Type().In(1).Elem()), 0)
	given := fill(reflect.New(method.Type().Out(0).Elem()), 1000)
	var got any
	before := o.Operation
	defer func() { o.Operation = before }()
	o.Needs = func(any) []core.Member { return nil }
	o.Poll = nil
	o.Run = func(_ *core.Call, in any) (any, error) {
		got = in
		return given.Interface(), nil
	}
	out := method.Call([]reflect.Value{reflect.ValueOf(t.Context()), sent})
	if err, _ := reflect.TypeAssert[error](out[1]); err != nil {
		t.Fatal(err)
	}
	if in, ok := got.(*sqs.ReceiveMessageInput); ok && flat { // the query protocol has one name for both
		in.MessageSystemAttributeNames = sent.Interface().(*sqs.ReceiveMessageInput).MessageSystemAttributeNames
	}
	same := cmp.Options{cmpopts.EquateEmpty(), cmp.FilterPath(unseen, cmp.Ignore())}
	if diff := cmp.Diff(sent.Interface(), got, same); diff != "" {
		t.Errorf("request (-sent +got):\n%s", diff)
	}
	if diff := cmp.Diff(given.Interface(), out[0].Interface(), same); diff != "" {
		t.Errorf("answer (-given +got):\n%s", diff)
	}
}

// unseen are the fields that are not on the wire.
func unseen(p cmp.Path) bool {
	f, ok := p.Last().(cmp.StructField)
	return ok && (f.Name() == "ResultMetadata" || strings.ToLower(f.Name()[:1]) == f.Name()[:1])
}
