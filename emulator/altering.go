package emulator

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/pmig/pmig/schema"
)

// Several statements, and what a branch's changes are counted from, change with
// one deployment or revert. Who reads the target in between reads something
// that it never was. So a deployment says when it begins and when it is over,
// and readers wait for it, or read again.

// alterLocked says that a deployment or a revert begins to change a branch. It
// is over when over is called, under the lock, together with whatever tells the
// world that it is.
func (e *Emulator) alterLocked(b *branch) (over func()) {
	if b == nil {
		return func() {}
	}
	b.altering++
	b.altered++
	return func() {
		b.altering--
		b.altered++
		e.wakeLocked()
	}
}

// alter is alterLocked for who does not hold the lock.
func (e *Emulator) alter(db *database, id string) (over func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.alterLocked(db.branchByID(id))
}

// unaltered runs f, which reads a branch, until nobody has altered it meanwhile.
func (e *Emulator) unaltered(ctx context.Context, db *database, id string, f func() error) error {
	for ctx.Err() == nil {
		e.mu.Lock()
		changed, began, busy := e.changed, 0, false
		if b := db.branchByID(id); b != nil {
			began, busy = b.altered, b.altering > 0
		}
		e.mu.Unlock()
		if busy {
			e.wait(ctx, changed, time.Time{})
			continue
		}
		if err := f(); err != nil {
			return err
		}
		e.mu.Lock()
		b := db.branchByID(id)
		same := b == nil || b.altered == began
		e.mu.Unlock()
		if same {
			return nil
		}
	}
	return ctx.Err()
}

// alteringLocked says whether a request's target is being altered.
func (db *database) alteringLocked(dr *deployRequest) bool {
	into := db.branchByID(dr.IntoID)
	return into != nil && into.altering > 0
}

// holdsLocked says whether findings are of one moment: nobody has altered the
// target, or what the branch's changes are counted from, since they were begun.
func (f *findings) holdsLocked(db *database, dr *deployRequest) bool {
	b, into := db.branchByID(dr.BranchID), db.branchByID(dr.IntoID)
	if b == nil || into == nil {
		return f.gone
	}
	return b.Base == f.base && into.altered == f.altered && into.altering == 0
}

// deployedLocked counts a branch's changes anew after a deployment: what it has
// deployed, and what is on the target in the same form, is no change any more.
// A table that the other lane has taken back meanwhile still is one.
func (e *Emulator) deployedLocked(d *deployment, b *branch, after *structure) error {
	base, err := e.schemas.get(b.Base)
	if err != nil {
		return err
	}
	ours, err := e.schemas.get(d.BranchSchema)
	if err != nil {
		return err
	}
	our, their := ours.Digests(), after.Digests()
	tables := d.tables()
	for _, name := range names(base.Schema, ours.Schema, after.Schema) {
		if our[name] == their[name] {
			tables = append(tables, name)
		}
	}
	now, err := e.schemas.put(&structure{exchanged(base.Schema, ours.Schema, tables), base.Routing})
	if err != nil {
		return err
	}
	d.BaseSchema, b.Base = b.Base, now
	return nil
}

// takenBackLocked counts a branch's changes anew after a revert: its tables are
// as they were before the deployment.
func (e *Emulator) takenBackLocked(d *deployment, b *branch) error {
	if d.BaseSchema == "" {
		return nil
	}
	base, err := e.schemas.get(b.Base)
	if err != nil {
		return err
	}
	was, err := e.schemas.get(d.BaseSchema)
	if err != nil {
		return err
	}
	now, err := e.schemas.put(&structure{d.mine(base.Schema, was.Schema), base.Routing})
	if err == nil {
		b.Base = now
	}
	return err
}

// routedLocked counts a branch's changes anew from other routing: that of a
// deployment which has brought it to the target, or of before that deployment.
func (e *Emulator) routedLocked(b *branch, as schemaID) error {
	if b == nil || as == "" {
		return nil
	}
	base, err := e.schemas.get(b.Base)
	if err != nil {
		return err
	}
	other, err := e.schemas.get(as)
	if err != nil {
		return err
	}
	now, err := e.schemas.put(&structure{base.Schema, other.Routing})
	if err == nil {
		b.Base = now
	}
	return err
}

// exchanged is a schema with some tables as they are in another one.
func exchanged(s, other *schema.Schema, tables []string) *schema.Schema {
	out := s.Without(tables...)
	out.Tables = append(out.Tables, other.Only(tables...).Tables...)
	slices.SortFunc(out.Tables, func(a, b schema.Table) int { return strings.Compare(a.Name, b.Name) })
	return out
}
