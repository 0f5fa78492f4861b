#!/usr/bin/env bash
# Runs a test that takes long and has flags of its own: long.sh storm|bench|answers|spot|scaling|mutate [FLAG...], in the root of the repository. -help lists
# the flags. Paths are from the root. Such a test is behind the build tag "long", so that go test ./... does not see it.
exec go test -tags long "./test/$1" -run '^TestLong$' -count=1 -timeout=0 -v -args "${@:2}"
