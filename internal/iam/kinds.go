package iam

import "slices"

// kind is a kind of resource, and whether the calls on it act or look: what becomes one statement.
type kind struct {
	sid       string
	on        on
	acts      bool
	resources []string
	condition map[string]map[string][]string
}

// on is what IAM checks a call against, in the words of the Service Authorization Reference.
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
type on string

const (
	onNothing          on = "*"            // AWS knows no resource of these calls
	inCluster          on = "* in cluster" // nor of these, but they carry the condition key ecs:cluster
	onCluster          on = "cluster"
	onAnyCluster       on = "any cluster" // whatever the scope says
	onHost             on = "container-instance"
	onAnyHost          on = "any container-instance"
	onTask             on = "task"
	onService          on = "service"
	onRevision         on = "service-revision"
	onCapacityProvider on = "capacity-provider"
	onAutoScalingGroup on = "autoScalingGroup"
	onTargetGroup      on = "targetgroup"
	onNames            on = "service of Cloud Map"
	onLatticeGroup     on = "targetgroup of VPC Lattice"
	onHealthCheck      on = "healthcheck"
	onQueue            on = "queue"
	onAlarm            on = "alarm"
	onRule             on = "rule"
	onTable            on = "table"
	onLogs             on = "log-stream"
	onTopic            on = "topic"
	onBus              on = "event-bus"
	onParameter        on = "parameter"
	onSecret           on = "secret"
	onSecretKey        on = "key of secrets"
	onTopicKey         on = "key of topics"
)

// kinds are the statements of a policy in their order, before their actions are known.
func kinds(m Mode, s Scope) []kind {
	inClusters := map[string]map[string][]string{"ArnLike": {"ecs:cluster": s.arn("ecs", "cluster/%s", s.Clusters)}}
	hears := "Hear"
	if m == Agent {
		hears = "Report"
	}
	return []kind{
		{sid: "Look", on: onNothing, resources: []string{"*"}},
		{sid: "LookAtClusters", on: onCluster, resources: s.arn("ecs", "cluster/%s", s.Clusters)},
		{sid: "ListInClusters", on: inCluster, resources: []string{"*"}, condition: inClusters},
		{sid: "FindHosts", on: onAnyCluster, resources: s.arn("ecs", "cluster/%s", nil)},
		{sid: "LookAtFoundHosts", on: onAnyHost, resources: s.arn("ecs", "container-instance/%s", nil)},
		{sid: "LookAtHosts", on: onHost, resources: s.arn("ecs", "container-instance/%s/*", s.Clusters)},
		{sid: "LookAtTasks", on: onTask, resources: s.arn("ecs", "task/%s/*", s.Clusters)},
		{sid: "LookAtServices", on: onService, resources: s.arn("ecs", "service/%s/*", s.Clusters)},
		{sid: "LookAtServiceRevisions", on: onRevision, resources: s.arn("ecs", "service-revision/%s/*", s.Clusters)},
		{sid: "LookAtCapacityProviders", on: onCapacityProvider, resources: s.arn("ecs", "capacity-provider/%s", nil)},
		{sid: "LookAtCloudMap", on: onNames, resources: s.arn("servicediscovery", "service/%s", nil)},
		{sid: "LookAtLatticeTargets", on: onLatticeGroup, resources: s.arn("vpc-lattice", "targetgroup/%s", nil)},
		{sid: "LookAtHealthChecks", on: onHealthCheck, resources: s.healthChecks()},
		{sid: "LookAtQueues", on: onQueue, resources: slices.Concat(s.queues(m), s.Backlogs)},
		{sid: "LookAtAlarms", on: onAlarm, resources: s.alarms()},
		{sid: "LookAtRules", on: onRule, resources: s.arn("events", "rule/%s", nil)},
		{sid: "LookAtJournal", on: onTable, resources: []string{s.Table}},
		{sid: "DrainHosts", on: onHost, acts: true, resources: s.arn("ecs", "container-instance/%s/*", s.Clusters)},
		{sid: "AnswerHooks", on: onAutoScalingGroup, acts: true, resources: s.groups(), condition: s.tagged()},
		{sid: "StopRehearsed", on: onTask, acts: true, resources: s.rehearsed(), condition: map[string]map[string][]string{
			"StringLike": {"aws:ResourceTag/" + rehearsalTag: {"*"}}}},
		{sid: "DeregisterTargets", on: onTargetGroup, acts: true, resources: s.arn("elasticloadbalancing", "targetgroup/%s", []string{"*/*"})},
		{sid: "DeregisterFromCloudMap", on: onNames, acts: true, resources: s.arn("servicediscovery", "service/%s", nil)},
		{sid: "DeregisterLatticeTargets", on: onLatticeGroup, acts: true, resources: s.arn("vpc-lattice", "targetgroup/%s", nil)},
		{sid: "DeleteHealthChecks", on: onHealthCheck, acts: true, resources: s.healthChecks()},
		{sid: "SetDesiredCounts", on: onService, acts: true, resources: s.counts()},
		{sid: hears, on: onQueue, acts: true, resources: s.queues(m)},
		{sid: "WriteJournal", on: onTable, acts: true, resources: []string{s.Table}},
		{sid: "WriteLogs", on: onLogs, acts: true, resources: s.logs()},
	}
}

// groups are the Auto Scaling groups whose hooks are answered.
func (s Scope) groups() []string {
	if s.NoGroups {
		return nil
	}
	return s.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/%s", s.Groups)
}

// healthChecks are those of Route 53, which knows neither Regions nor accounts in its ARNs.
func (s Scope) healthChecks() []string {
	return []string{"arn:" + s.Partition + ":route53:::healthcheck/*"}
}

// alarms are those of CloudWatch: composite ones are described only to who may describe everything.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
func (s Scope) alarms() []string {
	if !s.Scales {
		return nil
	}
	return []string{"*"}
}

// counts are the services whose desired counts are set.
func (s Scope) counts() []string {
	if len(s.Counts) == 0 {
		return nil
	}
	return s.arn("ecs", "service/%s", s.Counts)
}

// rehearsalTag is fleet.RehearsalTag: a task without it cannot be stopped.
const rehearsalTag = "ebb.rehearsal"

// rehearsed are the tasks that may be stopped.
func (s Scope) rehearsed() []string {
	if len(s.Rehearsals) == 0 {
		return nil
	}
	return s.arn("ecs", "task/%s/*", s.Rehearsals)
}

// tagged is the condition on the tag, or nil without one.
func (s Scope) tagged() map[string]map[string][]string {
	if s.Tag.Key == "" {
		return nil
	}
	return map[string]map[string][]string{"StringEquals": {"aws:ResourceTag/" + s.Tag.Key: {s.Tag.Value}}}
}

// queues are the queue that Ebb reads, or for the commands that look every queue, because hooks and rules name others.
func (s Scope) queues(m Mode) []string {
	if m == ReadOnly {
		return s.arn("sqs", "%s", nil)
	}
	return []string{s.Queue}
}

func (s Scope) logs() []string {
	if s.LogGroup == "" {
		return nil
	}
	return s.arn("logs", "log-group:%s:*", []string{s.LogGroup})
}
