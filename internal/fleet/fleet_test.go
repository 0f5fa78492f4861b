package fleet

import (
	"testing"
	"time"
)

// Each lifecycle state of AWS's is before, in or after the terminating hooks, or none of these.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/warm-pool-instance-lifecycle.html
func TestWhereALifecycleStateStands(t *testing.T) {
	for where, states := range map[string][]LifecycleState{
		"stays":  {"Pending", "Pending:Wait", "Pending:Proceed", "Quarantined", InService, "EnteringStandby", Standby, ""},
		"leaves": {Terminating, WarmedPending, WarmedTerminating, ReplacingRootVolume},
		"waits":  {TerminatingWait, WarmedPendingWait, WarmedTerminatingWait, ReplacingRootVolumeWait},
		"over": {TerminatingProceed, TerminatingRetained, Terminated, Detaching, Detached, ReplacingRootVolumeProceed, RootVolumeReplaced,
			"Warmed:Pending:Proceed", "Warmed:Pending:Retained", "Warmed:Terminating:Proceed", "Warmed:Terminating:Retained", "Warmed:Terminated",
			"Warmed:Stopped", "Warmed:Running", "Warmed:Hibernated"},
	} {
		for _, s := range states {
			is := "stays"
			for name, holds := range map[string]bool{"leaves": s.Leaving(), "waits": s.Waiting(), "over": s.Over()} {
				if holds && is != "stays" {
					t.Errorf("%s is %s and %s", s, is, name)
				}
				if holds {
					is = name
				}
			}
			if is != where {
				t.Errorf("%s is %s, want %s", s, is, where)
			}
		}
	}
}

// Nothing of a task runs only in one state, and in the one that follows it.
func TestWhetherATaskMayStillRun(t *testing.T) {
	for status, live := range map[string]bool{"PROVISIONING": true, "PENDING": true, "ACTIVATING": true, "RUNNING": true, Deactivating: true,
		"STOPPING": true, "DEPROVISIONING": true, Stopped: false, "DELETED": false, "": true} {
		task := Task{LastStatus: status, DesiredStatus: Stopped, StoppedReason: "Host EC2 (instance i-0a) stopped/terminated."}
		if task.Live() != live || task.Killed() != !live {
			t.Errorf("%s: live %v, killed by its host %v", status, task.Live(), task.Killed())
		}
	}
	for group, want := range map[string]string{"service:web": "web", "service:a:b": "a:b", "service:": "", "family:web": "", "": "",
		"myservice:web": ""} {
		if got := (Task{Group: group}).Service(); got != want {
			t.Errorf("%q belongs to service %q, want %q", group, got, want)
		}
	}
}

func TestWhenAnInstanceIsGone(t *testing.T) {
	for state, gone := range map[InstanceState]bool{"pending": false, StateRunning: false, StateShuttingDown: true, StateTerminated: true,
		StateStopping: true, StateStopped: true, "": false, "new-state": false} {
		if state.Gone() != gone {
			t.Errorf("%q is gone: %v", state, !gone)
		}
	}
}

// What a look began later found replaces what is known, and never the other way round.
func TestTheNewerLookCounts(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	var f Fact[string]
	for _, put := range []struct {
		after        time.Duration
		is           Knowledge
		value        string
		want         string
		when, before time.Duration // -1: none
	}{
		{5, Seen, "a", "a", 5, -1}, {3, Absent, "old", "a", 5, -1}, {5, Seen, "b", "b", 5, -1}, {9, Absent, "", "", 9, 5},
		{8, Seen, "late", "", 9, 5}, {12, Seen, "c", "c", 12, 9},
	} {
		f.Put(put.is, at.Add(put.after), put.value)
		before := time.Time{}
		if put.before >= 0 {
			before = at.Add(put.before)
		}
		if f.Value != put.want || !f.When().Equal(at.Add(put.when)) || !f.Before.Equal(before) {
			t.Errorf("after %q of %d: %+v", put.value, put.after, f)
		}
	}
	if f.Is != Seen {
		t.Errorf("it is %d", f.Is)
	}
}

// A pattern that is wrong fits nothing, and the first entry that fits counts.
func TestWhichPatternFits(t *testing.T) {
	for pattern, names := range map[string]map[string]bool{
		"web-*": {"web-": true, "web-a": true, "web": false, "my-web-a": false, "web-a/b": false},
		"web-?": {"web-1": true, "web-12": false, "web-": false}, "[a-c]*": {"batch": true, "web": false},
		"web":  {"web": true, "WEB": false, "": false},
		"web[": {"web[": false, "web": false}, "*": {"web": true, "team/web": false, "": true},
		"*/*": {"team/web": true}, "": {"": true, "web": false},
	} {
		for name, want := range names {
			if Match(pattern, name) != want {
				t.Errorf("%q fits %q: %v", pattern, name, !want)
			}
		}
	}
	same := func(s string) string { return s }
	if got, ok := FirstMatch([]string{"web[", "x*", "web-*", "web-a"}, "web-a", same); got != "web-*" || !ok {
		t.Errorf("got %q, %v", got, ok)
	}
	if got, ok := FirstMatch([]string{"web["}, "web[", same); got != "" || ok {
		t.Errorf("got %q, %v", got, ok)
	}
}

func TestTheNameInAnARN(t *testing.T) {
	for arn, want := range map[ARN]string{
		"arn:aws:ecs:eu-west-1:111122223333:task/prod/0123": "0123", "arn:aws:ecs:eu-west-1:111122223333:cluster/prod": "prod",
		"arn:aws:ecs:eu-west-1:111122223333:task-definition/web:7": "web:7", "prod": "prod", "": "", "a/": "",
	} {
		if got := arn.Name(); got != want {
			t.Errorf("%s: %q, want %q", arn, got, want)
		}
	}
}
