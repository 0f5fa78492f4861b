#!/usr/bin/env bash
# Scales a service by an alarm that boto3 and the AWS CLI drive over the wire: ebb serve, and ebb lambda as a function of ebb sim with its journal in
# DynamoDB Local. Everything runs in a network namespace of its own with only loopback in it, so that a client that ignores the endpoint cannot reach AWS.
#
#   bash test/scale.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

source test/isolate.sh
[[ -n ${EBB_TEST_ISOLATED:-} ]] || bash test/dynamodb/run.sh true # it may have to be installed
isolated test/scale.sh
for name in $(compgen -e EBB_ || true); do
  [[ $name == EBB_TEST_BIN ]] || unset "$name"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PATH="$(dirname "$EBB_TEST_BIN"):$PATH" bash test/dynamodb/run.sh python3 test/scale.py "$work"
