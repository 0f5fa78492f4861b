package event

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/fleet"
)

const (
	anInstance = "i-0a1b2c3d4e5f60718"
	aCluster   = "arn:aws:ecs:eu-west-1:111122223333:cluster/"
	aTask      = "arn:aws:ecs:eu-west-1:111122223333:task/prod/0f1e2d3c4b5a69788796a5b4c3d2e1f0"
)

// notice is an event about the task or the instance of the files in testdata.
func notice(kind Kind, change func(*Event)) Event {
	e := Event{Kind: kind, Account: "111122223333", Time: at("2026-11-21T09:15:02Z")}
	switch kind {
	case TaskStops:
		e.Task, e.Cluster, e.Service = aTask, "prod", "web"
	case InstanceEnds, Rebalance, InstanceState:
		e.Instance = anInstance
	}
	if change != nil {
		change(&e)
	}
	return e
}

// notices are the events that the files in testdata about tasks, instances and AWS Health say.
func notices() map[string]Event {
	noService := func(e *Event) { e.Service = "" }
	twoMinutes := func(e *Event) { e.Action, e.Ends = "terminate", at("2026-11-21T09:17:02Z") }
	change := func(service, code string, entities ...string) func(*Event) {
		return func(e *Event) {
			e.Change = Change{Service: service, Code: code, Entities: entities, Starts: at("2026-12-04T13:00:00Z")}
		}
	}
	return map[string]Event{
		"eventbridge-ecs-task.json":               notice(TaskStops, noService),
		"eventbridge-task-stops.json":             notice(TaskStops, nil),
		"eventbridge-task-stops-no-code.json":     notice(TaskStops, nil),
		"eventbridge-task-stops-no-provider.json": notice(TaskStops, nil),
		"eventbridge-task-stops-late.json":        notice(TaskStops, nil),
		"eventbridge-task-stops-standalone.json":  notice(TaskStops, noService),
		"eventbridge-task-stops-short.json": notice(TaskStops, func(e *Event) {
			e.Task, e.Cluster, e.Service = "arn:aws:ecs:eu-west-1:111122223333:task/b99d40b3-5176-4f71-9a52-9dbd6f1cebef", "default", ""
		}),
		"eventbridge-task-scaled-in.json":     notice(Ignored, nil),
		"eventbridge-task-stopped.json":       notice(Ignored, nil),
		"eventbridge-task-on-host.json":       notice(Ignored, nil),
		"eventbridge-spot-warning.json":       notice(InstanceEnds, twoMinutes),
		"eventbridge-sns-spot-terminate.json": notice(InstanceEnds, twoMinutes),
		"eventbridge-spot-stop.json":          notice(InstanceEnds, func(e *Event) { e.Action, e.Ends = "stop", at("2026-11-21T09:17:02Z") }),
		"eventbridge-spot-hibernate.json":     notice(InstanceEnds, func(e *Event) { e.Action, e.Ends = "hibernate", e.Time }),
		"eventbridge-rebalance.json":          notice(Rebalance, nil),
		"eventbridge-instance-state.json":     notice(InstanceState, func(e *Event) { e.State = fleet.StateShuttingDown }),
		"eventbridge-health-instances.json": notice(ScheduledChange,
			change("EC2", "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED", anInstance, "i-0b1b2c3d4e5f60718")),
		"eventbridge-health-services.json": notice(ScheduledChange, change("ECS", retirement, "prod|web", "prod|worker")),
		"eventbridge-health-tasks.json": notice(ScheduledChange,
			change("ECS", retirement, aTask, "arn:aws:ecs:eu-west-1:111122223333:task/prod/00805ce1d81940b5a37398e5a2c25555")),
		"eventbridge-health-over.json":  notice(Ignored, nil),
		"eventbridge-health-issue.json": notice(Ignored, nil),
	}
}

// members is one object of a message.
type members = map[string]any

// changed is a file of testdata with its body changed.
func changed(t *testing.T, file string, change func(body, detail members)) []byte {
	t.Helper()
	body, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var m members
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	change(m, m["detail"].(members))
	if body, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return body
}

// Each row changes the event of an interrupted task a little.
func TestWhichTaskStateChangesAnnounceAStop(t *testing.T) {
	const host = "arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/00f1e2d3c4b5a69788796a5b4c3d2e1f"
	tests := map[string]struct {
		detail members
		want   Kind
	}{
		"as it came":                       {members{}, TaskStops},
		"the older code":                   {members{"stopCode": "TerminationNotice"}, TaskStops},
		"no code":                          {members{"stopCode": nil}, TaskStops},
		"a number as code":                 {members{"stopCode": 7}, TaskStops},
		"no code, no provider":             {members{"stopCode": nil, "capacityProviderName": nil}, TaskStops},
		"no code, on demand":               {members{"stopCode": nil, "capacityProviderName": "FARGATE"}, Ignored},
		"no code, another reason":          {members{"stopCode": nil, "stoppedReason": "Task stopped by the user"}, Ignored},
		"no code, no reason":               {members{"stopCode": nil, "stoppedReason": nil}, Ignored},
		"no code, a longer reason":         {members{"stopCode": nil, "stoppedReason": "Your Spot Task was interrupted: capacity"}, TaskStops},
		"a code, another reason":           {members{"stoppedReason": "x"}, TaskStops},
		"another code":                     {members{"stopCode": "UserInitiated"}, Ignored},
		"the host is sick":                 {members{"stopCode": "InfrastructureHealth"}, Ignored},
		"no launch type":                   {members{"launchType": nil}, TaskStops},
		"no launch type, no provider":      {members{"launchType": nil, "capacityProviderName": nil}, TaskStops},
		"no launch type, on a host":        {members{"launchType": nil, "capacityProviderName": nil, "containerInstanceArn": host}, Ignored},
		"no launch type, another provider": {members{"launchType": nil, "capacityProviderName": "web"}, Ignored},
		"on EC2":                           {members{"launchType": "EC2", "capacityProviderName": nil}, Ignored},
		"of a Managed Instance":            {members{"launchType": "MANAGED_INSTANCES", "containerInstanceArn": host}, Ignored},
		"it is meant to run":               {members{"desiredStatus": "RUNNING"}, Ignored},
		"targets drain":                    {members{"lastStatus": "DEACTIVATING"}, TaskStops},
		"it stops":                         {members{"lastStatus": "STOPPING"}, TaskStops},
		"its network goes":                 {members{"lastStatus": "DEPROVISIONING"}, TaskStops},
		"it has stopped":                   {members{"lastStatus": "STOPPED"}, Ignored},
		"it has never run":                 {members{"lastStatus": "PENDING"}, Ignored},
		"no status":                        {members{"lastStatus": nil}, Ignored},
		"a status that is none":            {members{"lastStatus": []string{"RUNNING"}}, Ignored},
		"no task, but a resource":          {members{"taskArn": nil}, TaskStops},
		"the task is a number":             {members{"taskArn": 1}, Unknown},
		"the task is a cluster":            {members{"taskArn": aCluster + "prod"}, Unknown},
		"the id is too short":              {members{"taskArn": aTask[:len(aTask)-1]}, Unknown},
		"the id is too long":               {members{"taskArn": aTask + "0"}, Unknown},
		"the task ends in a line break":    {members{"taskArn": aTask + "\n"}, Unknown},
		"the task of another cluster":      {members{"taskArn": strings.Replace(aTask, "/prod/", "/test/", 1)}, Unknown},
		"no cluster, but in the task":      {members{"clusterArn": nil}, TaskStops},
		"the cluster has no ARN":           {members{"clusterArn": "prod"}, Unknown},
		"the cluster is too long":          {members{"clusterArn": aCluster + strings.Repeat("x", 256)}, Unknown},
		"a service of no form":             {members{"group": "service:" + strings.Repeat("x", 256)}, TaskStops},
		"what else AWS changes":            {members{"new": members{"a": []int{1}}, "version": "5", "cpu": "null", "containers": nil}, TaskStops},
		"of another partition": {members{
			"taskArn": strings.Replace(aTask, "aws:ecs:eu-west-1", "aws-us-gov:ecs:us-gov-west-1", 1),
		}, TaskStops},
	}
	for name, x := range tests {
		t.Run(name, func(t *testing.T) {
			e := Parse(changed(t, "eventbridge-task-stops.json", func(_, detail members) {
				maps.Copy(detail, x.detail)
			}))
			if e.Kind != x.want {
				t.Fatalf("%+v, want %s", e, x.want)
			}
			if e.Kind == TaskStops && (e.Cluster != "prod" || e.Task.Name() != "0f1e2d3c4b5a69788796a5b4c3d2e1f0" || len(e.Service) > 3) {
				t.Errorf("%+v", e)
			}
		})
	}
}

// What is not a notice is no reason to fail on: nothing of it is needed.
func TestATaskStateChangeWithoutDetailIsIgnored(t *testing.T) {
	for _, detail := range []string{`null`, `{}`, `[]`, `"x"`, `{"desiredStatus":1}`} {
		body := `{"source":"aws.ecs","detail-type":"ECS Task State Change","detail":` + detail + `}`
		if e := Parse([]byte(body)); e.Kind != Ignored {
			t.Errorf("%s: %+v", detail, e)
		}
	}
}

func TestANoticeWithoutATaskSaysWhatIsMissing(t *testing.T) {
	e := Parse(changed(t, "eventbridge-task-stops.json", func(body, detail members) {
		body["resources"], detail["taskArn"], detail["clusterArn"] = []string{}, nil, nil
	}))
	if e.Kind != Unknown || !strings.Contains(e.Why, "taskArn\" is missing") || !strings.Contains(e.Why, "clusterArn\" is missing") {
		t.Errorf("%+v", e)
	}
}

func TestNoticesAboutInstances(t *testing.T) {
	const why = "which is no instance id"
	for _, x := range []struct {
		file   string
		detail members
		want   Kind
		why    string
	}{
		{"eventbridge-spot-warning.json", members{"instance-id": nil}, Unknown, `"detail.instance-id" is missing`},
		{"eventbridge-spot-warning.json", members{"instance-id": "web"}, Unknown, why},
		{"eventbridge-rebalance.json", members{"instance-id": "i-1"}, Unknown, why},
		{"eventbridge-instance-state.json", members{"instance-id": 7}, Unknown, `is a number, not a string`},
		{"eventbridge-instance-state.json", members{"state": nil}, Unknown, `"detail.state" is missing`},
		{"eventbridge-instance-state.json", members{"state": "Off now"}, Unknown, `which is no state of an instance`},
		{"eventbridge-instance-state.json", members{"state": "quarantined"}, InstanceState, ""},
		{"eventbridge-spot-warning.json", members{"instance-action": nil}, InstanceEnds, ""},
		{"eventbridge-spot-warning.json", members{"instance-action": "explode"}, InstanceEnds, ""},
		{"eventbridge-spot-warning.json", members{"instance-action": 3}, InstanceEnds, ""},
	} {
		e := Parse(changed(t, x.file, func(_, detail members) {
			maps.Copy(detail, x.detail)
		}))
		if e.Kind != x.want || !strings.Contains(e.Why, x.why) || e.Action != "" {
			t.Errorf("%s %v: %+v", x.file, x.detail, e)
		}
	}
	for _, detail := range []string{`null`, `[]`} {
		body := `{"source":"aws.ec2","detail-type":"EC2 Instance Rebalance Recommendation","detail":` + detail + `}`
		if e := Parse([]byte(body)); e.Kind != Unknown || !strings.Contains(e.Why, `the field "detail" is`) {
			t.Errorf("%s: %+v", detail, e)
		}
	}
}

// The envelope of SNS has the time when the event has none.
func TestWhenAnInstanceEnds(t *testing.T) {
	body := changed(t, "eventbridge-spot-warning.json", func(body, _ members) { delete(body, "time") })
	if e := Parse(body); e.Kind != InstanceEnds || !e.Ends.IsZero() {
		t.Errorf("without a time: %+v", e)
	}
	e := Parse([]byte(strings.Replace(sns(t, string(body)), "{", `{"Timestamp":"2026-11-21T09:15:03Z",`, 1)))
	if e.Kind != InstanceEnds || !e.Ends.Equal(at("2026-11-21T09:17:03Z")) {
		t.Errorf("with the time of SNS: %+v", e)
	}
}

func TestScheduledChanges(t *testing.T) {
	health := func(file string, detail members) Event {
		return Parse(changed(t, file, func(_, d members) {
			maps.Copy(d, detail)
		}))
	}
	const instances, tasks = "eventbridge-health-instances.json", "eventbridge-health-tasks.json"
	for _, x := range []struct {
		file   string
		detail members
		want   Kind
	}{
		{instances, members{"service": "RDS"}, Ignored},
		{instances, members{"service": nil}, Ignored},
		{instances, members{"eventTypeCategory": "accountNotification"}, Ignored},
		{instances, members{"statusCode": "open"}, ScheduledChange},
		{instances, members{"eventTypeCode": "AWS_EC2_SYSTEM_REBOOT_MAINTENANCE_SCHEDULED"}, ScheduledChange},
		{instances, members{"eventTypeCode": nil}, Unknown},
		{instances, members{"eventTypeCode": strings.Repeat("X", 101)}, Unknown},
		{instances, members{"page": 1, "totalPages": 2, "backupEvent": true}, ScheduledChange},
		{tasks, members{"eventTypeCode": "AWS_ECS_OTHER"}, Ignored},
		{tasks, members{"service": "EKS"}, Ignored},
	} {
		if e := health(x.file, x.detail); e.Kind != x.want {
			t.Errorf("%s %v: %+v", x.file, x.detail, e)
		}
	}
	for when, want := range map[any]string{
		"Fri, 4 Dec 2026 13:00:00 GMT": "2026-12-04T13:00:00Z", "2026-12-04T14:00:00+01:00": "2026-12-04T13:00:00Z",
		"Fri, 04 Dec 2026 13:00:00 CET": "", "soon": "", 17: "", nil: "",
	} {
		e := health(instances, members{"startTime": when})
		if got := e.Change.Starts; e.Kind != ScheduledChange || want == "" && !got.IsZero() || want != "" && !got.Equal(at(want)) {
			t.Errorf("%v: %+v", when, e)
		}
	}
}

func TestTheEntitiesOfAScheduledChange(t *testing.T) {
	many := make([]members, mostEntities+7)
	for i := range many {
		many[i] = members{"entityValue": fmt.Sprintf("i-%08x", i)}
	}
	entity := func(v any) members { return members{"entityValue": v} }
	for name, x := range map[string]struct {
		entities, resources any
		want                []string
		omitted             int
	}{
		"once each": {
			[]any{entity(anInstance), entity("arn:aws:ec2:eu-west-1:111122223333:instance/" + anInstance)}, nil, []string{anInstance}, 0,
		},
		"no instance": {[]any{entity("h-0a1b2c3d")}, nil, []string{"h-0a1b2c3d"}, 0},
		"of no form": {
			[]any{entity("a b"), entity(nil), entity(strings.Repeat("x", 601)), entity("é"), "x", 7, entity(anInstance)},
			nil, []string{anInstance}, 6,
		},
		"beside it":       {[]any{}, []any{anInstance, 7}, []string{anInstance}, 1},
		"nowhere":         {nil, nil, nil, 0},
		"no arrays":       {"x", 7, nil, 0},
		"the detail wins": {[]any{entity(anInstance)}, []any{"i-0b1b2c3d"}, []string{anInstance}, 0},
	} {
		e := Parse(changed(t, "eventbridge-health-instances.json", func(body, detail members) {
			detail["affectedEntities"], body["resources"] = x.entities, x.resources
		}))
		if e.Kind != ScheduledChange || !slices.Equal(e.Change.Entities, x.want) || e.Change.Omitted != x.omitted {
			t.Errorf("%s: %+v", name, e)
		}
	}
	e := Parse(changed(t, "eventbridge-health-instances.json", func(_, detail members) { detail["affectedEntities"] = many }))
	if len(e.Change.Entities) != mostEntities || e.Change.Omitted != 7 {
		t.Errorf("%d are kept and %d left out", len(e.Change.Entities), e.Change.Omitted)
	}
}

// A notice may begin a drain, and people are told of a scheduled change. That an instance runs does no more than wake an Ebb that runs as a function.
func TestNoticesWake(t *testing.T) {
	for name, want := range notices() {
		body, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if e := Parse(body); e.Wakes() != (want.Kind == Ignored) || !cmp.Equal(e.Kind, want.Kind) {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if e := (Event{Kind: InstanceState, State: "running"}); !e.Wakes() {
		t.Error("an instance that runs may begin a drain")
	}
}

// A rehearsed notice is read as the true one, and as a rehearsal.
func TestARehearsedNotice(t *testing.T) {
	at := time.Date(2026, 11, 29, 4, 0, 0, 250_000_000, time.UTC)
	const cluster = "arn:aws:ecs:eu-west-1:111122223333:cluster/prod"
	got := Parse([]byte(RehearseTask("111122223333", "eu-west-1", cluster, aTask, "service:web", at)))
	want := Event{Kind: TaskStops, Account: "111122223333", Task: aTask, Cluster: "prod", Service: "web", Rehearsal: true, Time: at}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	got = Parse([]byte(RehearseInstance("111122223333", "eu-west-1", "prod", anInstance, at)))
	want = Event{Kind: InstanceEnds, Account: "111122223333", Instance: anInstance, Cluster: "prod", Action: "terminate", Rehearsal: true, Time: at,
		Ends: at.Add(2 * time.Minute)}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if e := Parse([]byte(RehearseInstance("111122223333", "eu-west-1", "no cluster", anInstance, at))); e.Kind != Unknown {
		t.Errorf("a cluster that is none: %+v", e)
	}
}
