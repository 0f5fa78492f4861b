#!/usr/bin/env bash
# Measures ebb-agent and writes docs/agent.md: an hour or more, of which the agent does nothing for ten minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=$(mktemp)
trap 'rm -f "$out" "$out".*' EXIT

# rows NAME PACKAGE TEST: keeps the rows of tables that a test prints.
rows() {
  go test -tags long "$2" -run "^$3\$" -count=1 -timeout=0 -v >"$out.log" || { cat "$out.log" >&2; exit 1; }
  grep '^| ' "$out.log" >"$out.$1"
}
rows queue ./internal/agentcli TestLongSharedQueue
rows idle ./internal/agentcli TestLongIdle
rows crowd ./internal/sim/story TestLong
rows script ./internal/sim/baseline TestLong

cat >"$out" <<END
# What the agent costs, and how fast it is

Made by \`make agent\` on $(date -u +%F), on $(nproc) cores. [agent.md](reference/agent.md) says what the agent is.

## Many hosts at once

All hosts of a group leave at the same moment, in virtual time. Each has ebb-agent, which hears of it from the metadata service, and the
controller drains the same hosts, of which each runs a task that takes seven minutes to stop. The step of the agent takes eight minutes. Both hooks
have a heartbeat timeout of 15 minutes: a heartbeat is due after five. AWS publishes no limit of the Auto Scaling API; 10 calls a second, 100 at
once, are assumed, and half of that in the second row of each. p50 and p99 are from the opening of the agent's hook to the beginning of its step.

| hosts | limit | served | p50 | p99 | longest time without heartbeat, controller | agents | hooks timed out | calls of Auto Scaling | throttled |
|---|---|---|---|---|---|---|---|---|---|
$(grep -v ebb-agent "$out.crowd")

## Twenty hosts with one queue

All of them leave at once, in real time against the simulated SQS, whose queue moves a message away after 100 receives.

| hosts | served | slowest | most receives of a message | in the dead-letter queue |
|---|---|---|---|---|
$(cat "$out.queue")

## Beside the script that people write

So many hosts of a group leave at once, in virtual time. The script is started by cron once a minute on each host, takes one message from the queue
that all share, and if that names its host sends SIGUSR1 to Fluentd, takes the host out of Zabbix, deletes the message and completes the hook
(\`internal/sim/baseline/host.go\`). The hook has 15 minutes. An application writes 50 lines a second, and Fluentd sends them on once a minute. A host that
ends before its script has run is an alert. Minutes are until the last host has ended, for the agent until its hook was answered: its step takes ten
seconds, and it answers only afterwards. Its lines and alerts are not computed here: \`ebb demo --story host\` measures them with real processes.

| | hosts | served | minutes | lines lost | alerts |
|---|---|---|---|---|---|
$(cat "$out.script")
$(grep ebb-agent "$out.crowd")

## Memory and processor

While nothing happens, for ten minutes. lifecycled, which does a part of this on Buildkite's hosts, publishes no such figures. It asks the metadata
service each 5 s too, and its maintainers found neither a queue for each host nor a queue that a hundred hosts share to work
(https://github.com/buildkite/lifecycled/issues/22).

| | resident | at most | processor time |
|---|---|---|---|
$(cat "$out.idle")
END
mv "$out" docs/agent.md
chmod 644 docs/agent.md
