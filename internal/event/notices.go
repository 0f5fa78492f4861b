package event

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

const asksECS = "Ebb asks ECS itself and does not need its events"

// parseTaskChange reads a task state change. Most say what Ebb sees better by itself, but one announces that a Spot task of Fargate stops.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_task_events.html
func parseTaskChange(f *fields) Event {
	detail := f.part("detail")
	if !interrupts(detail) {
		return Event{Kind: Ignored, Why: asksECS}
	}
	e := Event{Kind: TaskStops, Task: taskARN(f, detail)}
	e.Cluster = clusterName(detail, e.Task)
	if name, ok := strings.CutPrefix(detail.word("group"), "service:"); ok && nameForm.MatchString(name) {
		e.Service = name
	}
	e.Rehearsal = detail.word(rehearses) == "true"
	return detail.or(e)
}

// interrupts reports whether the detail of a task state change says that Fargate Spot stops the task. Some events have no stopCode, and
// some no capacityProviderName. One that comes when the task is already stopping is late, and still a notice.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html
// https://github.com/aws/containers-roadmap/issues/1565 https://github.com/aws/containers-roadmap/issues/1515
func interrupts(detail *fields) bool {
	if detail.word("desiredStatus") != fleet.Stopped {
		return false
	}
	if !slices.Contains([]string{"RUNNING", fleet.Deactivating, "STOPPING", "DEPROVISIONING"}, detail.word("lastStatus")) {
		return false
	}
	launch, provider := detail.word("launchType"), detail.word("capacityProviderName")
	if detail.has("containerInstanceArn") || launch != "FARGATE" && provider != fleet.FargateSpot && (launch != "" || provider != "") {
		return false
	}
	switch detail.word("stopCode") {
	case "SpotInterruption", "TerminationNotice":
		return true
	case "":
		return (provider == fleet.FargateSpot || provider == "") && strings.HasPrefix(detail.word("stoppedReason"), "Your Spot Task was interrupted")
	}
	return false
}

// nameForm is the form of the name of a cluster or service.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html
var nameForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

// taskForm is the form of the ARN of a task. The older one does not name the cluster.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html#ecs-resource-ids
var taskForm = regexp.MustCompile(
	`^arn:aws[a-z-]{0,16}:ecs:[a-z0-9-]{1,32}:[0-9]{12}:task/(?:([A-Za-z0-9_-]{1,255})/)?(?:[0-9a-f]{32}|[0-9a-f-]{36})$`)

// clusterForm is the form of the ARN of a cluster.
var clusterForm = regexp.MustCompile(`^arn:aws[a-z-]{0,16}:ecs:[a-z0-9-]{1,32}:[0-9]{12}:cluster/[A-Za-z0-9_-]{1,255}$`)

// taskARN is the task of a task state change: the taskArn of its detail, or its resource. One in another form makes AWS refuse a whole call
// about many tasks.
func taskARN(f, detail *fields) fleet.ARN {
	name, arn := "taskArn", detail.str("taskArn")
	if resources := f.each("resources"); arn == "" && len(resources) > 0 {
		_ = json.Unmarshal(resources[0], &arn)
	}
	switch {
	case len(detail.problems) > 0:
	case arn == "":
		detail.problem("the field %q is missing or empty, and there is no resource", detail.prefix+name)
	case !taskForm.MatchString(arn):
		detail.problem("the task is %s, which is no ARN of a task", quote(arn))
	}
	return fleet.ARN(arn)
}

// clusterName is the cluster of a task, as the message or the ARN of the task names it. ECS refuses a call about tasks of another cluster.
func clusterName(detail *fields, task fleet.ARN) string {
	var inTask string
	if parts := taskForm.FindStringSubmatch(string(task)); parts != nil {
		inTask = parts[1]
	}
	arn := detail.str("clusterArn")
	name := fleet.ARN(arn).Name()
	switch {
	case arn == "" && inTask != "":
		return inTask
	case arn == "":
		_ = detail.need("clusterArn")
	case !clusterForm.MatchString(arn):
		detail.problem("the field %q is %s, which is no ARN of a cluster", detail.prefix+"clusterArn", quote(arn))
	case inTask != "" && inTask != name:
		detail.problem("the field %q is %s, but the task is one of cluster %s", detail.prefix+"clusterArn", quote(arn), quote(inTask))
	}
	return name
}

// stateForm is the form of the state of an instance. One that Ebb does not know is carried as it came.
var stateForm = regexp.MustCompile(`^[a-z-]{1,32}$`)

// parseInstance reads a notice of EC2 about one instance. The resource of a Spot warning has the Availability Zone where the Region
// belongs, so only the detail names the instance.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html
func parseInstance(f *fields, kind Kind) Event {
	detail := f.object("detail")
	if len(f.problems) > 0 {
		return Event{}
	}
	e := Event{Kind: kind, Instance: detail.instance("instance-id")}
	switch kind {
	case InstanceEnds:
		if action := detail.word("instance-action"); slices.Contains([]string{"terminate", "stop", hibernate}, action) {
			e.Action = action
		}
		if e.Rehearsal = detail.word(rehearses) == "true"; e.Rehearsal {
			if e.Cluster = detail.need(inCluster); !nameForm.MatchString(e.Cluster) {
				detail.problem("the field %q is %s, which is no name of a cluster", detail.prefix+inCluster, quote(e.Cluster))
			}
		}
	case InstanceState:
		e.State = fleet.InstanceState(detail.need("state"))
		if e.State != "" && !stateForm.MatchString(string(e.State)) {
			detail.problem("the field %q is %s, which is no state of an instance", detail.prefix+"state", quote(string(e.State)))
		}
	default:
	}
	return detail.or(e)
}

const hibernate = "hibernate"

// ends is when EC2 ends the instance of a warning: two minutes after it, but hibernation begins at once.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
func ends(e Event) time.Time {
	switch {
	case e.Kind != InstanceEnds || e.Time.IsZero():
		return time.Time{}
	case e.Action == hibernate:
		return e.Time
	}
	return e.Time.Add(2 * time.Minute)
}

// retirement is the code of the retirement of Fargate tasks.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-maintenance.html
const retirement = "AWS_ECS_TASK_PATCHING_RETIREMENT"

// codeForm is the form of an eventTypeCode.
// https://docs.aws.amazon.com/health/latest/APIReference/API_Event.html
var codeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{3,100}$`)

// parseHealth reads an event of AWS Health. Those of EC2 have many codes, so their category says what they are.
// https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html
func parseHealth(f *fields) Event {
	detail := f.part("detail")
	service, code := detail.word("service"), detail.word("eventTypeCode")
	switch {
	case detail.word("eventTypeCategory") != "scheduledChange", service != "EC2" && (service != "ECS" || code != retirement):
		return Event{Kind: Ignored, Why: "it is no scheduled change of EC2 instances or Fargate tasks"}
	case detail.word("statusCode") == "closed":
		return Event{Kind: Ignored, Why: "the scheduled change is over, or AWS has called it off"}
	case !codeForm.MatchString(code):
		detail.problem("the field %q is %s, which is no code of AWS Health", detail.prefix+"eventTypeCode", quote(code))
	}
	e := Event{Kind: ScheduledChange, Change: Change{Service: service, Code: code, Starts: healthTime(detail.word("startTime"))}}
	for _, entity := range entities(f, detail) {
		if service == "EC2" && instanceForm.MatchString(fleet.ARN(entity).Name()) {
			entity = fleet.ARN(entity).Name()
		}
		switch {
		case !entityForm.MatchString(entity), len(e.Change.Entities) >= mostEntities:
			e.Change.Omitted++
		case !slices.Contains(e.Change.Entities, entity):
			e.Change.Entities = append(e.Change.Entities, entity)
		}
	}
	return detail.or(e)
}

// mostEntities is how many resources of a scheduled change are kept.
const mostEntities = 200

// entityForm is the form of a resource of a scheduled change. The longest are CLUSTER|SERVICE and the ARNs of tasks.
var entityForm = regexp.MustCompile(`^[!-~]{1,600}$`)

// entities are the resources that an event of AWS Health names: in its detail, or else beside it.
func entities(f, detail *fields) (names []string) {
	for _, raw := range detail.each("affectedEntities") {
		var entity struct {
			Value string `json:"entityValue"`
		}
		_ = json.Unmarshal(raw, &entity)
		names = append(names, entity.Value)
	}
	if len(names) > 0 {
		return names
	}
	for _, raw := range f.each("resources") {
		var name string
		_ = json.Unmarshal(raw, &name)
		names = append(names, name)
	}
	return names
}

// healthTime reads a time as AWS Health writes it in a detail, or as it stands elsewhere in events. Another one reads as zero.
func healthTime(s string) time.Time {
	for _, layout := range []string{"Mon, 2 Jan 2006 15:04:05 GMT", time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
