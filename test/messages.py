#!/usr/bin/env python3
"""Puts lifecycle messages into a queue of the simulated cloud, in all four shapes in which they reach a queue.

usage: messages.py ENDPOINT QUEUE_URL GROUP HOOK INSTANCE TOKEN [TIME [SHAPE]]   the message, in four shapes or in one
       messages.py ENDPOINT QUEUE_URL --bad                                      what no controller understands

TIME is when the instance began to wait, such as 2026-11-21T09:15:02.904Z, and by default now. The shapes are "direct",
"through SNS", "EventBridge" and "EventBridge through SNS". Prints one line for each message that was sent.
"""
import datetime
import json
import sys
import uuid

import boto3
from botocore.config import Config

ACCOUNT, REGION = "111122223333", "eu-west-1"


def now():
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def direct(group, hook, instance, token, time):
    """What Auto Scaling sends to a queue itself."""
    return {
        "Origin": "AutoScalingGroup", "Destination": "EC2", "LifecycleHookName": hook, "AccountId": ACCOUNT,
        "RequestId": str(uuid.uuid4()), "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "AutoScalingGroupName": group, "Service": "AWS Auto Scaling", "Time": time, "EC2InstanceId": instance,
        "LifecycleActionToken": token,
    }


def event(group, hook, instance, token, time):
    """What EventBridge sends."""
    return {
        "version": "0", "id": str(uuid.uuid4()), "detail-type": "EC2 Instance-terminate Lifecycle Action", "source": "aws.autoscaling",
        "account": ACCOUNT, "time": time[:19] + "Z", "region": REGION,
        "resources": [f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:{uuid.uuid4()}:autoScalingGroupName/{group}"],
        "detail": {
            "LifecycleActionToken": token, "AutoScalingGroupName": group, "LifecycleHookName": hook, "EC2InstanceId": instance,
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "Origin": "AutoScalingGroup", "Destination": "EC2",
        },
    }


def envelope(message, time, subject=None):
    """What SNS makes of a message on its way to a queue, without raw delivery."""
    out = {
        "Type": "Notification", "MessageId": str(uuid.uuid4()), "TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:hooks",
        "Message": json.dumps(message), "Timestamp": time, "SignatureVersion": "1", "Signature": "EXAMPLE",
        "SigningCertURL": f"https://sns.{REGION}.amazonaws.com/SimpleNotificationService-0123abcd.pem",
        "UnsubscribeURL": f"https://sns.{REGION}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=x",
    }
    if subject:
        out["Subject"] = subject
    return out


def good(group, hook, instance, token, time):
    subject = f"Auto Scaling:  Lifecycle action 'TERMINATING' for instance {instance} in progress."
    lifecycle, bridged = (f(group, hook, instance, token, time) for f in (direct, event))
    return {
        "direct": json.dumps(lifecycle),
        "through SNS": json.dumps(envelope(lifecycle, time, subject)),
        "EventBridge": json.dumps(bridged),
        "EventBridge through SNS": json.dumps(envelope(bridged, time)),
    }


def bad():
    time = now()
    wrong = direct("demo-asg", "ebb-drain", "i-0123456789abcdef0", str(uuid.uuid4()), time)
    return {
        "malformed JSON": '{"LifecycleTransition": "autoscaling:EC2_INST',
        "an empty object": "{}",
        "not an object": "[1, 2, 3]",
        "wrong types": json.dumps(wrong | {"EC2InstanceId": 17, "LifecycleHookName": ["ebb-drain"]}),
        "no instance": json.dumps({k: v for k, v in wrong.items() if k != "EC2InstanceId"}),
        "an envelope in an envelope": json.dumps(envelope(envelope(envelope(wrong, time), time), time)),
        "an envelope without a message": json.dumps({k: v for k, v in envelope(wrong, time).items() if k != "Message"}),
        "an event whose detail is a string": json.dumps(event("g", "h", "i", "t", time) | {"detail": "{}"}),
        "1 MiB of garbage": "ebb%" * (1 << 18),
    }


def client(endpoint):
    return boto3.client(
        "sqs", endpoint_url=endpoint, region_name=REGION, aws_access_key_id="operator", aws_secret_access_key="none",
        config=Config(retries={"total_max_attempts": 1}))


def send(sqs, url, messages):
    """Sends bodies by name and returns the names by message id."""
    return {sqs.send_message(QueueUrl=url, MessageBody=body)["MessageId"]: name for name, body in messages.items()}


def main(arguments):
    if 6 <= len(arguments) <= 8:
        time = arguments[6] if len(arguments) > 6 else now()
        messages = good(*arguments[2:6], time)
        if len(arguments) == 8:
            messages = {arguments[7]: messages[arguments[7]]}
    elif len(arguments) == 3 and arguments[2] == "--bad":
        messages = bad()
    else:
        sys.exit(__doc__)
    for message, name in send(client(arguments[0]), arguments[1], messages).items():
        print(f"{message}  {name}")


if __name__ == "__main__":
    main(sys.argv[1:])
