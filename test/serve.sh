#!/usr/bin/env bash
# Runs ebb serve against ebb sim, and tells it of leaving instances with boto3 only: messages of every shape, messages that nobody
# understands, with and without a dead-letter queue, and a controller that is killed. Everything runs in a network namespace of its
# own, with nothing in it but loopback, so that a client that ignores the endpoint cannot reach AWS.
#
#   bash test/serve.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cache="${XDG_CACHE_HOME:-$HOME/.cache}/ebb-ci"

have_boto3() { python3 -c 'import boto3' 2>/dev/null; }

# prepare builds ebb and finds or installs boto3; it is the only part that may use the network.
prepare() {
  export EBB_TEST_BIN="$cache/bin/ebb"
  mkdir -p "$cache/bin"
  go build -o "$EBB_TEST_BIN" ./cmd/ebb
  if ! have_boto3; then
    export PATH="$cache/venv/bin:$PATH"
  fi
  if ! have_boto3; then
    echo "installing boto3 into $cache/venv"
    python3 -m venv "$cache/venv"
    pip install --quiet boto3
  fi
}

# isolate runs this script again in a network namespace, where that is permitted.
isolate() {
  local flags
  for flags in -n -rn; do
    if unshare "$flags" true 2>/dev/null; then
      EBB_TEST_ISOLATED=yes exec unshare "$flags" bash test/serve.sh
    fi
  done
  echo "note: unshare is not permitted here, so this runs without a network namespace; all are given the endpoint explicitly" >&2
}

if [[ -z ${EBB_TEST_ISOLATED:-} ]]; then
  prepare
  isolate
else
  ip link set lo up 2>/dev/null || ifconfig lo up
fi

for name in $(compgen -e AWS_ || true) $(compgen -e EBB_ || true); do
  [[ $name == EBB_TEST_BIN ]] || unset "$name"
done
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true PYTHONDONTWRITEBYTECODE=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 test/serve.py "$EBB_TEST_BIN" "$work"
