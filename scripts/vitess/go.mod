// Real Vitess, for tests that run pmig's statements through it. Only the
// commands are built, by scripts/tools.sh; nothing of pmig imports it.
module github.com/pmig/pmig/scripts/vitess

go 1.26

require vitess.io/vitess v0.22.0
