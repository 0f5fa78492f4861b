package main

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
)

// TestTheWitnessSeesNotes: a note that was heard is gone from the journal, and the witness has seen it all the same.
func TestTheWitnessSeesNotes(t *testing.T) {
	before := time.Now().Add(-time.Second)
	b, err := openFile(t.Context(), t.TempDir()+"/journal.db")
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	note := journal.Forwarded{Scope: "s", ID: "m-1", Body: `{"a":"\"b\""}`, Sent: time.Now()}
	if err := b.Write(t.Context(), journal.Batch{Forwarded: []journal.Forwarded{note}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Discard(t.Context(), []journal.Forwarded{note}); err != nil {
		t.Fatal(err)
	}
	seen, err := b.noted()
	after := time.Now().Add(time.Second)
	if err != nil || len(seen) != 1 || seen[0].Body != note.Body || seen[0].At.Before(before) || seen[0].At.After(after) {
		t.Errorf("the witness has seen %v, %v", seen, err)
	}
}
