package sim

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// TestTablesAreComplete: every row has every column, and every service all that the wire asks of it.
func TestTablesAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range New(core.Config{}).Services() {
		p, e := s.Protocol, s.Errors
		switch {
		case p.JSON == "" && p.Namespace == "" && !p.EC2 && !p.REST:
			t.Errorf("%s speaks no protocol", s.Name)
		case e.Throttled.Code == "" || e.Internal.Code == "" || e.StaleToken.Code == "" || e.Denied.Code == "" || e.Missing == nil || e.Missing("X") == nil:
			t.Errorf("%s does not say how it refuses: %+v", s.Name, e)
		case len(s.Operations) == 0:
			t.Errorf("%s has no operation", s.Name)
		}
		for _, o := range s.Operations {
			name := s.Name + "." + o.Name
			if seen[name] {
				t.Errorf("%s has two rows", name)
			}
			seen[name] = true
			if len(o.Empty) > 0 {
				t.Errorf("%s: the columns %s are empty; say so with one of the functions of core", name, strings.Join(o.Empty, ", "))
				continue
			}
			if _, limited := s.Limits[o.Bucket]; o.Bucket != s.Name && !limited {
				t.Errorf("%s draws from %s, which is no bucket of its service", name, o.Bucket)
			}
			if p.REST != (len(o.Paths) > 0) {
				t.Errorf("%s has the paths %v", name, o.Paths)
			}
			in := o.Input()
			if paged(in, o.Output()) && o.Token(in) != "token" {
				t.Errorf("%s is paged, and its row does not say where the token is", name)
			}
		}
	}
	if len(seen) < 80 {
		t.Errorf("only %d operations", len(seen))
	}
}

// paged reports whether requests and answers have tokens of pages, and puts one into the request.
func paged(in, out any) bool {
	for _, names := range [][2]string{{"NextToken", "NextToken"}, {"Marker", "NextMarker"}} {
		from, next := reflect.ValueOf(in).Elem().FieldByName(names[0]), reflect.ValueOf(out).Elem().FieldByName(names[1])
		if from.IsValid() && next.IsValid() {
			from.Set(reflect.ValueOf(new("token")))
			return true
		}
	}
	return false
}

// TestMissingColumns: a row that leaves a column out says which.
func TestMissingColumns(t *testing.T) {
	type in struct{}
	run := func(*core.Call, *in) (*in, error) { return nil, nil }
	o := core.NewOperation("X", run, "", core.NoNeeds, nil, core.NoSubject, nil, core.NoBatch)
	if want := []string{"bucket", "resource", "token"}; !slices.Equal(o.Empty, want) {
		t.Errorf("empty are %v, want %v", o.Empty, want)
	}
}
