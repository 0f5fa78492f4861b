#!/usr/bin/env bash
# Runs a command with DynamoDB Local beside it: AWS's own DynamoDB for tests, in memory, on a free port of loopback. The command finds its address
# in EBB_DYNAMODB_ENDPOINT. It needs Java 17 and Maven, and installs DynamoDB Local with Maven at first use. It never speaks to AWS, never sends
# AWS's telemetry, and leaves no process behind: DynamoDB Local ends when its standard input does.
#
#   bash test/dynamodb/run.sh go test -tags dynamodb ./internal/journal/dynamodb
set -euo pipefail
if (($# == 0)); then
  echo "usage: bash test/dynamodb/run.sh COMMAND [ARGUMENT...]" >&2
  exit 64
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/ebb-ci"
dir="$cache/dynamodb-$(cat "$here/pom.xml" "$here/Local.java" | sha256sum | cut -c1-12)" # another name for other content
if [[ ! -d $dir ]]; then
  echo "dynamodb: installing DynamoDB Local into $dir" >&2
  mkdir -p "$cache"
  fresh=$(mktemp -d "$cache/dynamodb-new-XXXXXX")
  trap 'rm -rf "$fresh"' EXIT
  cp "$here/pom.xml" "$here/Local.java" "$fresh"
  if ! mvn --quiet --batch-mode --file "$fresh/pom.xml" dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$fresh/lib" >&2; then
    echo "dynamodb: DynamoDB Local could not be installed; it needs mvn and Java 17 or newer" >&2
    exit 1
  fi
  mv -T "$fresh" "$dir" 2>/dev/null || true # another process was faster
fi
log=$(mktemp)
trap 'rm -rf "$log" ${fresh:+"$fresh"}' EXIT
failed() { # says what went wrong, with what DynamoDB Local has said
  echo "dynamodb: $1" >&2
  cat "$log" >&2
}
coproc LOCAL { DDB_LOCAL_TELEMETRY=0 exec java "-Dsqlite4java.library.path=$dir/lib" -cp "$dir/lib/*" "$dir/Local.java" 2>"$log"; }
local_pid=$LOCAL_PID local_in=${LOCAL[1]}
endpoint=""
while [[ $endpoint != http://127.0.0.1:* ]]; do
  if ! read -r -t 60 -u "${LOCAL[0]}" endpoint; then
    failed "DynamoDB Local has not started within a minute; it needs Java 17 or newer"
    exit 1
  fi
done
code=0
EBB_DYNAMODB_ENDPOINT=$endpoint "$@" || code=$?
exec {local_in}>&-
wait "$local_pid" || failed "DynamoDB Local ended badly"
exit "$code"
