# Sourced by the scripts beside it, from the top of the tree, with the script's own name: "isolated test/clients.sh". It builds ebb, finds
# or installs boto3 and the AWS CLI - the only part that may use the network - and runs the script again in a network namespace of
# its own, with nothing in it but loopback, so that a client that ignores the endpoint cannot reach AWS.
cache="${XDG_CACHE_HOME:-$HOME/.cache}/ebb-ci"

have_clients() { python3 -c 'import boto3, awscli' 2>/dev/null && command -v aws >/dev/null; }

prepare() {
  export EBB_TEST_BIN="$cache/bin/ebb"
  mkdir -p "$cache/bin"
  go build -o "$EBB_TEST_BIN" ./cmd/ebb
  if ! have_clients; then
    export PATH="$cache/venv/bin:$PATH"
  fi
  if ! have_clients; then
    echo "installing boto3 and the AWS CLI into $cache/venv"
    python3 -m venv "$cache/venv"
    pip install --quiet boto3 awscli
  fi
}

isolated() {
  local flags
  if [[ -n ${EBB_TEST_ISOLATED:-} ]]; then
    ip link set lo up 2>/dev/null || ifconfig lo up
  else
    prepare
    for flags in -n -rn; do
      if unshare "$flags" true 2>/dev/null; then
        EBB_TEST_ISOLATED=yes exec unshare "$flags" bash "$1"
      fi
    done
    echo "note: unshare is not permitted here, so this runs without a network namespace; all are given the endpoint explicitly" >&2
  fi
  for name in $(compgen -e AWS_ || true); do unset "$name"; done
  export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true AWS_PAGER="" PYTHONDONTWRITEBYTECODE=1
}
