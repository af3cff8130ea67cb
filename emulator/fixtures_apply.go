package emulator

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/hashicorp/hcl/v2"
)

// FixtureError is a fixture that could not be made.
type FixtureError struct {
	At  hcl.Range
	Err error
}

func (e *FixtureError) Error() string {
	return fmt.Sprintf("%s:%d: %v", e.At.Filename, e.At.Start.Line, e.Err)
}
func (e *FixtureError) Unwrap() error { return e.Err }

// Hint says what to do about it.
func (e *FixtureError) Hint() string {
	return "mend the fixtures; a database that they had begun is left as it is, so begin with an empty folder"
}

// apply makes what fixtures say, in the order of the file. A database that is
// there is left as it is.
func (f *Fixtures) apply(ctx context.Context, e *Emulator) error {
	for _, o := range f.Organizations {
		e.mu.Lock()
		e.organizationLocked(o.Name)
		e.mu.Unlock()
		for _, d := range o.Databases {
			e.mu.Lock()
			there := e.findLocked(o.Name, d.Name) != nil
			e.mu.Unlock()
			if there {
				continue
			}
			if err := d.make(ctx, e, o.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *FixtureDatabase) make(ctx context.Context, e *Emulator, organization string) error {
	if err := e.CreateDatabase(ctx, organization, Database{Name: d.Name, Kind: d.Kind, ForeignKeys: d.ForeignKeys, RequireApproval: d.RequireApproval}); err != nil {
		return &FixtureError{d.Range, err}
	}
	e.mu.Lock()
	db := e.findLocked(organization, d.Name)
	s := &db.Settings
	s.AutomaticMigrations, s.MigrationFramework, s.MigrationTable = d.AutomaticMigrations, d.MigrationFramework, d.MigrationTable
	s.AllowDataBranching, s.RestrictBranchRegion, s.DeletionProtected = d.AllowDataBranching, d.RestrictBranchRegion, d.DeletionProtected
	s.InsightsRawQueries, s.ProductionWebConsole = d.InsightsRawQueries, d.ProductionWebConsole
	db.rename(db.branch("main"), d.root())
	err := e.commitLocked()
	e.mu.Unlock()
	if err != nil {
		return err
	}
	for _, b := range d.Branches {
		if err := b.make(ctx, e, db, d.root()); err != nil {
			return err
		}
	}
	return nil
}

func (f *FixtureBranch) make(ctx context.Context, e *Emulator, db *database, root string) error {
	e.mu.Lock()
	b := db.branch(f.Name)
	if b == nil {
		parent := db.branch(root)
		if f.Parent != "" {
			parent = db.branch(f.Parent)
		}
		var err error
		if b, err = e.createBranchLocked(db, f.Name, parent, f.DeletionProtected, parent.Actor); err == nil {
			err = e.commitLocked()
		}
		if err != nil {
			e.mu.Unlock()
			return &FixtureError{f.Range, err}
		}
	}
	e.mu.Unlock()
	if err := e.awaitMade(ctx, b); err != nil {
		return &FixtureError{f.Range, err}
	}
	if err := e.runSQL(ctx, db, b, f.SQL); err != nil {
		return &FixtureError{f.SQLRange, err}
	}
	rows, err := rowsOf(f.Rows)
	if err == nil {
		err = e.insert(ctx, db, b, rows)
	}
	if err != nil {
		return &FixtureError{f.RowsRange, err}
	}
	id, _, err := e.look(ctx, b.ID, db.Name)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sawLocked(b, id)
	if b.ParentID == "" {
		b.Base, b.Snapshot = id, id
	}
	set(&b.Production, f.Production)
	set(&b.SafeMigrations, f.SafeMigrations)
	b.DeletionProtected = f.DeletionProtected
	return e.commitLocked()
}

// awaitMade waits until a branch has its data; that it is ready may take longer.
func (e *Emulator) awaitMade(ctx context.Context, b *branch) error {
	for {
		e.mu.Lock()
		made, changed, working := b.Made, e.changed, e.works["branch "+b.ID]
		e.mu.Unlock()
		switch {
		case made:
			return nil
		case working == nil:
			return fmt.Errorf("branch %s cannot be made", b.Name)
		}
		select {
		case <-changed:
		case <-working.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// runSQL runs statements on a branch past every rule.
func (e *Emulator) runSQL(ctx context.Context, db *database, b *branch, statements string) error {
	if strings.TrimSpace(statements) == "" {
		return nil
	}
	conn, err := e.connect(ctx, b.ID, db.Name, func(c *mysql.Config) { c.MultiStatements = true })
	if err != nil {
		return err
	}
	defer conn.Close()
	rows, err := conn.QueryContext(ctx, statements)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.NextResultSet() {
	}
	return rows.Err()
}

// insert adds rows to a branch's tables, all or, if one does not fit, those
// before it.
func (e *Emulator) insert(ctx context.Context, db *database, b *branch, rows []tableRow) error {
	if len(rows) == 0 {
		return nil
	}
	conn, err := e.connect(ctx, b.ID, db.Name)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, r := range rows {
		names := make([]string, len(r.columns))
		for i, c := range r.columns {
			names[i] = quote(c)
		}
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(names)), ", ")
		if _, err := conn.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", quote(r.table), strings.Join(names, ", "), marks), r.values...); err != nil {
			return fmt.Errorf("row of %s: %w", r.table, err)
		}
	}
	return e.engine.Flush(ctx)
}
