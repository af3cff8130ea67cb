#!/usr/bin/env bash
# gofmt, go vet and staticcheck over this module. Each is here because what it
# finds is wrong, not because it measures: no complexity, no style.
set -euo pipefail
cd "$(dirname "$0")/.."

files=$(git ls-files --cached --others --exclude-standard -- '*.go' 2>/dev/null || true)
if [ -n "$files" ]; then
	# A file deleted and not yet committed is still listed.
	unformatted=$(for f in $files; do [ ! -e "$f" ] || echo "$f"; done | xargs gofmt -l)
else
	unformatted=$(gofmt -l .)
fi
if [ -n "$unformatted" ]; then
	printf 'gofmt would change:\n%s\n' "$unformatted" >&2
	exit 1
fi

go vet ./...

if [ ! -x .tools/bin/staticcheck ]; then
	bash scripts/tools.sh
fi
if [ -x .tools/bin/staticcheck ]; then
	.tools/bin/staticcheck ./...
else
	echo "staticcheck is missing and was not run" >&2
fi
