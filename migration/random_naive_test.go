package migration_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/pmig/pmig/migration"
)

// A swap that looks right and is not must not pass, even if it may refuse as
// often as it likes: this shows that the tales reach the instants that matter.
func TestRandomHistoriesFindNaiveSwaps(t *testing.T) {
	for _, s := range stages(t) {
		s.open(t)
		for name, swap := range naive {
			if s.name == "keyed log" && strings.HasSuffix(name, "then write at once") {
				continue // there the key itself keeps the second writer out
			}
			t.Run(s.name+" "+name, func(t *testing.T) {
				for _, what := range s.short() {
					if err := s.play(t, what, swap, true, map[string]int{}); err != nil {
						t.Logf("found out by %+v: %v", what, err)
						return
					}
				}
				t.Error("no tale finds it out")
			})
		}
	}
}

// naive swaps, as they are found in scripts.
var naive = map[string]swapper{
	"delete all, insert all": func(ctx context.Context, db *sql.DB, s *stage, base *migration.History, d migration.Delta, _ bool) error {
		branch, table := scalarOf(s.branch), s.spec.HistoryTable()
		return once(ctx, db, "DELETE FROM "+table, "INSERT INTO "+table+" SELECT * FROM "+branch+"."+table)
	},
	"look, then write": func(ctx context.Context, db *sql.DB, s *stage, base *migration.History, d migration.Delta, _ bool) error {
		return lookAndWrite(ctx, db, db, s, base, d)
	},
	"look in a transaction, then write at once": func(ctx context.Context, db *sql.DB, s *stage, base *migration.History, d migration.Delta, _ bool) error {
		tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if err := lookAndWrite(ctx, tx, tx, s, base, d); err != nil {
			return err
		}
		return tx.Commit()
	},
	"lock at READ COMMITTED, then write at once": func(ctx context.Context, db *sql.DB, s *stage, base *migration.History, d migration.Delta, _ bool) error {
		tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
		if err != nil {
			return err
		}
		defer tx.Rollback()
		if _, err := tx.ExecContext(ctx, "SELECT * FROM "+s.spec.HistoryTable()+" FOR UPDATE"); err != nil {
			return err
		}
		if err := lookAndWrite(ctx, tx, tx, s, base, d); err != nil {
			return err
		}
		return tx.Commit()
	},
}

// lookAndWrite refuses every drift that it sees, and writes if it sees none.
func lookAndWrite(ctx context.Context, from migration.Queryer, to statements, s *stage, base *migration.History, d migration.Delta) error {
	now, err := migration.Read(ctx, from, s.spec)
	if err != nil {
		return err
	}
	if now.Digest() != base.Digest() {
		return &migration.DriftError{}
	}
	return writeBlindly(ctx, to, s, d)
}

type statements interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// writeBlindly writes a delta without looking what is there.
func writeBlindly(ctx context.Context, db statements, s *stage, d migration.Delta) error {
	table := s.spec.HistoryTable()
	put := func(r migration.Row) error {
		var names, cells []string
		for i, v := range r {
			if c := d.Columns[i]; !c.AutoIncrement {
				names, cells = append(names, c.Name), append(cells, "'"+v.Text()+"'")
			}
		}
		_, err := db.ExecContext(ctx, "INSERT INTO "+table+" ("+strings.Join(names, ", ")+") VALUES ("+strings.Join(cells, ", ")+")")
		return err
	}
	drop := func(r migration.Row) error {
		_, err := db.ExecContext(ctx, "DELETE FROM "+table+" WHERE "+d.Columns[0].Name+" = '"+r[0].Text()+"'")
		return err
	}
	for _, r := range d.Delete {
		if err := drop(r); err != nil {
			return err
		}
	}
	for _, e := range d.Update {
		if err := errors.Join(drop(e.Before), put(e.After)); err != nil {
			return err
		}
	}
	for _, r := range d.Insert {
		if err := put(r); err != nil {
			return err
		}
	}
	return nil
}

// once runs statements in a transaction of the server's default level.
func once(ctx context.Context, db *sql.DB, statements ...string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return tx.Commit()
}
