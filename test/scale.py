#!/usr/bin/env python3
"""Lets an alarm of CloudWatch go off over the wire, and judges how often ebb changes the desired count for it.

usage: scale.py DIRECTORY   for logs and a journal; ebb is in the PATH, and DynamoDB Local at EBB_DYNAMODB_ENDPOINT

Prints one line for each check and ends with status 1 at the first wrong one.
"""
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import boto3
from botocore.config import Config

DIRECTORY = sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__)
DYNAMODB = os.environ["EBB_DYNAMODB_ENDPOINT"]
ACCOUNT, REGION, SPEED = "111122223333", "eu-west-1", 30
SCALING = {"scaling": [{"service": "prod/web", "min": 1, "max": 9, "repeat": "off", "in_cooldown": "10s",
                        "alarms": [{"name": "requests-high", "change": "+1"}, {"name": "requests-low", "change": "-1"}]}]}
STARTED = []


def check(name, right, detail=""):
    print(("ok     " if right else "WRONG  ") + name, flush=True)
    if not right:
        for log in sorted(os.listdir(DIRECTORY)):
            if log.endswith(".log"):
                with open(os.path.join(DIRECTORY, log)) as text:
                    print(f"--- {log}\n{text.read()[-5000:]}", file=sys.stderr)
        sys.exit(f"       {detail}")


def until(name, find, seconds=60):
    end = time.monotonic() + seconds
    while not (found := find()):
        if time.monotonic() > end:
            check(name, False, f"not within {seconds} s")
        time.sleep(0.1)
    check(name, True)
    return found


def start(name, *arguments, **env):
    out = open(os.path.join(DIRECTORY, f"{name}.log"), "w")
    STARTED.append(subprocess.Popen(["ebb", *arguments], stdout=out, stderr=subprocess.STDOUT,
                                    env=os.environ | {"AWS_ACCESS_KEY_ID": "ebb", "AWS_SECRET_ACCESS_KEY": "none"} | env))


def client(service, endpoint):
    return boto3.client(service, endpoint_url=endpoint, region_name=REGION, aws_access_key_id="operator", aws_secret_access_key="none",
                        config=Config(retries={"total_max_attempts": 1}, read_timeout=10))


def aws(endpoint, *arguments):
    """The AWS CLI, which knows nothing but the endpoint."""
    done = subprocess.run(["aws", "--endpoint-url", endpoint, "--region", REGION, "--output", "json", *arguments], capture_output=True, text=True,
                          env=os.environ | {"AWS_ACCESS_KEY_ID": "operator", "AWS_SECRET_ACCESS_KEY": "none"})
    check(f"aws {arguments[0]} {arguments[1]}", done.returncode == 0, done.stderr)
    return json.loads(done.stdout or "null")


def world(endpoint, function):
    queue = {"name": "ebb", "redrive": "ebb-dlq", "visibility": "15m"}
    spec = {
        "clusters": [{"name": "prod", "providers": ["FARGATE"]}], "queues": [queue, {"name": "ebb-dlq"}],
        "topics": [{"name": "alarms", "subscriptions": [{"queue": "ebb"}]}],
        "task_definitions": [{"family": "web", "requires_compatibilities": ["FARGATE"], "start": "20s", "exit": "5s"}],
        "services": [{"name": "web", "cluster": "prod", "task": "web", "desired": 2, "capacity_providers": [{"provider": "FARGATE", "weight": 1}]}],
    }
    if function:
        env = {"EBB_CONFIG_TEXT": json.dumps(SCALING), "EBB_JOURNAL": "dynamodb://scale", "EBB_DYNAMODB_ENDPOINT": DYNAMODB, "EBB_CLOCK": endpoint}
        spec["functions"] = [{"name": "ebb", "timeout": "15m", "command": ["ebb", "lambda"], "env": env,
                              "event_sources": [{"queue": "ebb", "report_batch_item_failures": True}]}]
        spec["rules"] = [{"name": "clock", "schedule": "rate(1 minute)", "targets": ["function:ebb"]}]
    return spec


def counts(endpoint):
    """Each desired count that ebb has set, by the cloud's own record."""
    with urllib.request.urlopen(f"{endpoint}/_sim/record", timeout=10) as answer:
        entries = [json.loads(line) for line in answer.read().decode().splitlines()]
    return [f"{e['from']} to {e['to']}" for e in entries if e["kind"] == "service" and e.get("by") == "ebb"]


def play(name, function):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
    spec = os.path.join(DIRECTORY, f"{name}.yaml")
    with open(spec, "w") as out:
        json.dump(world(endpoint, function), out)
    if function:
        client("dynamodb", DYNAMODB).create_table(
            TableName="scale", BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": a, "AttributeType": "S"} for a in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}])
    start(f"{name}-sim", "sim", "--world", spec, "--listen", endpoint.removeprefix("http://"), "--speed", str(SPEED))

    def answers():
        try:
            return client("ecs", endpoint).list_clusters()["clusterArns"]
        except Exception:
            return None
    until(f"{name}: the simulated cloud answers", answers)
    if not function:
        config = os.path.join(DIRECTORY, "ebb.yaml")
        with open(config, "w") as out:
            json.dump(SCALING, out)
        start(name, "serve", "--config", config, "--queue", f"{endpoint}/{ACCOUNT}/ebb", "--journal", f"sqlite://{DIRECTORY}/journal.db", "--endpoint", endpoint,
              "--region", REGION, "--clock", endpoint)
    cloudwatch, ecs = client("cloudwatch", endpoint), client("ecs", endpoint)

    def desired():
        return ecs.describe_services(cluster="prod", services=["web"])["services"][0]["desiredCount"]

    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"
    alarm = {"Namespace": "Shop", "MetricName": "Requests", "Statistic": "Average", "Period": 60, "EvaluationPeriods": 1, "TreatMissingData": "ignore"}
    cloudwatch.put_metric_alarm(AlarmName="requests-high", Threshold=100.0, ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic], **alarm)
    aws(endpoint, "cloudwatch", "put-metric-alarm", "--alarm-name", "requests-low", "--namespace", "Shop", "--metric-name", "Requests", "--statistic", "Average",
        "--period", "60", "--evaluation-periods", "1", "--threshold", "10", "--comparison-operator", "LessThanThreshold", "--treat-missing-data", "ignore",
        "--alarm-actions", topic)
    for state in ("requests-high", "requests-low"):
        cloudwatch.set_alarm_state(AlarmName=state, StateValue="OK", StateReason="nothing yet")

    def over():
        cloudwatch.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "Requests", "Values": [180.0, 220.0], "Counts": [1.0, 1.0]}])
        return cloudwatch.describe_alarms(AlarmNames=["requests-high"])["MetricAlarms"][0]["StateValue"] == "ALARM"
    until(f"{name}: boto3 puts data until the alarm goes off", over)
    until(f"{name}: describe-services shows one task more", lambda: desired() == 3)
    aws(endpoint, "cloudwatch", "put-metric-data", "--namespace", "Shop", "--metric-name", "Requests", "--value", "200")
    time.sleep(300 / SPEED)
    check(f"{name}: and only one, though the alarm lasts", counts(endpoint) == ["2 to 3"], counts(endpoint))
    cloudwatch.set_alarm_state(AlarmName="requests-high", StateValue="OK", StateReason="by hand")
    aws(endpoint, "cloudwatch", "set-alarm-state", "--alarm-name", "requests-low", "--state-value", "ALARM", "--state-reason", "by hand")
    states = aws(endpoint, "cloudwatch", "describe-alarms", "--alarm-names", "requests-low")["MetricAlarms"]
    check(f"{name}: describe-alarms says so", [a["StateValue"] for a in states] == ["ALARM"], states)
    until(f"{name}: and one task less", lambda: desired() == 2)
    time.sleep(180 / SPEED)
    check(f"{name}: each count was set once", counts(endpoint) == ["2 to 3", "3 to 2"], counts(endpoint))
    for program in STARTED:
        program.kill()


try:
    play("serve", False)
    play("function", True)
    print("scaled")
finally:
    for left in STARTED:
        left.kill()
