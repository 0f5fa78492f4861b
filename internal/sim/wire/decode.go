package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// malformed is a request that cannot be read.
type malformed struct{ what string }

func (m malformed) Error() string { return m.what }

func malformedf(format string, args ...any) error { return malformed{fmt.Sprintf(format, args...)} }

var timeType = reflect.TypeFor[time.Time]()

// decoder fills the SDK's request types from a tree of maps, lists and scalars. The tree of the query protocols has strings only, and
// numbered maps for lists.
type decoder struct {
	query  bool
	strict bool                                       // a member that the request does not have is an error
	field  func(t reflect.Type, k string) (int, bool) // the field of a member
}

func (d decoder) decode(v reflect.Value, tree any, at string) error {
	if tree == nil {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.decode(v.Elem(), tree, at)
	case reflect.Struct:
		if v.Type() == timeType {
			return d.instant(v, tree, at)
		}
		return d.structure(v, tree, at)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return blob(v, tree, at)
		}
		return d.list(v, tree, at)
	case reflect.Map:
		return d.mapping(v, tree, at)
	case reflect.Interface: // a union; no operation here looks into one
		return nil
	}
	return d.scalar(v, tree, at)
}

func (d decoder) structure(v reflect.Value, tree any, at string) error {
	m, ok := tree.(map[string]any)
	if !ok {
		return malformedf("%s must be a structure", at)
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		i, ok := d.field(v.Type(), name)
		if !ok {
			if d.strict {
				return malformedf("%s has no member %q", at, name)
			}
			continue
		}
		if err := d.decode(v.Field(i), m[name], at+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func (d decoder) list(v reflect.Value, tree any, at string) error {
	items, err := d.items(tree, at)
	if err != nil {
		return err
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, x := range items {
		if err := d.decode(out.Index(i), x, at+"."+strconv.Itoa(i+1)); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

func (d decoder) items(tree any, at string) ([]any, error) {
	if !d.query {
		l, ok := tree.([]any)
		if !ok {
			return nil, malformedf("%s must be a list", at)
		}
		return l, nil
	}
	if tree == "" { // X= or X.member= says: an empty list
		return nil, nil
	}
	m, ok := tree.(map[string]any)
	if !ok {
		return nil, malformedf("%s must be a list", at)
	}
	for _, level := range []string{"member", "item"} {
		if inner, ok := m[level]; ok && len(m) == 1 {
			return d.items(inner, at)
		}
	}
	return numbered(m, at)
}

// numbered are the values of {"1": .., "2": ..} in the order of their numbers.
func numbered(m map[string]any, at string) ([]any, error) {
	numbers := make([]int, 0, len(m))
	for k := range m { //ebb:any-order sorted below
		n, err := strconv.Atoi(k)
		if err != nil || strconv.Itoa(n) != k {
			return nil, malformedf("%s has a key %q that is not a number", at, k)
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	items := make([]any, 0, len(numbers))
	for _, n := range numbers {
		items = append(items, m[strconv.Itoa(n)])
	}
	return items, nil
}

func (d decoder) mapping(v reflect.Value, tree any, at string) error {
	m, ok := tree.(map[string]any)
	if !ok {
		return malformedf("%s must be a map", at)
	}
	if d.query {
		var err error
		if m, err = entries(m, at); err != nil {
			return err
		}
	}
	out := reflect.MakeMapWithSize(v.Type(), len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		e := reflect.New(v.Type().Elem()).Elem()
		if err := d.decode(e, m[k], at+"."+k); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(k).Convert(v.Type().Key()), e)
	}
	v.Set(out)
	return nil
}

// entries reads the maps of the query protocol: entry.1.key and entry.1.value, or, with SQS, 1.Name and 1.Value.
func entries(m map[string]any, at string) (map[string]any, error) {
	if inner, ok := m["entry"].(map[string]any); ok && len(m) == 1 {
		m = inner
	}
	list, err := numbered(m, at)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for _, e := range list {
		pair, ok := e.(map[string]any)
		if !ok {
			return nil, malformedf("%s must have a key and a value in each entry", at)
		}
		name, value, ok := entry(pair)
		if !ok {
			return nil, malformedf("%s has an entry without a key", at)
		}
		out[name] = value
	}
	return out, nil
}

// entry reads one entry of a map. The names of its two parts differ from map to map.
func entry(pair map[string]any) (key string, value any, ok bool) {
	for _, names := range [][2]string{{"key", "value"}, {"Name", "Value"}, {"Key", "Value"}} {
		if key, ok = pair[names[0]].(string); ok {
			return key, pair[names[1]], true
		}
	}
	return "", nil, false
}

func (d decoder) scalar(v reflect.Value, tree any, at string) error {
	text, ok := tree.(string)
	number, isNumber := tree.(json.Number)
	switch v.Kind() {
	case reflect.String:
		if !ok {
			return malformedf("%s must be a string", at)
		}
		v.SetString(text)
		return nil
	case reflect.Bool:
		return d.boolean(v, tree, at)
	}
	if d.query {
		number, isNumber = json.Number(text), ok
	}
	if !isNumber {
		return malformedf("%s must be a number", at)
	}
	switch v.Kind() {
	case reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(number.String(), 10, v.Type().Bits())
		if err != nil {
			return malformedf("%s must be a whole number", at)
		}
		v.SetInt(n)
	case reflect.Float32, reflect.Float64:
		f, err := number.Float64()
		if err != nil {
			return malformedf("%s must be a number", at)
		}
		v.SetFloat(f)
	default:
		return malformedf("%s is of a type that the simulated cloud does not know", at)
	}
	return nil
}

func (d decoder) boolean(v reflect.Value, tree any, at string) error {
	b, ok := tree.(bool)
	if text, isText := tree.(string); d.query && isText {
		b, ok = text == "true", text == "true" || text == "false"
	}
	if !ok {
		return malformedf("%s must be true or false", at)
	}
	v.SetBool(b)
	return nil
}

func (d decoder) instant(v reflect.Value, tree any, at string) error {
	var t time.Time
	var err error
	switch x := tree.(type) {
	case json.Number:
		var f float64
		f, err = x.Float64()
		t = time.UnixMilli(int64(math.Round(f * 1000))).UTC()
	case string:
		t, err = time.Parse(time.RFC3339Nano, x)
	default:
		return malformedf("%s must be a time", at)
	}
	if err != nil {
		return malformedf("%s must be a time", at)
	}
	v.Set(reflect.ValueOf(t))
	return nil
}

func blob(v reflect.Value, tree any, at string) error {
	if b, ok := tree.([]byte); ok { // in CBOR
		v.SetBytes(b)
		return nil
	}
	text, ok := tree.(string)
	if !ok {
		return malformedf("%s must be a string in base64", at)
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return malformedf("%s must be a string in base64", at)
	}
	v.SetBytes(b)
	return nil
}

// jsonTree reads one JSON value and nothing behind it.
func jsonTree(body []byte) (any, error) {
	if len(body) == 0 {
		return map[string]any{}, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, malformedf("the body is not JSON: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, malformedf("there is more than one JSON value in the body")
	}
	return tree, nil
}

// queryTree reads the form of a query protocol: the dots in a name are levels of the tree.
func queryTree(form url.Values) (map[string]any, error) {
	root := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if name == "Action" || name == "Version" {
			continue
		}
		if err := plant(root, strings.Split(name, "."), form.Get(name)); err != nil {
			return nil, malformedf("%q: %v", name, err)
		}
	}
	return root, nil
}

func plant(m map[string]any, path []string, value string) error {
	for _, p := range path[:len(path)-1] {
		if m[p] == nil {
			m[p] = map[string]any{}
		}
		next, ok := m[p].(map[string]any)
		if !ok {
			return malformedf("%s is a value and a structure at once", p)
		}
		m = next
	}
	last := path[len(path)-1]
	if _, taken := m[last]; taken {
		return malformedf("%s is given twice", last)
	}
	m[last] = value
	return nil
}
