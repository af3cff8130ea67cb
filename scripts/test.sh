#!/usr/bin/env bash
# What CI runs: brings the tools, builds, lints, and runs every test with the
# race detector. Without a tool that cannot be installed here the tests that
# need it are skipped, and the end says so; with CI=true that is a failure.
#
#   .tools/test.log   the whole output of go test -v
#
# scripts/test.sh ./migration/...   the same for some packages only
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '== %s\n' "$*" >&2; }

say tools
bash scripts/tools.sh
export PMIG_TEST_TOOLS=$PWD/.tools
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
if [ -s .tools/missing ] && [ "${CI:-}" = true ]; then
	say "CI skips nothing, and these are missing:"
	cat .tools/missing >&2
	exit 1
fi

say build
make --no-print-directory build

say lint
bash scripts/lint.sh

race=-race
if [ "$(go env CGO_ENABLED)" != 1 ] || ! { command -v "$(go env CC)" >/dev/null 2>&1; }; then
	race=
fi

[ $# -gt 0 ] || set -- ./...
# The race detector's own pause at the end of every process, of which the
# scripts start thousands.
export GORACE="${GORACE:+$GORACE }atexit_sleep_ms=0"

say "go test $race $*"
# Two packages at a time suit two cores. The linter has vetted already.
set +e
go test -v $race -count=1 -p "${PMIG_TEST_PACKAGES:-2}" -vet=off -timeout 15m "$@" 2>&1 |
	tee .tools/test.log |
	awk -v missing=.tools/missing -v ci="${CI:-}" -f scripts/test.awk
status=("${PIPESTATUS[@]}")
set -e
if [ "${status[0]}" != 0 ]; then
	exit "${status[0]}"
fi
exit "${status[2]}"
