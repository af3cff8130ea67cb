package vitess_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/pmig/pmig/emulator/mariadb"
	"github.com/pmig/pmig/emulator/vitess"
)

func start(t *testing.T, o vitess.Options) *sql.DB {
	t.Helper()
	o.Binary = filepath.Join(os.Getenv("PMIG_TEST_TOOLS"), "bin", "vtcombo")
	if _, err := os.Stat(o.Binary); err != nil {
		t.Skip("vtcombo is not installed")
	}
	if _, err := mariadb.Find(); err != nil {
		t.Skip("mariadbd is not installed")
	}
	o.Dir = t.TempDir()
	s, err := vitess.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	db, err := sql.Open("mysql", s.DSN(vitess.Keyspace))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestDirectDDL(t *testing.T) {
	db := start(t, vitess.Options{})
	for _, statement := range []string{"CREATE TABLE a (id BIGINT NOT NULL, PRIMARY KEY (id))", "INSERT INTO a VALUES (1)", "CREATE DATABASE more"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// With direct DDL off it answers as a branch with safe migrations does.
func TestNoDirectDDL(t *testing.T) {
	db := start(t, vitess.Options{NoDirectDDL: true, Prepare: []string{"CREATE TABLE a (id BIGINT NOT NULL, PRIMARY KEY (id))"}})
	if _, err := db.Exec("INSERT INTO a VALUES (1)"); err != nil {
		t.Error(err)
	}
	_, err := db.Exec("ALTER TABLE a ADD COLUMN x INT")
	var refused *mysql.MySQLError
	if !errors.As(err, &refused) || refused.Number != 1105 || refused.Message != "direct DDL is disabled" {
		t.Errorf("DDL: %v", err)
	}
}
