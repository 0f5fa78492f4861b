#!/usr/bin/env bash
# Does what a new user with one machine does, with the real AWS CLI against ebb sim: ebb init prints commands, a shell runs them, ebb
# doctor finds nothing, ebb serve drains an instance that is terminated, ebb init --remove prints commands, a shell runs them, and no hook, rule or
# queue is left. In a network namespace of its own, as test/isolate.sh says.
#
#   bash test/init.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

source test/isolate.sh
isolated test/init.sh
export AWS_ACCESS_KEY_ID=operator AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=eu-west-1

work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT
cat > "$work/world.yaml" <<'WORLD'
clusters: [{name: prod}]
target_groups: [{name: web-tg, delay: 5s, check: 5s}]
task_definitions: [{family: web, cpu: 256, memory: 512, port: 8080, start: 3s, exit: 3s}]
groups: [{name: web-asg, desired: 3, max: 6, launch: {cluster: prod, boot: 10s}}]
services: [{name: web, cluster: prod, task: web, desired: 3, min: 100, max: 200, target_group: web-tg}]
WORLD
exec 3< <(exec "$EBB_TEST_BIN" sim --world "$work/world.yaml" --listen 127.0.0.1:0 --speed 20)
pids+=($!)
read -r _ _ _ endpoint <&3

# is NAME VALUE WANTED
is() {
  if [[ $2 != "$3" ]]; then
    printf 'WRONG  %s: %s, not %s\n' "$1" "$2" "$3" >&2
    exit 1
  fi
  printf 'ok     %s\n' "$1"
}
# count SERVICE OPERATION QUERY ARGUMENTS...: how many there are
count() { aws --endpoint-url "$endpoint" --output text "$1" "$2" --query "length($3 || \`[]\`)" "${@:4}"; }
init() { "$EBB_TEST_BIN" init --endpoint "$endpoint" --region eu-west-1 --group web-asg --shape serve --dir "$work" "$@"; }

init > "$work/up.sh"
sh -e "$work/up.sh" > "$work/up.log"
is "the commands of ebb init make two queues" "$(count sqs list-queues QueueUrls)" 2
is "four rules" "$(count events list-rules Rules)" 4
is "a hook" "$(count autoscaling describe-lifecycle-hooks LifecycleHooks --auto-scaling-group-name web-asg)" 1
status=0
"$EBB_TEST_BIN" doctor --config "$work/ebb.yaml" --clock "$endpoint" || status=$?
is "ebb doctor is content" "$status" 0

EBB_JOURNAL="sqlite://$work/journal.db" AWS_ACCESS_KEY_ID=ebb "$EBB_TEST_BIN" serve --config "$work/ebb.yaml" --clock "$endpoint" 2> "$work/serve.log" &
serve=$!
pids+=("$serve")
instance=$(aws --endpoint-url "$endpoint" --output text autoscaling describe-auto-scaling-groups --query 'AutoScalingGroups[0].Instances[0].InstanceId')
aws --endpoint-url "$endpoint" autoscaling terminate-instance-in-auto-scaling-group --instance-id "$instance" --no-should-decrement-desired-capacity > "$work/terminate.log"
answered=no
for _ in $(seq 200); do
  if curl -s "$endpoint/_sim/record" | grep '"kind":"hook"' | grep "$instance" | grep -q '"to":"CONTINUE".*"by":"ebb"'; then
    answered=yes
    break
  fi
  kill -0 "$serve" || break
  sleep 0.2
done
if [[ $answered != yes ]]; then
  cat "$work/serve.log" >&2
fi
is "ebb serve answers the hook of $instance" "$answered" yes
is "it heard of it through the rule" "$(grep -c "Auto Scaling terminates $instance" "$work/serve.log")" 1

init --remove > "$work/down.sh"
sh -e "$work/down.sh" > "$work/down.log"
kill -TERM "$serve"
wait "$serve" || is "ebb serve ends well" "$?" 0
is "no hook is left" "$(count autoscaling describe-lifecycle-hooks LifecycleHooks --auto-scaling-group-name web-asg)" 0
is "no rule" "$(count events list-rules Rules)" 0
is "no queue" "$(count sqs list-queues QueueUrls)" 0
