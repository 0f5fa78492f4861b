#!/usr/bin/env bash
# Drives the simulated cloud with clients that do not know it: boto3 and the AWS CLI, and gives the AWS CLI every command that Ebb prints.
# Everything runs in a network namespace of its own with only loopback in it, so that a client that ignores the endpoint cannot reach AWS.
#
#   bash test/clients.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

source test/isolate.sh
if [[ -z ${EBB_TEST_ISOLATED:-} ]]; then # what is compiled may have to be fetched
  mkdir -p "$cache/bin"
  for package in cli diagnose; do
    go test -c -o "$cache/bin/$package.test" "./internal/$package"
  done
fi
isolated test/clients.sh

# What why, doctor and init print, in worlds in which they print it.
for package in diagnose cli; do
  (cd "internal/$package" && "$cache/bin/$package.test" -test.run '^TestEveryCommand|^TestWhatInit' -awscli)
  printf 'ok     aws takes what %s prints\n' "$package"
done

export AWS_ACCESS_KEY_ID=operator AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=eu-west-1

# The world stands still but for POST /_sim/advance, so that slow clients see the same as fast ones.
exec 3< <(exec "$EBB_TEST_BIN" sim --listen 127.0.0.1:0 --speed 0)
sim=$!
trap 'kill "$sim" 2>/dev/null || true' EXIT
if ! read -r _ _ _ endpoint <&3; then
  echo "ebb sim did not start" >&2
  exit 1
fi

python3 test/drain_by_hand.py "$endpoint"

# check NAME PATTERN SERVICE ARGUMENTS...: one call of the AWS CLI, whose output, errors included, must match the pattern.
check() {
  local name=$1 pattern=$2 output
  shift 2
  output=$(aws --endpoint-url "$endpoint" --output text "$@" 2>&1) || true
  if ! grep -qE -- "$pattern" <<<"$output"; then
    printf 'WRONG  aws %s: no match for %s in:\n%s\n' "$name" "$pattern" "$output" >&2
    exit 1
  fi
  printf 'ok     aws %s\n' "$name"
}

target_group=$(aws --endpoint-url "$endpoint" --output text elbv2 describe-target-groups --names web-tg --query 'TargetGroups[0].TargetGroupArn')
instance=$(aws --endpoint-url "$endpoint" --output text autoscaling describe-auto-scaling-groups --auto-scaling-group-names demo-asg \
  --query 'AutoScalingGroups[0].Instances[0].InstanceId')

check "describe-target-health" 'healthy' elbv2 describe-target-health --target-group-arn "$target_group"
check "describe-instances" "$instance" ec2 describe-instances --instance-ids "$instance"
check "describe-instances, unknown" 'InvalidInstanceID.NotFound' ec2 describe-instances --instance-ids i-0123456789abcdef0
check "list-container-instances, filter" 'container-instance/demo/' ecs list-container-instances --cluster demo --filter "ec2InstanceId in ['$instance']"
check "describe-tasks, unknown" 'MISSING' ecs describe-tasks --cluster demo --tasks 0123456789abcdef0123456789abcdef
check "list-tasks, unknown cluster" 'ClusterNotFoundException' ecs list-tasks --cluster no-such-cluster
check "put-lifecycle-hook, 10 s" 'ValidationError' autoscaling put-lifecycle-hook --auto-scaling-group-name demo-asg \
  --lifecycle-hook-name ebb-drain --heartbeat-timeout 10
check "complete-lifecycle-action, no action" 'ValidationError.*No active Lifecycle Action found with instance ID' autoscaling complete-lifecycle-action \
  --auto-scaling-group-name demo-asg --lifecycle-hook-name ebb-drain --instance-id "$instance" --lifecycle-action-result CONTINUE
check "get-queue-url, unknown" 'NonExistentQueue|QueueDoesNotExist' sqs get-queue-url --queue-name no-such-queue
check "receive-message" 'TEST_NOTIFICATION' sqs receive-message --queue-url "$endpoint/111122223333/ebb" --max-number-of-messages 10

# Parameters and secrets, from nothing to nothing.
check "put-parameter" '^1$' ssm put-parameter --name /ebb/slack --type SecureString --value one --query Version
check "put-parameter, there already" '\(ParameterAlreadyExists\)' ssm put-parameter --name /ebb/slack --type SecureString --value two
check "put-parameter, overwrite" '^2$' ssm put-parameter --name /ebb/slack --value two --overwrite --query Version
check "get-parameter" '^two[[:space:]]SecureString[[:space:]]2$' ssm get-parameter --name /ebb/slack --with-decryption --query Parameter.[Value,Type,Version]
check "get-parameter, a version" '^one$' ssm get-parameter --name /ebb/slack:1 --with-decryption --query Parameter.Value
check "get-parameter, encrypted" '^AQICAH' ssm get-parameter --name /ebb/slack --query Parameter.Value
check "get-parameter, unknown" '\(ParameterNotFound\)' ssm get-parameter --name /none
check "get-parameter, unknown version" '\(ParameterVersionNotFound\)' ssm get-parameter --name /ebb/slack:3
check "delete-parameter" '^$' ssm delete-parameter --name /ebb/slack
check "delete-parameter, gone" '\(ParameterNotFound\)' ssm delete-parameter --name /ebb/slack
check "create-secret" 'secret:ebb/slack-[0-9A-Za-z]{6}$' secretsmanager create-secret --name ebb/slack --secret-string one --query ARN
check "create-secret, there already" '\(ResourceExistsException\)' secretsmanager create-secret --name ebb/slack --secret-string two
check "put-secret-value" '^AWSCURRENT$' secretsmanager put-secret-value --secret-id ebb/slack --secret-string two --query VersionStages
check "get-secret-value" '^two$' secretsmanager get-secret-value --secret-id ebb/slack --query SecretString
check "get-secret-value, previous" '^one$' secretsmanager get-secret-value --secret-id ebb/slack --version-stage AWSPREVIOUS --query SecretString
check "get-secret-value, partial ARN" '^two$' secretsmanager get-secret-value --query SecretString \
  --secret-id arn:aws:secretsmanager:eu-west-1:111122223333:secret:ebb/slack
check "create-secret, binary" '^bytes$' secretsmanager create-secret --name bytes --secret-binary fileb://<(printf "\0\1\2") --query Name
check "get-secret-value, binary" '^AAEC$' secretsmanager get-secret-value --secret-id bytes --query SecretBinary
check "get-secret-value, unknown" '\(ResourceNotFoundException\).* can.t find the specified secret\.' secretsmanager get-secret-value --secret-id none
check "delete-secret" '^ebb/slack$' secretsmanager delete-secret --secret-id ebb/slack --recovery-window-in-days 7 --query Name
check "get-secret-value, deleted" '\(InvalidRequestException\)' secretsmanager get-secret-value --secret-id ebb/slack

# Metrics and alarms: boto3 with a topic and a queue, and the AWS CLI by itself.
python3 test/alarm_by_hand.py "$endpoint"
check "put-metric-data" '^$' cloudwatch put-metric-data --namespace Shop --metric-name Jobs --dimensions Queue=jobs --value 12
check "put-metric-data, AWS's own" '\(InvalidParameterValue\)' cloudwatch put-metric-data --namespace AWS/SQS --metric-name Jobs --value 12
check "put-metric-alarm" '^$' cloudwatch put-metric-alarm --alarm-name cli --namespace Shop --metric-name Jobs --dimensions Name=Queue,Value=jobs \
  --statistic Sum --period 60 --evaluation-periods 1 --threshold 10.5 --comparison-operator GreaterThanThreshold
check "put-metric-alarm, 45 s" '\(ValidationError\)' cloudwatch put-metric-alarm --alarm-name bad --namespace Shop --metric-name Jobs --statistic Sum \
  --period 45 --evaluation-periods 1 --threshold 1 --comparison-operator GreaterThanThreshold
check "set-alarm-state" '^$' cloudwatch set-alarm-state --alarm-name cli --state-value ALARM --state-reason "a test"
check "set-alarm-state, unknown" '\(ResourceNotFound\)' cloudwatch set-alarm-state --alarm-name none --state-value ALARM --state-reason "a test"
check "describe-alarms" '^cli[[:space:]]ALARM[[:space:]]10.5[[:space:]]a test$' cloudwatch describe-alarms --alarm-name-prefix cl \
  --query 'MetricAlarms[].[AlarmName,StateValue,Threshold,StateReason]'
# Application Auto Scaling: a target, a policy of target tracking with its two alarms, and what is refused.
scalable=(--service-namespace ecs --resource-id service/demo/web --scalable-dimension ecs:service:DesiredCount)
check "register-scalable-target" 'scalable-target/' application-autoscaling register-scalable-target "${scalable[@]}" --min-capacity 2 --max-capacity 8 \
  --query ScalableTargetARN
check "register-scalable-target, unknown" '\(ValidationException\)' application-autoscaling register-scalable-target --service-namespace ecs \
  --resource-id service/demo/none --scalable-dimension ecs:service:DesiredCount --min-capacity 1 --max-capacity 2
check "put-scaling-policy" 'AlarmHigh.*AlarmLow' application-autoscaling put-scaling-policy "${scalable[@]}" --policy-name cpu \
  --policy-type TargetTrackingScaling --query 'join(`,`,Alarms[].AlarmName)' --target-tracking-scaling-policy-configuration \
  '{"TargetValue":60,"PredefinedMetricSpecification":{"PredefinedMetricType":"ECSServiceAverageCPUUtilization"}}'
check "describe-scaling-policies" '^cpu[[:space:]]TargetTrackingScaling[[:space:]]60(.0)?$' application-autoscaling describe-scaling-policies \
  --service-namespace ecs --query 'ScalingPolicies[].[PolicyName,PolicyType,TargetTrackingScalingPolicyConfiguration.TargetValue]'
check "describe-scalable-targets" '^2[[:space:]]8$' application-autoscaling describe-scalable-targets --service-namespace ecs \
  --query 'ScalableTargets[].[MinCapacity,MaxCapacity]'
check "deregister-scalable-target" '^$' application-autoscaling deregister-scalable-target "${scalable[@]}"
check "delete-alarms" '^$' cloudwatch delete-alarms --alarm-names cli

echo "all clients agree"
