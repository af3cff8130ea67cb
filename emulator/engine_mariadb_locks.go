package emulator

import (
	"context"

	"github.com/pmig/pmig/mysqlproxy"
)

// lockBreaker is an engine on which open transactions can keep a statement from
// a table, and that can end them.
type lockBreaker interface {
	// EndTransactions ends the connections to a branch that are in a
	// transaction, as a forced cutover does.
	EndTransactions(ctx context.Context, id string) error
}

var _ lockBreaker = (*MariaDB)(nil)

// EndTransactions ends the connections to a branch that are in a transaction.
func (e *MariaDB) EndTransactions(ctx context.Context, id string) error {
	b, err := e.branch(id)
	if err != nil {
		return err
	}
	db := openBackend(mysqlproxy.Backend{Dial: b.dial, User: "root"})
	defer db.Close()
	rows, err := db.QueryContext(ctx, "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_mysql_thread_id NOT IN (0, CONNECTION_ID())")
	if err != nil {
		return err
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return err
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, id := range ids {
		db.ExecContext(ctx, "KILL ?", id) // it may have ended by itself
	}
	return nil
}
