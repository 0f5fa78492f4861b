package doctor

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/inventory"
)

var rewrite = flag.Bool("update", false, "write the files in testdata anew; read what has changed in them")

// changer changes one thing after the other, tells of it, and sets it back.
type changer func(what string)

// set changes a value to another one for as long as it tells of it.
func (c changer) set(path string, v, to reflect.Value, name string) {
	was := reflect.New(v.Type()).Elem()
	was.Set(v)
	v.Set(to.Convert(v.Type()))
	c(path + ": " + name)
	v.Set(was)
}

// walk goes through a value. Of lists it changes the first and the last item, and takes each of them away.
func (c changer) walk(path string, v reflect.Value) {
	try := func(to any) { c.set(path, v, reflect.ValueOf(to), fmt.Sprint(to)) }
	switch x := v.Interface().(type) {
	case time.Duration:
		for _, to := range []time.Duration{0, x / 4, x * 4} {
			if to != x {
				try(to)
			}
		}
		return
	case time.Time:
		if !x.IsZero() {
			for name, to := range map[string]time.Time{"unknown": {}, "two days before": x.Add(-48 * time.Hour), "an hour later": x.Add(time.Hour)} {
				c.set(path, v, reflect.ValueOf(to), name)
			}
		}
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		try(!v.Bool())
	case reflect.Int, reflect.Int64:
		for _, to := range []int64{0, v.Int() - 1, v.Int() + 1, 2 * v.Int()} {
			if to >= 0 && to != v.Int() {
				try(to)
			}
		}
	case reflect.String:
		for name, to := range map[string]string{`""`: "", `"other"`: "other"} {
			if to != v.String() {
				c.set(path, v, reflect.ValueOf(to), name)
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			c.walk(path, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name := path + "." + v.Type().Field(i).Name
			if v.Type().Field(i).Anonymous {
				name = path
			}
			c.walk(strings.TrimPrefix(name, "."), v.Field(i))
		}
	case reflect.Slice:
		c.list(path, v)
	}
}

func (c changer) list(path string, v reflect.Value) {
	for _, i := range slices.Compact([]int{0, v.Len() - 1}) {
		if i >= 0 && v.Len() > 0 {
			c.walk(fmt.Sprintf("%s.%d", path, i), v.Index(i))
			c.set(fmt.Sprintf("%s.%d", path, i), v, reflect.AppendSlice(v.Slice3(0, i, i), v.Slice(i+1, v.Len())), "gone")
		}
	}
	more := reflect.Zero(v.Type().Elem())
	if more.Kind() == reflect.Pointer {
		more = reflect.New(more.Type().Elem())
	}
	c.set(path, v, reflect.Append(v.Slice3(0, v.Len(), v.Len()), more), "one more behind")
	c.set(path, v, reflect.AppendSlice(reflect.Append(reflect.Zero(v.Type()), more), v), "one more in front")
}

// seen are findings without their words.
func seen(in *Input, checks []Check) []string {
	var all []string
	for _, c := range checks {
		for _, f := range c.Run(in) {
			all = append(all, fmt.Sprintf("%s %s (%s)", f.Severity, c.Name, f.Subject))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// operations are what may fail to be read.
var operations = []string{
	"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeLifecycleHooks", "autoscaling:DescribeInstanceRefreshes",
	"ecs:DescribeCapacityProviders", "ecs:DescribeClusters", "ecs:DescribeContainerInstances", "ecs:DescribeServices", "ecs:DescribeTaskDefinition",
	"ecs:DescribeTasks", "ecs:ListClusters", "ecs:ListContainerInstances", "ecs:ListServices", "ecs:ListTasks", "ec2:DescribeInstances",
	"elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth", "events:ListRules", "events:ListTargetsByRule",
	"sqs:GetQueueAttributes", "sqs:GetQueueUrl",
}

// changes are the lines about one account: each single change of it, and which findings come and go with it.
func changes(in *Input, checks []Check) (lines []string) {
	was := seen(in, checks)
	note := changer(func(what string) {
		is := seen(in, checks)
		var all []string
		for _, f := range was {
			if !slices.Contains(is, f) {
				all = append(all, "- "+f)
			}
		}
		for _, f := range is {
			if !slices.Contains(was, f) {
				all = append(all, "+ "+f)
			}
		}
		if len(all) > 0 {
			lines = append(lines, what+": "+strings.Join(all, ", "))
		}
	})
	note.walk("", reflect.ValueOf(in).Elem())
	for _, o := range operations {
		unread := in.Inventory.Unread
		in.Inventory.Unread = append(slices.Clip(unread), inventory.Unread{What: o})
		note(o + " failed")
		in.Inventory.Unread = unread
	}
	slices.Sort(lines)
	return lines
}

// TestWhatAFindingDependsOn changes one thing at a time in the clean accounts and in each faulty one, and compares which findings come and
// go with testdata/changes.txt. So a condition of a check that is lost, or one too many, is seen. Of a faulty account it tells what becomes of
// the check that finds the fault, where that is not the same as in the clean one.
func TestWhatAFindingDependsOn(t *testing.T) {
	const file = "testdata/changes.txt"
	text, err := os.ReadFile(file)
	if err != nil && !*rewrite {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, part := range strings.Split(string(text), "== ")[1:] {
		name, lines, _ := strings.Cut(part, "\n")
		want[name] = strings.TrimSpace(lines)
	}
	var b strings.Builder
	check := func(name string, lines []string) {
		t.Helper()
		got := strings.Join(lines, "\n")
		fmt.Fprintf(&b, "== %s\n%s\n", name, got)
		if got != want[name] && !*rewrite {
			t.Fatalf("%s: what findings depend on has changed; go test ./internal/doctor -run TestWhatAFindingDependsOn -update writes it "+
				"anew: read it then\ngot\n%s\nwant\n%s", name, got, want[name])
		}
	}
	but := func(name string) []Check {
		return slices.DeleteFunc(Checks(), func(c Check) bool { return c.Name == "unread" || name != "" && c.Name != name })
	}
	ebbs, theirs := changes(clean(), but("")), changes(managed(), but(""))
	check("the clean account with Ebb", ebbs)
	check("the clean account with managed draining", theirs)
	for _, p := range plants() {
		base, known := clean, ebbs
		if p.base != nil {
			base, known = p.base, theirs
		}
		in := base()
		p.do(in, in.Inventory.Clusters[0], in.Inventory.Groups[0])
		lines := changes(in, but(p.check))
		check(p.name, slices.DeleteFunc(lines, func(l string) bool { return slices.Contains(known, l) }))
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
