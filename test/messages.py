#!/usr/bin/env python3
"""Puts lifecycle messages into a queue of the simulated cloud, in all four shapes in which they reach a queue.

usage: messages.py ENDPOINT QUEUE_URL GROUP HOOK INSTANCE TOKEN   the message, in four shapes
       messages.py ENDPOINT QUEUE_URL --bad                       what no controller understands

Prints one line for each message that was sent.
"""
import json
import sys
import uuid

import boto3
from botocore.config import Config

ACCOUNT, REGION = "111122223333", "eu-west-1"
TIME = "2026-11-21T09:15:02.904Z"


def direct(group, hook, instance, token):
    """What Auto Scaling sends to a queue itself."""
    return {
        "Origin": "AutoScalingGroup", "Destination": "EC2", "LifecycleHookName": hook, "AccountId": ACCOUNT,
        "RequestId": str(uuid.uuid4()), "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "AutoScalingGroupName": group, "Service": "AWS Auto Scaling", "Time": TIME, "EC2InstanceId": instance,
        "LifecycleActionToken": token,
    }


def event(group, hook, instance, token):
    """What EventBridge sends."""
    return {
        "version": "0", "id": str(uuid.uuid4()), "detail-type": "EC2 Instance-terminate Lifecycle Action", "source": "aws.autoscaling",
        "account": ACCOUNT, "time": "2026-11-21T09:15:02Z", "region": REGION,
        "resources": [f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:{uuid.uuid4()}:autoScalingGroupName/{group}"],
        "detail": {
            "LifecycleActionToken": token, "AutoScalingGroupName": group, "LifecycleHookName": hook, "EC2InstanceId": instance,
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "Origin": "AutoScalingGroup", "Destination": "EC2",
        },
    }


def envelope(message, subject=None):
    """What SNS makes of a message on its way to a queue, without raw delivery."""
    out = {
        "Type": "Notification", "MessageId": str(uuid.uuid4()), "TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:hooks",
        "Message": json.dumps(message), "Timestamp": TIME, "SignatureVersion": "1", "Signature": "EXAMPLE",
        "SigningCertURL": f"https://sns.{REGION}.amazonaws.com/SimpleNotificationService-0123abcd.pem",
        "UnsubscribeURL": f"https://sns.{REGION}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=x",
    }
    if subject:
        out["Subject"] = subject
    return out


def good(group, hook, instance, token):
    subject = f"Auto Scaling:  Lifecycle action 'TERMINATING' for instance {instance} in progress."
    lifecycle, bridged = direct(group, hook, instance, token), event(group, hook, instance, token)
    return {
        "direct": json.dumps(lifecycle),
        "through SNS": json.dumps(envelope(lifecycle, subject)),
        "EventBridge": json.dumps(bridged),
        "EventBridge through SNS": json.dumps(envelope(bridged)),
    }


def bad():
    wrong = direct("demo-asg", "ebb-drain", "i-0123456789abcdef0", str(uuid.uuid4()))
    return {
        "malformed JSON": '{"LifecycleTransition": "autoscaling:EC2_INST',
        "an empty object": "{}",
        "not an object": "[1, 2, 3]",
        "wrong types": json.dumps(wrong | {"EC2InstanceId": 17, "LifecycleHookName": ["ebb-drain"]}),
        "no instance": json.dumps({k: v for k, v in wrong.items() if k != "EC2InstanceId"}),
        "an envelope in an envelope": json.dumps(envelope(envelope(envelope(wrong)))),
        "an envelope without a message": json.dumps({k: v for k, v in envelope(wrong).items() if k != "Message"}),
        "an event whose detail is a string": json.dumps(event("g", "h", "i", "t") | {"detail": "{}"}),
        "1 MiB of garbage": "ebb%" * (1 << 18),
    }


def main(arguments):
    if len(arguments) == 6:
        messages = good(*arguments[2:])
    elif len(arguments) == 3 and arguments[2] == "--bad":
        messages = bad()
    else:
        sys.exit(__doc__)
    sqs = boto3.client(
        "sqs", endpoint_url=arguments[0], region_name=REGION, aws_access_key_id="operator", aws_secret_access_key="none",
        config=Config(retries={"total_max_attempts": 1}))
    for name, body in messages.items():
        sent = sqs.send_message(QueueUrl=arguments[1], MessageBody=body)
        print(f"{sent['MessageId']}  {name}")


main(sys.argv[1:])
