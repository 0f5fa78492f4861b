package event

// parseAlarm reads what CloudWatch sends to a topic when the state of an alarm has changed: of a metric alarm, a composite alarm, or one of the
// contributors of an alarm.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
func parseAlarm(f *fields) Event {
	return f.or(Event{Kind: AlarmState, Account: f.str("AWSAccountId"), Alarm: f.need("AlarmName")})
}

// parseAlarmAction reads what CloudWatch sends to a function that is an action of an alarm.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html
func parseAlarmAction(f *fields) Event {
	data := f.object("alarmData")
	return f.or(data.or(Event{Kind: AlarmState, Account: f.str("accountId"), Alarm: data.need("alarmName"), Time: f.time("time")}))
}

// parseAlarmEvent reads the detail of an event of CloudWatch. An alarm that a rule mutes has one too, so a look has to say whether it is.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
func parseAlarmEvent(f *fields) Event {
	detail := f.object("detail")
	return detail.or(Event{Kind: AlarmState, Alarm: detail.need("alarmName")})
}
