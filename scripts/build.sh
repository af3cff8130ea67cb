#!/usr/bin/env bash
# Builds the commands as they are shipped. Static, without paths of this
# machine, without symbols; without HTTP/2, which the API does not need; and
# without inlining in Vitess, whose parser is the largest part of pmig.
#
#   scripts/build.sh DIR [COMMAND...]   pmig and pmig-emulator, if none is named
set -euo pipefail
dir=$(mkdir -p "$1" && cd "$1" && pwd)
shift
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- pmig pmig-emulator
CGO_ENABLED=0 go build -trimpath -tags nethttpomithttp2 -ldflags "-s -w" -gcflags 'vitess.io/vitess/...=-l' \
	-o "$dir/" "${@/#/./cmd/}"
