#!/usr/bin/env python3
"""Makes an alarm in the simulated demo world with boto3, lets it go off, and hears of it through a topic and a queue.

usage: alarm_by_hand.py ENDPOINT

The world at the endpoint must stand still (ebb sim --speed 0): this program moves it.
"""
import json
import sys
import urllib.request

import boto3
from botocore.config import Config

ENDPOINT = sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__)


def client(service):
    return boto3.client(service, endpoint_url=ENDPOINT, region_name="eu-west-1", aws_access_key_id="operator", aws_secret_access_key="none",
                        config=Config(retries={"total_max_attempts": 1}, read_timeout=10))


def check(name, right, detail=""):
    print(("ok     " if right else "WRONG  ") + name, flush=True)
    if not right:
        sys.exit(f"       {detail}")


def advance(by):
    urllib.request.urlopen(urllib.request.Request(f"{ENDPOINT}/_sim/advance?by={by}", method="POST"), timeout=10).close()


cloudwatch, sns, sqs = client("cloudwatch"), client("sns"), client("sqs")
queue = sqs.create_queue(QueueName="alarms")["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
topic = sns.create_topic(Name="alarms")["TopicArn"]
sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
cloudwatch.put_metric_alarm(
    AlarmName="jobs-high", Namespace="Shop", MetricName="Jobs", Statistic="Average", Period=60, EvaluationPeriods=2, DatapointsToAlarm=2, Threshold=100.0,
    ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching", AlarmActions=[topic])
for _ in range(4):
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "Jobs", "Values": [120.0, 130.0], "Counts": [1.0, 1.0]}])
    advance("60s")
alarm = cloudwatch.describe_alarms(AlarmNames=["jobs-high"])["MetricAlarms"][0]
check("an alarm goes off", alarm["StateValue"] == "ALARM" and alarm["StateTransitionedTimestamp"].year >= 2026, alarm)
messages = [json.loads(m["Body"]) for m in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])]
check("its topic tells once", len(messages) == 1 and messages[0]["NewStateValue"] == "ALARM" and messages[0]["AlarmArn"] == alarm["AlarmArn"], messages)
data = cloudwatch.get_metric_data(
    StartTime=alarm["AlarmConfigurationUpdatedTimestamp"], EndTime=alarm["StateTransitionedTimestamp"], ScanBy="TimestampAscending", MetricDataQueries=[
        {"Id": "m1", "ReturnData": False, "MetricStat": {"Metric": {"Namespace": "Shop", "MetricName": "Jobs"}, "Period": 60, "Stat": "Sum"}},
        {"Id": "e1", "Expression": "m1/PERIOD(m1)"}])["MetricDataResults"]
check("metric math", len(data) == 1 and data[0]["Values"][0] == 250 / 60, data)
cloudwatch.set_alarm_state(AlarmName="jobs-high", StateValue="OK", StateReason="by hand")
check("a state is set by hand", cloudwatch.describe_alarms(StateValue="OK")["MetricAlarms"][0]["StateReason"] == "by hand")
try:
    cloudwatch.set_alarm_state(AlarmName="none", StateValue="OK", StateReason="by hand")
    check("an unknown alarm is refused", False)
except cloudwatch.exceptions.ResourceNotFound:
    check("an unknown alarm is refused", True)
cloudwatch.delete_alarms(AlarmNames=["jobs-high"])
