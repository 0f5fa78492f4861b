package sim

import (
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// taskRetirement is the code of the retirement of tasks on Fargate.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-maintenance.html
const taskRetirement = "AWS_ECS_TASK_PATCHING_RETIREMENT"

// instanceChanges are the scheduled changes of instances that AWS Health has examples of. Only with a retirement something happens here.
// https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html
var instanceChanges = map[string]string{
	"retirement": "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED", "reboot": "AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED",
	"network": "AWS_EC2_INSTANCE_NETWORK_MAINTENANCE_SCHEDULED",
}

// ScheduleChange is AWS Health announcing a change of an instance: its retirement (empty too), reboot, or network maintenance, so much
// later. At a retirement EC2 stops the instance.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/schedevents_actions_retire.html
func (w *World) ScheduleChange(instance, what string, in time.Duration) error {
	if what == "" {
		what = "retirement"
	}
	code, ok := instanceChanges[what]
	if !ok {
		return core.Refuse("InvalidParameterValue", "The change %q is not known: it must be retirement, reboot or network.", what)
	}
	found, err := w.DescribeInstances([]string{instance})
	if err != nil {
		return err
	}
	h := found[0]
	w.announce(core.Entry{Instance: h.ID, Group: h.Group, ContainerInstance: h.ContainerInstance}, "EC2", code, []string{h.ID}, in)
	if what == "retirement" {
		w.After(in, func() { _ = w.StopInstances([]string{h.ID}) }) // it may have gone before
	}
	return nil
}

// RetireFargate is AWS Health announcing that the tasks on Fargate of a service, or the standalone ones of a family, end so much later
// because their platform is retired. Tasks that start in between stay.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-maintenance.html
func (w *World) RetireFargate(cluster, service, family string, in time.Duration) error {
	tasks, err := w.FargateTasks(cluster, service, family)
	if err != nil {
		return err
	}
	if len(tasks) == 0 {
		return core.Refuse("InvalidParameterException", "No such task runs on Fargate in cluster %s.", cluster)
	}
	entities := tasks
	if service != "" {
		entities = []string{cluster + "|" + service}
	}
	w.announce(core.Entry{Cluster: cluster, Service: service}, "ECS", taskRetirement, entities, in)
	w.After(in, func() { w.RetireTasks(tasks) })
	return nil
}

// announce tells of a scheduled change, in the record and on the bus.
// https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html
func (w *World) announce(about core.Entry, service, code string, entities []string, in time.Duration) {
	about.Kind, about.To, about.Text = core.EntryNotice, core.NoticeScheduled, code+" "+core.ISO(w.Now().Add(in))
	w.As("aws", func() { w.Log(about) })
	const detailType = "AWS Health Event"
	if !w.Wants("aws.health", detailType) {
		return
	}
	affected := core.Mapped(entities, func(id string) any {
		return map[string]any{"entityValue": id, "lastUpdatedTime": healthTime(w.Now()), "status": "PENDING"}
	})
	w.Emit(core.Entry{}, "aws.health", detailType, entities, map[string]any{
		"eventArn": "arn:aws:health:" + w.Region + "::event/" + service + "/" + code + "/" + code + "_" + w.Hex(16),
		"service":  service, "eventTypeCode": code, "eventTypeCategory": "scheduledChange", "eventScopeCode": "ACCOUNT_SPECIFIC",
		"communicationId": w.Hex(40) + "-1", "startTime": healthTime(w.Now().Add(in)), "lastUpdatedTime": healthTime(w.Now()),
		"statusCode": "upcoming", "eventRegion": w.Region, "affectedAccount": w.Account, "affectedEntities": affected,
		"eventDescription": []any{map[string]any{"language": "en_US", "latestDescription": "A change is scheduled."}},
		"page":             "1", "totalPages": "1", "backupEvent": "false", "actionability": "ACTION_REQUIRED",
		"personas": []string{"OPERATIONS"},
	})
}

// healthTime spells a time as AWS Health does.
func healthTime(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT") }
