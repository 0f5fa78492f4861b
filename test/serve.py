#!/usr/bin/env python3
"""Runs ebb serve against ebb sim and judges it by the simulated cloud's own record.

usage: serve.py EBB DIRECTORY   the program, and a directory for logs and journals

Prints one line for each check and ends with status 1 at the first wrong one.
"""
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request

import boto3
from botocore.config import Config

import messages

GROUP, HOOK, CLUSTER = "web-asg", "ebb-drain", "prod"
EBB, DIRECTORY = sys.argv[1:3] if len(sys.argv) == 3 else sys.exit(__doc__)
STARTED = []


def check(name, right, detail=""):
    print(("ok     " if right else "WRONG  ") + name, flush=True)
    if not right:
        for program in STARTED:
            print(f"--- {program.name}\n{program.text()[-6000:]}", file=sys.stderr)
        sys.exit(f"       {detail}")


def until(name, find, seconds=45, quiet=False):
    """Asks again and again until there is an answer, and returns it. All programs must go on running meanwhile."""
    end = time.monotonic() + seconds
    while not (found := find()):
        for program in STARTED:
            if program.process.poll() is not None:
                check(f"{program.name} runs on", False, f"it ended with status {program.process.returncode} while: {name}")
        if time.monotonic() > end:
            check(name, False, f"not within {seconds} s")
        time.sleep(0.05)
    if not quiet:
        check(name, True)
    return found


class Program:
    """A program that runs on until it is stopped; what it prints goes into a file."""

    def __init__(self, name, *arguments):
        self.name, self.path = name, os.path.join(DIRECTORY, name.replace(" ", "-") + ".log")
        with open(self.path, "w") as out:
            self.process = subprocess.Popen(
                [EBB, *arguments], stdout=out, stderr=subprocess.STDOUT, env=os.environ | {"AWS_ACCESS_KEY_ID": "ebb", "AWS_SECRET_ACCESS_KEY": "none"})
        STARTED.append(self)

    def text(self):
        with open(self.path) as log:
            return log.read()

    def log(self, **fields):
        """The JSON lines of the log with these fields."""
        lines = [json.loads(line) for line in self.text().splitlines(keepends=True) if line.startswith("{") and line.endswith("}\n")]
        return [line for line in lines if fields.items() <= line.items()]

    def end(self, by, status):
        STARTED.remove(self)
        self.process.send_signal(by)
        try:
            got = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            got = "still running after 10 s"
        check(f"{self.name} ends on {by.name}", got == status, f"status {got}, want {status}\n{self.text()[-3000:]}")


def policy(queue):
    """Writes the policy that ebb iam prints for the controller on a queue, and returns its file."""
    path = os.path.join(DIRECTORY, f"{queue}.json")
    with open(path, "w") as out:
        subprocess.run([EBB, "iam", "--group", GROUP, "--cluster", CLUSTER, "--queue", f"https://sqs.eu-west-1.amazonaws.com/111122223333/{queue}"],
                       stdout=out, check=True)
    return path


def only_what_the_policy_allows(cloud):
    """Checks that no call of the controller was refused, and that its key can do nothing else."""
    calls = cloud.record(kind="call", by="ebb")
    denied = [c for c in calls if "Denied" in c["to"] or "Unauthorized" in c["to"]]
    check(f"policy: all {len(calls)} calls of the controller are allowed", len(calls) > 20 and not denied, denied)
    asg = boto3.client("autoscaling", endpoint_url=cloud.endpoint, region_name="eu-west-1", aws_access_key_id="ebb", aws_secret_access_key="none")
    try:
        answer = asg.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=0)
    except asg.exceptions.ClientError as error:
        answer = error.response["Error"]["Code"]
    check("policy: its key cannot scale the group", answer == "AccessDenied", answer)


class Cloud:
    """The simulated cloud, as an operator sees it."""

    def __init__(self, speed):
        self.program = Program(f"sim {speed}", "sim", "--world", "test/serve-world.yaml", "--listen", "127.0.0.1:0", "--speed", str(speed),
                               *(f"--policy=ebb={policy(queue)}" for queue in ("ebb", "ebb-plain")))
        until("the simulated cloud listens", lambda: "stop with Ctrl-C" in self.program.text(), quiet=True)
        self.endpoint = self.program.text().split()[3]
        self.seen = []
        self.asg = boto3.client(
            "autoscaling", endpoint_url=self.endpoint, region_name="eu-west-1", aws_access_key_id="operator", aws_secret_access_key="none",
            config=Config(retries={"total_max_attempts": 1}))
        self.sqs = messages.client(self.endpoint)

    def get(self, page):
        with urllib.request.urlopen(f"{self.endpoint}/_sim/{page}", timeout=10) as answer:
            return answer.read().decode()

    def record(self, **fields):
        """The entries of the cloud's own record with these fields."""
        self.seen += [json.loads(line) for line in self.get(f"record?after={len(self.seen)}").splitlines()]
        return [e for e in self.seen if fields.items() <= e.items()]

    def queue(self, name):
        return f"{self.endpoint}/111122223333/{name}"

    def sweeps(self):
        return json.loads(self.get("counts?by=ebb")).get("autoscaling.DescribeAutoScalingGroups", 0)


class Serve(Program):
    """The controller beside a cloud, with its journal in a file."""

    def __init__(self, cloud, name, queue):
        self.config, self.journal = (os.path.join(DIRECTORY, f"{queue}-{cloud.endpoint[-5:]}.{form}") for form in ("yaml", "db"))
        with open(self.config, "w") as out:
            out.write(f"queue: {cloud.queue(queue)}\nregion: eu-west-1\nendpoint: {cloud.endpoint}\n"
                      f"journal: sqlite://{self.journal}\ngroups:\n  - {{match: {GROUP}, cluster: {CLUSTER}}}\n")
        super().__init__(name, "serve", "--config", self.config, "--clock", cloud.endpoint, "--log-format", "json")
        until(f"{name} serves", lambda: self.log(msg="serving"), quiet=True)

    def status(self, instance):
        """What ebb status says of an instance."""
        done = subprocess.run([EBB, "status", "--config", self.config, "-o", "json"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            check("ebb status", False, done.stderr)
        return [d for d in json.loads(done.stdout)["drains"] if d["instance"] == instance]


def terminate(cloud):
    """Terminates the instance with the most tasks, right after a sweep, so that only a message can tell of it in time. Returns the
    instance, and its hook as the record has it."""
    seen = cloud.sweeps()
    until("a sweep", lambda: cloud.sweeps() > seen, quiet=True)
    group = cloud.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][0]
    inside = {i["InstanceId"] for i in group["Instances"] if i["LifecycleState"] == "InService"}
    running = {}
    for entry in cloud.record(kind="task"):
        running[entry["task"]] = entry["instance"] if entry["to"] == "RUNNING" else None
    victim = max(sorted(inside), key=list(running.values()).count)
    cloud.asg.terminate_instance_in_auto_scaling_group(InstanceId=victim, ShouldDecrementDesiredCapacity=False)
    opened = until("the hook opens", lambda: cloud.record(kind="hook", instance=victim, to="opened"), quiet=True)
    return victim, opened[0]


def tell(cloud, queue, instance, opened, shape):
    """Puts one message into the queue and returns its id."""
    bodies = messages.good(GROUP, HOOK, instance, opened["text"], opened["at"])
    return next(iter(messages.send(cloud.sqs, cloud.queue(queue), {shape: bodies[shape]})))


def judge(cloud, instance, message, name):
    """Checks what the cloud's record says of a drain that has ended."""
    until(f"{name}: the instance leaves the group",
          lambda: not cloud.asg.describe_auto_scaling_instances(InstanceIds=[instance])["AutoScalingInstances"])
    answers = cloud.record(kind="hook", instance=instance, to="CONTINUE")
    check(f"{name}: the hook is answered once, by ebb", [a["by"] for a in answers] == ["ebb"], answers)
    stopped = cloud.record(kind="task", instance=instance, to="STOPPED")
    killed = [e for e in stopped if "killed" in e.get("text", "")]
    check(f"{name}: {len(stopped)} tasks stopped, none was killed", stopped and not killed, killed or "no task stopped")
    check(f"{name}: no task stopped after the answer", max(e["at"] for e in stopped) < answers[0]["at"], stopped)
    check(f"{name}: the message is deleted", cloud.record(kind="message", message=message, to="deleted"), cloud.record(kind="message", message=message))


def every_shape_is_heard(cloud, serve):
    for shape in messages.good("", "", "", "", ""):
        instance, opened = terminate(cloud)
        message = tell(cloud, "ebb", instance, opened, shape)
        heard = until(f"{shape}: heard", lambda: [e for e in serve.log(kind="heard") if instance in e["msg"]])
        check(f"{shape}: by the message, not by the sweep", "Auto Scaling terminates" in heard[0]["msg"], heard)
        drains = until(f"{shape}: drained", lambda: [d for d in serve.status(instance) if d["state"] != "open"])
        check(f"{shape}: status says drained", [d["state"] for d in drains] == ["drained"], drains)
        judge(cloud, instance, message, shape)


def a_killed_controller_goes_on(cloud, serve):
    instance, opened = terminate(cloud)
    message = tell(cloud, "ebb", instance, opened, "direct")
    until("kill: DRAINING", lambda: cloud.record(kind="container-instance", instance=instance, to="DRAINING"))
    serve.end(signal.SIGKILL, -signal.SIGKILL)
    check("kill: the drain is open", [d["state"] for d in serve.status(instance)] == ["open"], serve.status(instance))
    check("kill: nothing is answered", not cloud.record(kind="hook", instance=instance, to="CONTINUE"))
    again = Serve(cloud, "serve again", "ebb")
    drains = until("kill: drained after the restart", lambda: [d for d in again.status(instance) if d["state"] != "open"])
    check("kill: status says drained, once", [d["state"] for d in drains] == ["drained"], drains)
    check("kill: it was read from the journal, not heard again", not [e for e in again.log(kind="heard") if instance in e["msg"]], again.text())
    judge(cloud, instance, message, "kill")
    again.end(signal.SIGTERM, 0)


def still_hears(cloud, name, queue):
    body = json.dumps({"Event": "autoscaling:TEST_NOTIFICATION", "AutoScalingGroupName": GROUP, "Service": "AWS Auto Scaling"})
    sent = next(iter(messages.send(cloud.sqs, cloud.queue(queue), {"test": body})))
    until(f"{name}: goes on hearing", lambda: cloud.record(kind="message", message=sent, to="deleted"))


def bad_messages_go_to_the_dead_letter_queue(cloud, serve, sent):
    warned = {e["message"] for e in until("bad: warned of each", lambda: full(sent, serve.log(level="WARN", msg="message left to the queue")))}
    check("bad: and of nothing else", warned == set(sent), warned)
    until("bad: all are in ebb-dlq", lambda: full(sent, cloud.record(kind="message", queue="ebb", to="redriven")))
    check("bad: none was deleted", not [e for e in cloud.record(kind="message", queue="ebb", to="deleted") if e["message"] in sent])
    dead = {}
    while got := cloud.sqs.receive_message(QueueUrl=cloud.queue("ebb-dlq"), MaxNumberOfMessages=10, VisibilityTimeout=43200).get("Messages"):
        dead |= {m["MessageId"]: m["Body"] for m in got}
    check("bad: they can be read there", dead.keys() == sent.keys(), [sent.get(m, m) for m in dead])
    check("bad: no line of the journal is about them", not unreadable(serve), unreadable(serve))


def bad_messages_without_redrive_go_into_the_journal(cloud, serve, redriving, sent, bodies):
    warning = [e for e in serve.log(level="WARN") if e["msg"].startswith("the queue has no redrive policy")]
    check("no redrive: warned at the start", len(warning) == 1 and warning[0]["queue"] == cloud.queue("ebb-plain"), warning)
    check("no redrive: only then", not [e for e in redriving.log() if "redrive" in e["msg"]], redriving.text())
    until("no redrive: all are deleted", lambda: full(sent, cloud.record(kind="message", queue="ebb-plain", to="deleted")))
    receives = {name: len(cloud.record(kind="message", message=m, to="received")) for m, name in sent.items()}
    check("no redrive: after 5 receives each", set(receives.values()) == {5}, receives)
    kept = {line["message"]: line["body"] for line in unreadable(serve)}
    wrong = [name for m, name in sent.items() if kept.get(m) != bodies[name][:16 << 10]]
    check("no redrive: their bodies are in the journal", kept.keys() == sent.keys() and not wrong, wrong)


def full(sent, entries):
    """The entries, once each message is among them."""
    return entries if sent.keys() <= {e["message"] for e in entries} else None


def unreadable(serve):
    with sqlite3.connect(f"file:{serve.journal}?mode=ro", uri=True) as db:
        return [json.loads(data) for (data,) in db.execute("SELECT data FROM line WHERE kind = 'unreadable' ORDER BY seq")]


def main():
    cloud = Cloud(20)
    serve = Serve(cloud, "serve", "ebb")
    every_shape_is_heard(cloud, serve)
    a_killed_controller_goes_on(cloud, serve)
    only_what_the_policy_allows(cloud)
    cloud.program.end(signal.SIGTERM, 0)

    cloud = Cloud(60)  # the later a message comes again, the more often it came
    redriving, plain = Serve(cloud, "serve with redrive", "ebb"), Serve(cloud, "serve without redrive", "ebb-plain")
    bodies = messages.bad()
    bad, kept = (messages.send(cloud.sqs, cloud.queue(name), bodies) for name in ("ebb", "ebb-plain"))
    bad_messages_go_to_the_dead_letter_queue(cloud, redriving, bad)
    bad_messages_without_redrive_go_into_the_journal(cloud, plain, redriving, kept, bodies)
    still_hears(cloud, "bad", "ebb")
    still_hears(cloud, "no redrive", "ebb-plain")
    only_what_the_policy_allows(cloud)
    for program in (redriving, plain, cloud.program):
        program.end(signal.SIGTERM, 0)
    print("served")


try:
    main()
finally:
    for left in STARTED:
        left.process.kill()
