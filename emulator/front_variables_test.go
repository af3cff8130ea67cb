package emulator_test

import "testing"

// TestVariablesThatDriversAskFor sends what Connector/J and others send when they connect.
func TestVariablesThatDriversAskFor(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		s := start(t, open)
		db, _ := s.user("main", "admin")
		db.SetMaxOpenConns(1)
		got := rows(t, db, "/* mysql-connector-j */SELECT  @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client, @@max_allowed_packet > 0 AS packet, @@transaction_isolation AS transaction_isolation")
		if want := "1|utf8mb4|1|REPEATABLE-READ"; got != want {
			t.Errorf("at connect: %s, want %s", got, want)
		}
		for statement, want := range map[string]string{
			"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED": "READ-COMMITTED",
			"SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE":   "SERIALIZABLE",
		} {
			must(t, db, statement)
			if got := rows(t, db, "SELECT @@session.transaction_isolation"); got != want {
				t.Errorf("after %s: %s", statement, got)
			}
		}
		if got := rows(t, db, "SELECT @@transaction_read_only"); got != "0" {
			t.Errorf("read only = %s", got)
		}
		r, err := db.Query("SELECT @@transaction_isolation")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if names, _ := r.Columns(); len(names) != 1 || names[0] != "@@transaction_isolation" {
			t.Errorf("column %q", names)
		}
	})
}
