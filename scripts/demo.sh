#!/usr/bin/env bash
# Plans and applies examples/quickstart, then asks the emulated PlanetScale, and
# not pmig, what it has. Needs Go, make and bash; see the Makefile for the build.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
pmig=$root/bin/pmig
emulator=$root/bin/pmig-emulator
example=examples/quickstart
data=$root/$example/.pmig/embedded

work=$(mktemp -d)
pid=
cleanup() {
	if [ -n "$pid" ]; then
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# The demo is about the emulator: no token and no address from outside.
unset PLANETSCALE_SERVICE_TOKEN PLANETSCALE_SERVICE_TOKEN_ID PLANETSCALE_API_URL PLANETSCALE_ORG

step() { printf '\n\033[1m$ %s\033[0m\n' "$*"; }
[ -t 1 ] || step() { printf '\n$ %s\n' "$*"; }

# fetch URL prints what an HTTP address answers, with what this machine has.
fetch() {
	local url=$1 rest host port path
	if command -v curl >/dev/null 2>&1; then
		curl -fsS --noproxy '*' -H 'Authorization: demo:demo' "$url"
	elif command -v wget >/dev/null 2>&1; then
		wget -q -O - --no-proxy --header 'Authorization: demo:demo' "$url"
	else
		rest=${url#http://} path=/${url#http://*/}
		host=${rest%%/*} port=${rest%%/*}
		host=${host%:*} port=${port##*:}
		exec 3<>"/dev/tcp/$host/$port"
		# HTTP/1.0, so that the body comes in one piece.
		printf 'GET %s HTTP/1.0\r\nHost: %s:%s\r\nAuthorization: demo:demo\r\n\r\n' "$path" "$host" "$port" >&3
		sed '1,/^\r*$/d' <&3
		exec 3<&- 3>&-
	fi
}

# prove starts the emulator on the example's data and prints its deploy requests
# and the history rows on production.
prove() {
	"$emulator" --listen 127.0.0.1:0 --data "$data" >"$work/out" 2>"$work/err" &
	pid=$!
	local api= tries=0
	while [ -z "$api" ]; do
		api=$(sed -n 's/.*\(http:\/\/[0-9.:]*\).*/\1/p' "$work/out" "$work/err" | head -n 1)
		tries=$((tries + 1))
		if [ "$tries" -gt 300 ] || ! kill -0 "$pid" 2>/dev/null; then
			echo "the emulator did not start:" >&2
			cat "$work/out" "$work/err" >&2
			return 1
		fi
		[ -n "$api" ] || sleep 0.1
	done
	local org
	org=$(fetch "$api/v1/organizations" | awk -f scripts/json.awk | sed -n 's/^data\.0\.name=//p')

	echo "deploy requests:"
	fetch "$api/v1/organizations/$org/databases/shop/deploy-requests" | awk -f scripts/json.awk |
		sed -n -E 's/^data\.[0-9]+\.(number|branch|into_branch|state|deployment_state)=/  \1: /p'
	echo "schema_migrations on main:"
	fetch "$api/_emulator/dump?database=shop&branch=main&table=schema_migrations" | awk -f scripts/json.awk | sed 's/^/  /'
}

cd "$example"
step "pmig plan"
status=0
"$pmig" plan --detailed-exitcode || status=$?
case $status in
0)
	printf '\nNothing to do: the demo ran before. Its data is in %s.\n' "$example/.pmig"
	;;
2)
	step "pmig apply --auto-approve"
	"$pmig" apply --auto-approve
	step "pmig plan"
	"$pmig" plan
	;;
*)
	exit "$status"
	;;
esac

cd "$root"
step "pmig-emulator --data $example/.pmig/embedded, asked over HTTP"
prove
