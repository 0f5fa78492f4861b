#!/usr/bin/env bash
# Checks the CloudFormation templates with AWS's own linter, which is installed if it is not there. Every finding counts, also a remark.
#
#   bash test/templates.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=1.51.0
cache="${XDG_CACHE_HOME:-$HOME/.cache}/ebb-ci"
have() { [[ $(cfn-lint --version 2>/dev/null) == "cfn-lint $version" ]]; }

have || export PATH="$cache/cfn-lint/bin:$PATH"
if ! have; then
  echo "installing cfn-lint $version into $cache/cfn-lint"
  python3 -m venv "$cache/cfn-lint"
  "$cache/cfn-lint/bin/pip" install --quiet "cfn-lint==$version"
fi
cfn-lint --include-checks I --non-zero-exit-code informational -- deploy/*.yaml
echo "ok     $(cfn-lint --version) finds nothing in $(echo deploy/*.yaml)"
