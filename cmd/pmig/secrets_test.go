package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// The marked secrets: what must be nowhere but in memory and where a person put it.
const markedValue = "marked-value-of-the-environment-4711"

var anyPassword = regexp.MustCompile(`pscale_pw_[A-Za-z0-9_-]+|pscale_tkn_[A-Za-z0-9_-]+`)

// TestSecrets runs every command that talks to the platform, with debug logs and
// with a tool that prints its connection and fails, and looks for secrets in all
// that was printed, in all files that were written, and in the arguments of
// every process of the machine while the tool was running.
func TestSecrets(t *testing.T) {
	s := newStage(t, buildBoth(t), `database "shop" {
  source "dbmate" {
    path     = "migrations"
    command  = ["sh", "tool.sh"]
    env      = { DATABASE_URL = branch.migrator.url, KEY = env.MARKED }
    pass_env = ["GIVEN"]
  }
}
`)
	s.write("tool.sh", `echo "connecting to $DATABASE_URL, with $GIVEN"
for p in /proc/[0-9]*; do tr '\0' ' ' <$p/cmdline; echo; done >arguments 2>/dev/null
for w in $DATABASE_URL; do echo "$w" >&2; done
password=${DATABASE_URL#*pmig:}; echo "${password%%@*}" >>../one-time
exit 1
`)
	parent := filepath.Dir(s.dir)
	env := []string{"MARKED=" + markedValue, "GIVEN=pscale_tkn_given-on-purpose-0123456789", "PMIG_LOG_LEVEL=debug"}
	var printed bytes.Buffer
	for _, args := range [][]string{
		{"validate"}, {"plan", "--out", "plan.json"}, {"plan", "--json"}, {"show", "plan.json"}, {"apply", "--auto-approve"}, {"apply", "--auto-approve", "--json"},
		{"apply", "--auto-approve", "--log-format", "json"}, {"status"}, {"status", "--json"}, {"history"}, {"abandon"},
	} {
		cmd, out := s.command(env, args...)
		cmd.Run()
		if out.Len() == 0 && args[0] != "validate" {
			t.Errorf("pmig %v printed nothing: the test looks at nothing", args)
		}
		printed.Write(out.Bytes())
	}
	oneTime, err := os.ReadFile(filepath.Join(parent, "one-time"))
	secrets := bytes.Fields(oneTime)
	if err != nil || len(secrets) != 3 {
		t.Fatalf("the tool has not run three times: %q, %v\n%s", oneTime, err, &printed)
	}
	if !bytes.Contains(printed.Bytes(), []byte("DEBUG")) && !bytes.Contains(printed.Bytes(), []byte("debug")) {
		t.Error("there is no debug log: the test looks at too little")
	}
	secrets = append(secrets, []byte(testToken), []byte(markedValue))
	check := func(where string, b []byte) {
		t.Helper()
		for _, secret := range secrets {
			if i := bytes.Index(b, secret); i >= 0 {
				t.Errorf("%s holds a secret: ...%s", where, b[max(0, i-80):min(len(b), i+len(secret))])
			}
		}
		if found := anyPassword.Find(b); found != nil {
			t.Errorf("%s holds %s", where, found)
		}
	}
	check("what was printed", printed.Bytes())
	files := 0
	err = filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files++
		check(path, b)
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
}
