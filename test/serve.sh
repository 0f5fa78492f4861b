#!/usr/bin/env bash
# Runs ebb serve against ebb sim, and sends it messages about leaving instances with boto3: messages of every shape, messages that
# cannot be understood, with and without a dead-letter queue, and a controller that is killed. Everything runs in a network namespace of its
# own with only loopback in it, so that a client that ignores the endpoint cannot reach AWS.
#
#   bash test/serve.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

source test/isolate.sh
isolated test/serve.sh
for name in $(compgen -e EBB_ || true); do
  [[ $name == EBB_TEST_BIN ]] || unset "$name"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 test/serve.py "$EBB_TEST_BIN" "$work"
