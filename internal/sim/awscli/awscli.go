// Package awscli takes command lines of the AWS CLI to the operations of a simulated cloud, so that tests can run what Ebb advises.
//
// It never guesses: an option that the operation does not have, a value of the wrong type, and a member that is missing are errors, as they
// are for the AWS CLI. It knows the forms of values that Ebb writes: texts, numbers, JSON, and the short form of one structure.
package awscli

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// services are the names of services where the CLI's differ from those of the cloud.
var services = map[string]string{"elbv2": "elasticloadbalancing"}

// Run runs a command line, such as aws ecs stop-task --cluster prod --task 0123. The caller holds the world.
func Run(cloud []core.Service, argv []string) (any, error) {
	if len(argv) < 3 || argv[0] != "aws" {
		return nil, fmt.Errorf("%q is no command of the AWS CLI", argv)
	}
	op, err := operation(cloud, argv[1], argv[2])
	if err != nil {
		return nil, err
	}
	in := op.Input()
	for i := 3; i < len(argv); {
		option, ok := strings.CutPrefix(argv[i], "--")
		if !ok {
			return nil, fmt.Errorf("%s %s does not know %q", argv[1], argv[2], argv[i])
		}
		i++
		var values []string
		if name, value, joined := strings.Cut(option, "="); joined {
			option, values = name, []string{value}
		}
		for ; i < len(argv) && !strings.HasPrefix(argv[i], "--"); i++ {
			values = append(values, argv[i])
		}
		if slices.Contains([]string{"region", "endpoint-url", "query", "output"}, option) {
			continue
		}
		if err := set(reflect.ValueOf(in).Elem(), option, values); err != nil {
			return nil, fmt.Errorf("%s %s: --%s: %w", argv[1], argv[2], option, err)
		}
	}
	for _, m := range op.Needs(in) {
		if v := reflect.ValueOf(m.Value); !v.IsValid() || v.IsZero() {
			return nil, fmt.Errorf("%s %s: %s is missing", argv[1], argv[2], m.Name)
		}
	}
	return op.Run(&core.Call{Caller: "operator"}, in)
}

func operation(cloud []core.Service, service, name string) (core.Operation, error) {
	if own, ok := services[service]; ok {
		service = own
	}
	for _, s := range cloud {
		if s.Name != service {
			continue
		}
		for _, op := range s.Operations {
			if plain(op.Name) == plain(name) {
				return op, nil
			}
		}
	}
	return core.Operation{}, fmt.Errorf("the simulated cloud has no operation %s %s", service, name)
}

// plain is a name without what its forms differ in: stop-task, StopTask.
func plain(name string) string { return strings.ToLower(strings.ReplaceAll(name, "-", "")) }

// set sets the field that an option names. A switch that begins with no- is false.
func set(in reflect.Value, option string, values []string) error {
	for _, form := range []struct {
		name string
		is   bool
	}{{option, true}, {strings.TrimPrefix(option, "no-"), false}} {
		for i := range in.NumField() {
			if f := in.Type().Field(i); f.IsExported() && plain(f.Name) == plain(form.name) {
				if len(values) == 0 {
					values = []string{strconv.FormatBool(form.is)}
				}
				return fill(in.Field(i), values)
			}
		}
	}
	return fmt.Errorf("there is no such option")
}

func fill(v reflect.Value, values []string) error {
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.String {
		for _, text := range values {
			v.Set(reflect.Append(v, reflect.ValueOf(text).Convert(v.Type().Elem())))
		}
		return nil
	}
	if len(values) != 1 {
		return fmt.Errorf("it takes one value, not %q", values)
	}
	text := values[0]
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return fill(v.Elem(), values)
	case reflect.String:
		v.SetString(text)
		return nil
	case reflect.Slice:
		if strings.HasPrefix(text, "[") {
			return object(v, text)
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		return short(v.Index(0), text)
	case reflect.Struct:
		if !strings.HasPrefix(text, "{") {
			return short(v, text)
		}
	case reflect.Map:
	default:
		return json.Unmarshal([]byte(text), v.Addr().Interface())
	}
	return object(v, text)
}

// object reads JSON. encoding/json matches the names of members in any case.
func object(v reflect.Value, text string) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(v.Addr().Interface())
}

// short reads the short form of a structure: name=value,name=value.
func short(v reflect.Value, text string) error {
	for pair := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || v.Kind() != reflect.Struct {
			return fmt.Errorf("%q is not in the short form", text)
		}
		if err := set(v, name, []string{value}); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
