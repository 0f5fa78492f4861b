#!/usr/bin/env bash
# Builds ebb-agent for both architectures and its packages into dist/, and checks them: the size of the program, what is in the packages, and
# the unit by systemd's own judgement. VERSION names the version.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=${VERSION:-0.0.0}
most=15000000 # bytes of the program
nfpm=(go run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.0)

if ! command -v systemd-analyze >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends systemd >/dev/null
fi
mkdir -p dist
for arch in amd64 arm64; do
  # HTTP/2 is left out: AWS, the metadata service and the step's servers speak HTTP/1.1, and it is 400 kB.
  CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -tags nethttpomithttp2 \
    -ldflags "-s -w -X github.com/ebbhq/ebb/internal/agentcli.version=$version" -o "dist/ebb-agent-linux-$arch" ./cmd/ebb-agent
  size=$(stat -c %s "dist/ebb-agent-linux-$arch")
  if ((size > most)); then
    echo "dist/ebb-agent-linux-$arch has $size bytes, and $most are allowed" >&2
    exit 1
  fi
  for kind in deb rpm; do
    ARCH=$arch VERSION=$version "${nfpm[@]}" pkg -f deploy/agent/nfpm.yaml -p "$kind" -t dist/ >/dev/null
  done
  echo "dist/ebb-agent-linux-$arch: $size bytes"
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
dpkg-deb -x "dist/ebb-agent_${version}_$(go env GOARCH).deb" "$tmp"
[[ $("$tmp/usr/bin/ebb-agent" version) == "ebb-agent $version" ]]
[[ $(stat -c %a "$tmp/etc/ebb-agent/agent.yaml") == 600 ]]
# The unit as it is packaged, but for where the program stands here.
sed "s|/usr/bin/ebb-agent|$tmp/usr/bin/ebb-agent|" "$tmp/usr/lib/systemd/system/ebb-agent.service" >"$tmp/ebb-agent.service"
said=$(systemd-analyze verify "$tmp/ebb-agent.service" 2>&1) || true
if [[ -n $said ]]; then
  printf 'systemd-analyze verify says:\n%s\n' "$said" >&2
  exit 1
fi
systemd-analyze security --offline=true "$tmp/ebb-agent.service" 2>/dev/null | tail -1
