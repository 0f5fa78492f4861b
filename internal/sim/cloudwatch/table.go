package cloudwatch

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// api are the operations of the service.
type api struct{ *CloudWatch }

// Service is CloudWatch as the wire serves it. It speaks three protocols: the SDK for Go CBOR, boto3 JSON, and older clients awsQuery.
func (w *CloudWatch) Service() core.Service {
	return core.Service{
		Name: "cloudwatch", Scope: "monitoring", Errors: refusals(), Operations: api{w}.operations(),
		Protocol: core.Protocol{JSON: "1.0", CBOR: true, Namespace: "http://monitoring.amazonaws.com/doc/2010-08-01/"},
	}
}

func refusals() core.Errors {
	return core.Errors{
		Throttled:  core.Error{Code: "ThrottlingException", Message: "Rate exceeded", Status: 400},
		Internal:   core.Error{Code: "InternalServiceFault", Message: "An internal error has occurred.", Status: 500},
		StaleToken: core.Error{Code: "InvalidNextToken", Message: "The next token specified is invalid.", Status: 400},
		Missing: func(member string) error {
			return core.Refuse("MissingRequiredParameterException", "The parameter %s is required.", member)
		},
		Denied: core.Denial{Code: "AccessDenied", Status: 403, Star: true},
		Query: map[string]string{ // https://github.com/boto/botocore/tree/develop/botocore/data/cloudwatch/2010-08-01
			"InternalServiceFault": "InternalServiceError", "InvalidParameterCombinationException": "InvalidParameterCombination",
			"InvalidParameterValueException": "InvalidParameterValue", "MissingRequiredParameterException": "MissingParameter",
			"ThrottlingException": "Throttling", "ValidationException": "ValidationError",
		},
		Typed: func(code, message string) error {
			if code == "ResourceNotFound" {
				return &types.ResourceNotFound{Message: &message}
			}
			return nil
		},
	}
}

// operations are the rows of all operations. Metrics have no ARN. DescribeAlarms is checked against all alarms, whichever it asks for,
// and with composite ones against *: a narrower policy does not show these.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
//
// The columns: needed members, what IAM checks, what the record says, page token, batch.
func (s api) operations() []core.Operation {
	return slices.Concat(s.metricOps(), s.alarmOps(), s.stateOps(), s.muteOps())
}

func (s api) metricOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("PutMetricData", s.putMetricData, "cloudwatch",
			func(in *cloudwatch.PutMetricDataInput) []core.Member { return core.Members("Namespace", in.Namespace) },
			core.NoResource, core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("GetMetricData", s.getMetricData, "cloudwatch",
			func(in *cloudwatch.GetMetricDataInput) []core.Member {
				return core.Members("MetricDataQueries", in.MetricDataQueries, "StartTime", in.StartTime, "EndTime", in.EndTime)
			},
			core.NoResource, core.NoSubject,
			func(in *cloudwatch.GetMetricDataInput) *string { return in.NextToken },
			core.NoBatch,
		),
	}
}

func (s api) alarmOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("PutMetricAlarm", s.putMetricAlarm, "cloudwatch",
			func(in *cloudwatch.PutMetricAlarmInput) []core.Member { return core.Members("AlarmName", in.AlarmName) },
			func(in *cloudwatch.PutMetricAlarmInput) []core.Resource {
				return s.alarmResource(core.Deref(in.AlarmName))
			},
			func(in *cloudwatch.PutMetricAlarmInput) core.Entry {
				return core.Entry{Alarm: core.Deref(in.AlarmName)}
			},
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("PutCompositeAlarm", s.putCompositeAlarm, "cloudwatch",
			func(in *cloudwatch.PutCompositeAlarmInput) []core.Member {
				return core.Members("AlarmName", in.AlarmName, "AlarmRule", in.AlarmRule)
			},
			func(in *cloudwatch.PutCompositeAlarmInput) []core.Resource {
				return s.alarmResource(core.Deref(in.AlarmName))
			},
			func(in *cloudwatch.PutCompositeAlarmInput) core.Entry {
				return core.Entry{Alarm: core.Deref(in.AlarmName)}
			},
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("DescribeAlarms", s.describeAlarms, "cloudwatch",
			core.NoNeeds,
			func(in *cloudwatch.DescribeAlarmsInput) []core.Resource {
				if slices.Contains(in.AlarmTypes, types.AlarmTypeCompositeAlarm) {
					return []core.Resource{{Kind: "alarm", ARN: "*"}}
				}
				return s.alarmResource("*")
			},
			func(in *cloudwatch.DescribeAlarmsInput) core.Entry {
				return core.Entry{Alarm: core.Only(in.AlarmNames, "")}
			},
			func(in *cloudwatch.DescribeAlarmsInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("DeleteAlarms", s.deleteAlarms, "cloudwatch",
			func(in *cloudwatch.DeleteAlarmsInput) []core.Member { return core.Members("AlarmNames", in.AlarmNames) },
			func(in *cloudwatch.DeleteAlarmsInput) []core.Resource { return s.alarmResource(in.AlarmNames...) },
			func(in *cloudwatch.DeleteAlarmsInput) core.Entry {
				return core.Entry{Alarm: core.Only(in.AlarmNames, "")}
			},
			core.NotPaged, core.NoBatch,
		),
	}
}

func (s api) stateOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("SetAlarmState", s.setAlarmState, "cloudwatch",
			func(in *cloudwatch.SetAlarmStateInput) []core.Member {
				return core.Members("AlarmName", in.AlarmName, "StateValue", in.StateValue, "StateReason", in.StateReason)
			},
			func(in *cloudwatch.SetAlarmStateInput) []core.Resource {
				return s.alarmResource(core.Deref(in.AlarmName))
			},
			func(in *cloudwatch.SetAlarmStateInput) core.Entry { return core.Entry{Alarm: core.Deref(in.AlarmName)} },
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("EnableAlarmActions", s.enable, "cloudwatch",
			func(in *cloudwatch.EnableAlarmActionsInput) []core.Member {
				return core.Members("AlarmNames", in.AlarmNames)
			},
			func(in *cloudwatch.EnableAlarmActionsInput) []core.Resource { return s.alarmResource(in.AlarmNames...) },
			func(in *cloudwatch.EnableAlarmActionsInput) core.Entry {
				return core.Entry{Alarm: core.Only(in.AlarmNames, "")}
			},
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("DisableAlarmActions", s.disable, "cloudwatch",
			func(in *cloudwatch.DisableAlarmActionsInput) []core.Member {
				return core.Members("AlarmNames", in.AlarmNames)
			},
			func(in *cloudwatch.DisableAlarmActionsInput) []core.Resource {
				return s.alarmResource(in.AlarmNames...)
			},
			func(in *cloudwatch.DisableAlarmActionsInput) core.Entry {
				return core.Entry{Alarm: core.Only(in.AlarmNames, "")}
			},
			core.NotPaged, core.NoBatch,
		),
	}
}

func (s api) muteOps() []core.Operation {
	return []core.Operation{
		core.NewOperation("PutAlarmMuteRule", s.putMute, "cloudwatch",
			func(in *cloudwatch.PutAlarmMuteRuleInput) []core.Member {
				return core.Members("Name", in.Name, "Rule", in.Rule)
			},
			func(in *cloudwatch.PutAlarmMuteRuleInput) []core.Resource {
				return append(s.alarmResource(core.Deref(in.MuteTargets).AlarmNames...), s.muteResource(in.Name)...)
			},
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("GetAlarmMuteRule", s.getMute, "cloudwatch",
			func(in *cloudwatch.GetAlarmMuteRuleInput) []core.Member {
				return core.Members("AlarmMuteRuleName", in.AlarmMuteRuleName)
			},
			func(in *cloudwatch.GetAlarmMuteRuleInput) []core.Resource {
				return s.muteResource(in.AlarmMuteRuleName)
			},
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("ListAlarmMuteRules", s.listMutes, "cloudwatch",
			core.NoNeeds, core.NoResource, core.NoSubject,
			func(in *cloudwatch.ListAlarmMuteRulesInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("DeleteAlarmMuteRule", s.deleteMute, "cloudwatch",
			func(in *cloudwatch.DeleteAlarmMuteRuleInput) []core.Member {
				return core.Members("AlarmMuteRuleName", in.AlarmMuteRuleName)
			},
			func(in *cloudwatch.DeleteAlarmMuteRuleInput) []core.Resource {
				return s.muteResource(in.AlarmMuteRuleName)
			},
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
	}
}

func (s api) alarmResource(names ...string) []core.Resource {
	return core.Mapped(names, func(name string) core.Resource {
		return core.Resource{Kind: "alarm", ARN: s.ARN("cloudwatch", "alarm:"+name)}
	})
}

func (s api) muteResource(name *string) []core.Resource {
	return []core.Resource{{Kind: "alarm-mute-rule", ARN: s.ARN("cloudwatch", "alarm-mute-rule:"+core.Deref(name))}}
}
