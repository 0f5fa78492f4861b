package journal

import "testing"

func TestTheSubjectOfARecord(t *testing.T) {
	for key, want := range map[string]string{
		"web/i-1/0b5f1c9e": "web/i-1", "task:prod/1/a": "task:prod/1", "odd": "odd", "/odd": "", "odd/": "odd", "": "",
	} {
		if got := (Record{Key: key}).Subject(); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}

func TestSameMessages(t *testing.T) {
	m := Forwarded{Scope: "a", ID: "1", Body: "x"}
	for o, want := range map[Forwarded]bool{{Scope: "a", ID: "1"}: true, {Scope: "b", ID: "1"}: false, {Scope: "a", ID: "2"}: false, {}: false} {
		if m.Same(o) != want {
			t.Errorf("%+v: %t", o, !want)
		}
	}
}

func TestAnEmptyBatch(t *testing.T) {
	if !(Batch{Under: []Lease{{}}}).Empty() {
		t.Error("nothing is to be written under a lease alone")
	}
	for _, b := range []Batch{{Records: []Record{{}}}, {Lines: []Line{{}}}, {Forwarded: []Forwarded{{}}}} {
		if b.Empty() {
			t.Errorf("%+v is not empty", b)
		}
	}
}
