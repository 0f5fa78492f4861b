#!/usr/bin/env bash
# Checks what deploy/Dockerfile puts into the image, without Docker: builds the binary for both processors as the Dockerfile does, and
# runs the one of amd64 as user 65532 in a root that holds nothing but it and the certificates: ebb version, and ebb serve against
# ebb sim until it gets SIGTERM.
#
#   bash test/image.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

source test/isolate.sh
image="$cache/image"

build() {
  local arch
  mkdir -p "$image"
  for line in 'CGO_ENABLED=0 GOOS=linux GOARCH=$TARGETARCH go build -trimpath -ldflags "-s -w" -o /ebb ./cmd/ebb' 'FROM scratch' 'USER 65532:65532' 'ENTRYPOINT ["/ebb"]'; do
    if ! grep -qF -- "$line" deploy/Dockerfile; then
      printf 'deploy/Dockerfile does not say %s any more; change test/image.sh with it\n' "$line" >&2
      exit 1
    fi
  done
  for arch in amd64 arm64; do
    CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -trimpath -ldflags "-s -w" -o "$image/ebb-$arch" ./cmd/ebb
  done
  python3 - "$image" <<'PYTHON'
import struct, sys
for arch, machine in (("amd64", 62), ("arm64", 183)):
    with open(f"{sys.argv[1]}/ebb-{arch}", "rb") as f:
        elf = f.read()
    assert elf[:4] == b"\x7fELF" and struct.unpack_from("<H", elf, 18)[0] == machine, f"{arch}: another processor"
    start, size, n = struct.unpack_from("<Q", elf, 32)[0], *struct.unpack_from("<HH", elf, 54)
    kinds = [struct.unpack_from("<I", elf, start + i * size)[0] for i in range(n)]
    assert 3 not in kinds, f"{arch}: it wants a dynamic loader, which the image does not have"
    print(f"ok     {arch}: static, {len(elf) / 1e6:.1f} MB")
PYTHON
}

[[ -n ${EBB_TEST_ISOLATED:-} ]] || build
isolated test/image.sh
if [[ $(uname -m) != x86_64 ]]; then
  echo "this machine cannot run the binary for amd64" >&2
  exit 1
fi

root=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; chmod -R u+w "$root"; rm -rf "$root"' EXIT
mkdir -p "$root/etc/ssl/certs"
cp "$image/ebb-amd64" "$root/ebb"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
chmod -R a-w,a+rX "$root"
as=(--userspec=65532:65532)
if [[ $(awk '$1 == 0 {print $2; exit}' /proc/self/uid_map) != 0 ]]; then
  as=() # a user namespace of one user knows no other: root in it is nobody of importance outside
  echo "note: without root this runs as the caller and not as user 65532" >&2
fi

version=$(env -i PATH="$PATH" chroot "${as[@]}" "$root" /ebb version)
printf 'ok     %s\n' "$version"
[[ $version == ebb*linux/amd64 ]]

exec 3< <(exec "$root/ebb" sim --listen 127.0.0.1:0)
pids+=($!)
read -r _ _ _ endpoint <&3
config="queue: $endpoint/111122223333/ebb
region: eu-west-1
endpoint: $endpoint
log_format: json
groups: [{match: demo-asg, cluster: demo}]"
exec 4< <(exec env -i "EBB_CONFIG_TEXT=$config" AWS_ACCESS_KEY_ID=ebb AWS_SECRET_ACCESS_KEY=none AWS_EC2_METADATA_DISABLED=true PATH="$PATH" chroot "${as[@]}" "$root" /ebb serve 2>&1)
serve=$!
pids+=("$serve")
while read -r line <&4; do
  if [[ $line == *'"msg":"serving"'* ]]; then
    break
  fi
  printf '%s\n' "$line" >&2
done
user=$(awk '/^Uid:/ {print $2}' "/proc/$serve/status")
if [[ ${#as[@]} -gt 0 && $user != 65532 ]]; then
  echo "ebb serve runs as user $user" >&2
  exit 1
fi
kill -TERM "$serve"
rest=$(cat <&4)
if [[ $rest != *'stopped; nothing is lost'* ]]; then
  printf 'ebb serve did not end well:\n%s\n' "$rest" >&2
  exit 1
fi
echo "ok     ebb serve runs as user $user in a root with nothing else, and ends when it is told to"
