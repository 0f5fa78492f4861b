package kernel

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/event"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/journal"
)

// endedAt is the record of a drain of instance i-1 that has ended.
func endedAt(t *testing.T, key, token string, at time.Time) journal.Record {
	t.Helper()
	d := drain.Drain{Key: key, Target: fleet.HostTarget("i-1"), Hold: drain.Hold{Group: "web", Hook: "ebb-drain", Token: token}, Ended: at,
		Final: &drain.Answer{Outcome: drain.HostGone}}
	body, err := json.Marshal(stored{Drain: d, Instance: d.Instance()})
	if err != nil {
		t.Fatal(err)
	}
	return journal.Record{Key: key, Scope: "cluster/prod", Rev: 2, Body: body}
}

// A sweep found an instance and a message came later, so one wait has two drains that ended, by clocks that differ. When the message comes
// once more it starts neither again.
func TestAMessageOfAnEarlierDrainIsLate(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	const token = "71514b9d-6a40-4b26-8523-05e7eEXAMPLE"
	ended := []journal.Record{ // the newest first
		endedAt(t, "web/i-1/71514b9d", token, at.Add(-20*time.Second)),
		endedAt(t, "web/i-1/t20261121T090000", "", at),
	}
	k, err := New(Config{Hook: "ebb-drain", Groups: []Managed{{Match: "web", Cluster: "prod", Policy: drain.Defaults()}}}, nil, ended)
	if err != nil {
		t.Fatal(err)
	}
	hear := func(token string, when time.Time) Output {
		e := event.Event{Kind: event.TerminateAction, Group: "web", Hook: "ebb-drain", Instance: "i-1", Token: token, Time: when}
		k.Hear(Heard{Event: e, Message: event.Message{ID: "m", Sent: when}}, when)
		return k.Next(when)
	}
	if o := hear(token, at.Add(time.Second)); k.Open() != 0 || len(o.Batch.Records) != 0 || len(o.Settle) != 1 || !o.Settle[0].Delete {
		t.Errorf("a message of a drain that ended: %d open, batch %+v, verdicts %+v", k.Open(), o.Batch, o.Settle)
	}
	o := hear("71514b9d-another-wait-of-the-instance", at.Add(2*time.Second))
	if k.Open() != 1 || len(o.Batch.Records) != 1 || o.Batch.Records[0].Key != "web/i-1/71514b9d-2" {
		t.Errorf("a message of a new wait whose token begins as that of an ended one: %d open, records %+v", k.Open(), o.Batch.Records)
	}
}
