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

# ask METHOD URL [BODY] prints what an HTTP address answers, with what this
# machine has.
ask() {
	local method=$1 url=$2 body=${3:-} path host port
	if command -v curl >/dev/null 2>&1; then
		curl -fsS --noproxy '*' -X "$method" -H 'Authorization: demo:demo' -H 'Content-Type: application/json' -d "$body" "$url"
	elif command -v wget >/dev/null 2>&1 && wget --help 2>&1 | grep -q -- --method; then
		wget -q -O - --no-proxy --method "$method" --header 'Authorization: demo:demo' \
			--header 'Content-Type: application/json' --body-data "$body" "$url"
	else
		path=/${url#http://*/} host=${url#http://}
		host=${host%%/*} port=${host##*:}
		host=${host%:*}
		exec 3<>"/dev/tcp/$host/$port"
		# HTTP/1.0, so that the answer comes in one piece and the connection ends.
		printf '%s %s HTTP/1.0\r\nHost: %s:%s\r\nAuthorization: demo:demo\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n%s' \
			"$method" "$path" "$host" "$port" "${#body}" "$body" >&3
		sed '1,/^\r*$/d' <&3
		exec 3<&- 3>&-
	fi
}

# query SQL prints the rows that a statement finds on production, past pmig and
# past every rule of the platform.
query() {
	ask POST "${api}_emulator/sql" "{\"database\": \"shop\", \"branch\": \"main\", \"sql\": \"$1\"}" |
		awk -f scripts/json.awk |
		awk -F= '
			/^columns\./ { header = header sprintf("  %-12s", $2) }
			/^rows\./ {
				split($1, at, ".")
				row[at[2]] = row[at[2]] sprintf("  %-12s", $2)
				if (at[2] >= n) n = at[2] + 1
			}
			END { print header; for (i = 0; i < n; i++) print row[i] }' | sed 's/ *$//'
}

# prove starts the emulator on the data that the run left, and asks it.
prove() {
	local tries=0
	: >"$work/out"
	"$emulator" --data "$data" --organization embedded --database shop \
		--listen 127.0.0.1:0 --mysql-listen 127.0.0.1:0 --quiet >"$work/out" 2>"$work/err" &
	pid=$!
	api=
	while [ -z "$api" ]; do
		api=$(sed -n 's/.*\(http:\/\/127[0-9.:]*\/\).*/\1/p' "$work/out")
		tries=$((tries + 1))
		if [ "$tries" -gt 300 ] || ! kill -0 "$pid" 2>/dev/null; then
			echo "the emulator did not start:" >&2
			cat "$work/out" "$work/err" >&2
			return 1
		fi
		[ -n "$api" ] || sleep 0.1
	done
	printf '\ndeploy requests:\n'
	ask GET "${api}v1/organizations/embedded/databases/shop/deploy-requests" | awk -f scripts/json.awk |
		awk -F= '
			$1 ~ /^data\.[0-9]+\.(number|branch|into_branch|state|deployment_state)$/ {
				split($1, at, ".")
				is[at[2], at[3]] = $2
				if (at[2] >= n) n = at[2] + 1
			}
			END {
				for (i = 0; i < n; i++)
					printf "  #%s  %s -> %s  %s, %s\n", is[i, "number"], is[i, "branch"], is[i, "into_branch"], is[i, "state"], is[i, "deployment_state"]
			}'
	printf '\ntables on main:\n'
	query "SHOW TABLES"
	printf '\nschema_migrations on main:\n'
	query "SELECT * FROM schema_migrations"
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
