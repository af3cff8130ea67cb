#!/usr/bin/env bash
# Brings what the tests need besides Go: a MariaDB server and Node from the
# system's packages (only as root, with apt), and the migration tools and
# staticcheck, by exact version, in .tools/:
#
#   .tools/bin                  goose, migrate, staticcheck, vtcombo
#   .tools/node_modules/.bin    dbmate, drizzle-kit, knex, sequelize-cli
#   examples/knex/node_modules  what the example's own lock file says
#   .tools/missing              one line for each thing that could not be had
#
# A second run finds everything in place and asks nobody.
set -euo pipefail
cd "$(dirname "$0")/.."

goose=v3.29.0
migrate=v4.20.1
staticcheck=v0.8.2

tools=$PWD/.tools
mkdir -p "$tools/bin"
: >"$tools/missing"

# Servers live in sbin, which is not on everybody's PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { printf '== %s\n' "$*" >&2; }
missing() {
	say "missing: $1: $2"
	printf '%s: %s\n' "$1" "$2" >>"$tools/missing"
}
have() { command -v "$1" >/dev/null 2>&1; }

# system NAME PACKAGE... installs Debian packages, or says why it cannot.
updated=
system() {
	local name=$1
	shift
	if [ "$(uname -s)" != Linux ] || ! have apt-get; then
		missing "$name" "not installed, and there is no apt-get to install $* with"
	elif [ "$(id -u)" != 0 ]; then
		missing "$name" "not installed; as root: apt-get install $*"
	else
		say "installing $*"
		if [ -z "$updated" ]; then
			apt-get update -qq >&2 || say "apt-get update failed; going on with the old lists"
			updated=yes
		fi
		if ! DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >"$tools/apt.log" 2>&1; then
			tail -n 5 "$tools/apt.log" >&2
			missing "$name" "apt-get install $* failed"
		fi
	fi
}

# gotool NAME VERSION PACKAGE [TAGS] builds a command of another module.
gotool() {
	local name=$1 version=$2 package=$3 tags=${4:-} stamp=$tools/bin/.$1-$2
	if [ -x "$tools/bin/$name" ] && [ -e "$stamp" ]; then
		return
	fi
	say "building $name $version"
	if GOBIN=$tools/bin CGO_ENABLED=0 GOFLAGS= go install -trimpath -tags "$tags" "$package@$version" >&2; then
		rm -f "$tools/bin/.$name-"*
		: >"$stamp"
	else
		missing "$name" "go install $package@$version failed"
	fi
}

# npmtree NAME FOLDER NPM-ARGUMENTS... fills FOLDER/node_modules, and again only
# when package.json or the lock file has changed.
npmtree() {
	local name=$1 folder=$2 sum
	shift 2
	sum=$(cat "$folder"/package*.json | cksum)
	if [ "$(cat "$folder/node_modules/.complete" 2>/dev/null)" = "$sum" ]; then
		return
	fi
	say "npm: $name"
	if (cd "$folder" && npm "$@" --no-audit --no-fund --loglevel=error >&2); then
		echo "$sum" >"$folder/node_modules/.complete"
	else
		missing "$name" "npm $1 failed"
	fi
}

# Debian has a program that mariadb-install-db needs in the client's package.
{ have mariadbd || have mysqld; } && have my_print_defaults || system mariadbd mariadb-server-core mariadb-client-core
have cc || have gcc || system "C compiler (for the race detector)" gcc libc6-dev

gotool goose "$goose" github.com/pressly/goose/v3/cmd/goose \
	no_clickhouse,no_duckdb,no_libsql,no_mssql,no_postgres,no_sqlite3,no_vertica,no_ydb
gotool migrate "$migrate" github.com/golang-migrate/migrate/v4/cmd/migrate mysql
gotool staticcheck "$staticcheck" honnef.co/go/tools/cmd/staticcheck

# A real Vitess, from a module of its own. Go has only Swiss maps by now and no
# longer says so, but Vitess asks. It takes minutes, once.
sum=$(cat scripts/vitess/go.* | cksum)
if [ "$(cat "$tools/bin/.vtcombo" 2>/dev/null)" != "$sum" ]; then
	say "building vtcombo"
	if (cd scripts/vitess && CGO_ENABLED=0 GOFLAGS= go build -trimpath -tags goexperiment.swissmap -o "$tools/bin/" vitess.io/vitess/go/cmd/vtcombo >&2); then
		echo "$sum" >"$tools/bin/.vtcombo"
	else
		missing vtcombo "go build failed"
	fi
fi

have node && have npm || system node nodejs npm
if have npm; then
	cp scripts/tools/package.json "$tools/package.json"
	# No lock file: npm leaves out of it what a registry does not have for
	# other platforms, and then refuses it there.
	npmtree "dbmate, drizzle-kit, knex, sequelize-cli" "$tools" install --no-package-lock
	npmtree examples/knex examples/knex ci
fi
