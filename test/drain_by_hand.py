#!/usr/bin/env python3
"""Takes one instance of the simulated demo world out of service by hand, with boto3 and nothing else.

usage: drain_by_hand.py ENDPOINT

Prints one line for each check and ends with status 1 at the first wrong one. The world at the endpoint must stand still
(ebb sim --speed 0): this program moves it.
"""
import json
import sys
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

CLUSTER, GROUP, HOOK = "demo", "demo-asg", "ebb-drain"
ENDPOINT = sys.argv[1] if len(sys.argv) == 2 else sys.exit(__doc__)


def client(service):
    return boto3.client(
        service, endpoint_url=ENDPOINT, region_name="eu-west-1",
        aws_access_key_id="operator", aws_secret_access_key="none",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=10, parameter_validation=False))


asg, ecs, elb, sqs, ec2 = (client(s) for s in ("autoscaling", "ecs", "elbv2", "sqs", "ec2"))


def check(name, right, detail=""):
    print(("ok     " if right else "WRONG  ") + name, flush=True)
    if not right:
        sys.exit(f"       {detail}")


def refused(name, code, text, call, **arguments):
    """Checks that a call is refused with a code and a text."""
    try:
        check(name, False, f"answered {call(**arguments)}")
    except ClientError as e:
        got = e.response["Error"]
        check(name, got["Code"] == code and text in got["Message"], f"refused with {got}")


def advance(by):
    request = urllib.request.Request(f"{ENDPOINT}/_sim/advance?by={by}", method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["now"]


def until(name, done, seconds=180):
    """Moves the world second by second until done."""
    for passed in range(seconds):
        if done():
            check(f"{name} (after {passed} s)", True)
            return
        advance("1s")
    check(name, False, f"not within {seconds} s")


def state(instance):
    found = asg.describe_auto_scaling_instances(InstanceIds=[instance])["AutoScalingInstances"]
    return found[0]["LifecycleState"] if found else None


def tasks_on(arn, desired):
    arns = ecs.list_tasks(cluster=CLUSTER, containerInstance=arn, desiredStatus=desired)["taskArns"]
    return ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"] if arns else []


def hear():
    """Receives one lifecycle message; the test notification of the hook is deleted on the way."""
    for m in sqs.receive_message(QueueUrl=QUEUE, MaxNumberOfMessages=10).get("Messages", []):
        sqs.delete_message(QueueUrl=QUEUE, ReceiptHandle=m["ReceiptHandle"])
        body = json.loads(m["Body"])
        if body.get("LifecycleTransition") == "autoscaling:EC2_INSTANCE_TERMINATING":
            HEARD.append(body)
    return HEARD


HEARD = []
QUEUE = sqs.get_queue_url(QueueName="ebb")["QueueUrl"]
check("the queue's URL is on the endpoint", QUEUE.startswith(ENDPOINT), QUEUE)

# What is there.
group = asg.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]
check("group of four", len(group["Instances"]) == 4 and group["DesiredCapacity"] == 4, group)
check("all InService", all(i["LifecycleState"] == "InService" for i in group["Instances"]), group["Instances"])
asg.put_lifecycle_hook(AutoScalingGroupName=GROUP, LifecycleHookName=HOOK, HeartbeatTimeout=40)
hook = asg.describe_lifecycle_hooks(AutoScalingGroupName=GROUP)["LifecycleHooks"][0]
check("hook updated", hook["HeartbeatTimeout"] == 40 and hook["GlobalTimeout"] == 4000, hook)
check("the rest of the hook stays", hook["DefaultResult"] == "CONTINUE" and hook["NotificationTargetARN"].endswith(":ebb"), hook)
hosts = ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"]
check("four container instances", len(hosts) == 4, hosts)
described = ecs.describe_container_instances(cluster=CLUSTER, containerInstances=hosts)
busy = max(described["containerInstances"], key=lambda h: h["runningTasksCount"])
instance, arn = busy["ec2InstanceId"], busy["containerInstanceArn"]
check("one has tasks", busy["runningTasksCount"] > 0 and busy["agentConnected"] and not described["failures"], busy)
only = ecs.list_container_instances(cluster=CLUSTER, filter=f"ec2InstanceId in ['{instance}']")["containerInstanceArns"]
check("found by filter", only == [arn], only)
pages = list(ecs.get_paginator("list_tasks").paginate(cluster=CLUSTER, PaginationConfig={"PageSize": 4}))
check("six tasks on two pages", [len(p["taskArns"]) for p in pages] == [4, 2], pages)

# What is refused.
complete = {"AutoScalingGroupName": GROUP, "LifecycleHookName": HOOK, "InstanceId": instance, "LifecycleActionResult": "CONTINUE"}
refused("no action to complete", "ValidationError", f"No active Lifecycle Action found with instance ID {instance}", asg.complete_lifecycle_action, **complete)
refused("no action to keep alive", "ValidationError", "No active Lifecycle Action found", asg.record_lifecycle_action_heartbeat,
        AutoScalingGroupName=GROUP, LifecycleHookName=HOOK, InstanceId=instance)
refused("heartbeat timeout out of range", "ValidationError", "7200", asg.put_lifecycle_hook, AutoScalingGroupName=GROUP, LifecycleHookName=HOOK, HeartbeatTimeout=7201)
refused("no group name", "ValidationError", "autoScalingGroupName", asg.describe_lifecycle_hooks)
refused("unknown cluster", "ClusterNotFoundException", "Cluster not found.", ecs.list_tasks, cluster="no-such-cluster")
refused("batch of 11", "InvalidParameterException", "10", ecs.update_container_instances_state, cluster=CLUSTER, containerInstances=[arn] * 11, status="DRAINING")
refused("unknown queue", "AWS.SimpleQueueService.NonExistentQueue", "does not exist", sqs.get_queue_url, QueueName="no-such-queue")
refused("unknown instance", "InvalidInstanceID.NotFound", "i-0123456789abcdef0", ec2.describe_instances, InstanceIds=["i-0123456789abcdef0"])
missing = ecs.describe_tasks(cluster=CLUSTER, tasks=["0123456789abcdef0123456789abcdef"])
check("unknown task is a failure, not an error", not missing["tasks"] and missing["failures"][0]["reason"] == "MISSING", missing)

# The drain.
activity = asg.terminate_instance_in_auto_scaling_group(InstanceId=instance, ShouldDecrementDesiredCapacity=False)["Activity"]
check("terminating", activity["AutoScalingGroupName"] == GROUP and activity["StatusCode"] != "Failed", activity)
until("Terminating:Wait", lambda: state(instance) == "Terminating:Wait")
until("the message", hear)
message = HEARD[0]
check("it names the instance, hook and token",
      (message["EC2InstanceId"], message["LifecycleHookName"], len(message["LifecycleActionToken"])) == (instance, HOOK, 36), message)
before = {k["taskArn"]: k for k in tasks_on(arn, "RUNNING")}
check("its tasks run still", len(before) == busy["runningTasksCount"], before)
drained = ecs.update_container_instances_state(cluster=CLUSTER, containerInstances=[arn], status="DRAINING")
check("DRAINING", drained["containerInstances"][0]["status"] == "DRAINING" and not drained["failures"], drained)
until("a task is stopping", lambda: tasks_on(arn, "STOPPED"))
groups = elb.describe_target_groups()["TargetGroups"]
check("two target groups", sorted(g["TargetGroupName"] for g in groups) == ["api-tg", "web-tg"], groups)
health = [h for g in groups for h in elb.describe_target_health(TargetGroupArn=g["TargetGroupArn"])["TargetHealthDescriptions"]]
check("a target is draining", any(h["TargetHealth"]["State"] == "draining" for h in health), health)
asg.record_lifecycle_action_heartbeat(AutoScalingGroupName=GROUP, LifecycleHookName=HOOK, LifecycleActionToken=message["LifecycleActionToken"])
check("heartbeat", state(instance) == "Terminating:Wait", state(instance))
until("all tasks STOPPED", lambda: not tasks_on(arn, "RUNNING") and all(k["lastStatus"] == "STOPPED" for k in tasks_on(arn, "STOPPED")))
stopped = {k["taskArn"]: k for k in tasks_on(arn, "STOPPED")}
check("none was killed", all(stopped[a]["containers"][0]["exitCode"] == 0 for a in before), stopped)
services = ecs.describe_services(cluster=CLUSTER, services=["web", "api"])["services"]
check("the services are whole", all(s["runningCount"] == s["desiredCount"] for s in services), services)
check("the instance still waits", state(instance) == "Terminating:Wait", state(instance))
asg.complete_lifecycle_action(**complete)
until("out of the group", lambda: state(instance) is None)
refused("completed twice", "ValidationError", "No active Lifecycle Action found", asg.complete_lifecycle_action, **complete)
gone = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
check("terminated", gone["State"]["Name"] == "terminated", gone)
until("deregistered", lambda: arn not in ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"])
until("replaced", lambda: sum(i["LifecycleState"] == "InService" for i in asg.describe_auto_scaling_groups(
    AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]["Instances"]) == 4)

# A test notification for the AWS CLI to receive.
asg.put_lifecycle_hook(AutoScalingGroupName=GROUP, LifecycleHookName=HOOK, NotificationTargetARN=hook["NotificationTargetARN"])
advance("10s")
print("drained by hand")
