package emulator

import (
	"context"
	"time"
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

// rebase puts a deployment's tables, and no others, into what its branch's
// changes are counted from: as they are in another schema.
func (e *Emulator) rebase(d *deployment, base, from schemaID) (schemaID, error) {
	was, err := e.schemas.get(base)
	if err != nil {
		return "", err
	}
	other, err := e.schemas.get(from)
	if err != nil {
		return "", err
	}
	return e.schemas.put(d.mine(was, other))
}
