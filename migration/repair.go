package migration

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Repair is a change to a history that a person asks for by key. It is carried
// out in two steps, so that it can be looked at between them: Repaired says what
// the history would become, and Rewrite makes it so if it is still what it was.
type Repair struct {
	// Mark are migrations to record as applied, without running them.
	Mark []string
	// Unmark are migrations to record as not applied, also one that is marked as
	// failed.
	Unmark []string
	// Clear are migrations to no longer mark as failed: they count as applied.
	Clear []string
	// Unlock puts the tool's lock tables to rest.
	Unlock bool
}

// RepairError says why a repair makes no sense.
type RepairError struct {
	Table string
	Key   string // "" where it is about no key
	Why   string
	Next  string
}

func (e *RepairError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("history table %s can't be repaired so: %s", e.Table, e.Why)
	}
	return fmt.Sprintf("history table %s can't be repaired so: %s: %s", e.Table, e.Key, e.Why)
}

// Hint says what to do.
func (e *RepairError) Hint() string { return e.Next }

// Repaired is the history as a repair would leave it. The time is written where
// the tool writes the time of a run. What is so already is left alone; what makes
// no sense is a *RepairError.
func Repaired(spec Spec, files []File, h *History, r Repair, now time.Time) (*History, error) {
	out := *h
	out.Rows, out.Aux = slices.Clone(h.Rows), slices.Clone(h.Aux)
	m := mender{spec: spec, files: files, h: &out, key: keyer(spec, h.Columns), now: now.UTC()}
	if !h.Exists && len(r.Mark)+len(r.Unmark)+len(r.Clear) > 0 {
		return nil, m.no("", "it is not there", "let the tool make it: the first pmig apply does")
	}
	for _, k := range r.Clear {
		if err := m.clear(k); err != nil {
			return nil, err
		}
	}
	var err error
	switch spec.Shape() {
	case Log:
		err = m.log(r)
	case Pointer:
		err = m.pointer(r)
	default:
		if len(r.Mark)+len(r.Unmark) > 0 {
			err = m.no("", "its rows are heads of a graph", "use the tool's own command")
		}
	}
	if err == nil && r.Unlock {
		m.unlock()
	}
	return &out, err
}

// mender changes a copy of a history.
type mender struct {
	spec  Spec
	files []File
	h     *History
	key   func(Row) string
	now   time.Time
}

func (m *mender) no(key, why, next string) error {
	return &RepairError{Table: m.h.Table, Key: key, Why: why, Next: next}
}

// known wants a key to be that of a file: a typing error is not recorded.
func (m *mender) known(key string) error {
	if slices.ContainsFunc(m.files, func(f File) bool { return f.Key == key }) {
		return nil
	}
	return m.no(key, "no migration file has this key", "pmig history lists the keys of all files")
}

func (m *mender) clear(key string) error {
	i := slices.IndexFunc(m.h.Rows, func(r Row) bool { return m.key(r) == key })
	if m.spec.Tool.dirty == nil || i < 0 || !m.spec.Tool.dirty(rowView{m.h.Columns, m.h.Rows[i]}) {
		return m.no(key, "it is not marked as failed", "pmig status shows what is")
	}
	m.h.Rows[i] = m.spec.Tool.clean(m.h.Columns, m.h.Rows[i])
	return nil
}

func (m *mender) log(r Repair) error {
	for _, k := range r.Unmark {
		left := slices.DeleteFunc(slices.Clone(m.h.Rows), func(r Row) bool { return m.key(r) == k })
		if len(left) == len(m.h.Rows) {
			return m.no(k, "it is not recorded as applied", "pmig history shows what is")
		}
		m.h.Rows = left
	}
	values := map[string]Value{}
	if m.spec.Tool.mark != nil {
		values = m.spec.Tool.mark(m.h.Columns, m.h.Rows, m.now)
	}
	for _, k := range r.Mark {
		if slices.ContainsFunc(m.h.Rows, func(r Row) bool { return m.key(r) == k }) {
			continue
		}
		if err := m.known(k); err != nil {
			return err
		}
		row := make(Row, len(m.h.Columns))
		for name, v := range values {
			row[columnIndex(m.h.Columns, name)] = v
		}
		for i, part := range splitKey(k, len(m.spec.KeyColumns())) {
			row[columnIndex(m.h.Columns, m.spec.KeyColumns()[i])] = part
		}
		m.h.Rows = append(m.h.Rows, row)
	}
	return nil
}

// pointer moves the pointer. What it stands for is a run of files without gaps,
// so migrations can be marked and unmarked at its end only.
func (m *mender) pointer(r Repair) error {
	if len(r.Mark)+len(r.Unmark) == 0 {
		return nil
	}
	if k, dirty := firstDirty(m.spec, m.h.Columns, m.h.Rows); dirty && !slices.Contains(r.Unmark, k) {
		return m.no(k, "it is marked as failed", "say first whether it is applied: --clear if it is, --unmark if it is not")
	}
	at := pointerOf(m.spec, m.h)
	applied := map[string]bool{}
	for _, f := range m.files {
		applied[f.Key] = at != "" && m.spec.order(f.Key, at) <= 0
	}
	for _, k := range r.Unmark {
		if k != at && !applied[k] {
			return m.no(k, "it is not recorded as applied", "pmig history shows what is")
		}
		applied[k] = false
	}
	for _, k := range r.Mark {
		if err := m.known(k); err != nil {
			return err
		}
		applied[k] = true
	}
	target, gap := "", ""
	for _, f := range m.files {
		switch {
		case !applied[f.Key]:
			gap = f.Key
		case gap != "":
			return m.no(f.Key, "it would be applied and "+gap+" before it not, which one version number can't say", "name all migrations up to it, or from it on")
		default:
			target = f.Key
		}
	}
	if at != "" && !slices.Contains(r.Unmark, at) && m.spec.order(at, target) > 0 {
		target = at // its own file is not here
	}
	var row Row
	if len(m.h.Rows) > 0 {
		row = slices.Clone(m.h.Rows[0])
	} else {
		row = make(Row, len(m.h.Columns))
	}
	m.h.Rows = nil
	if target != "" {
		row[columnIndex(m.h.Columns, m.spec.KeyColumns()[0])] = Text(target)
		if m.spec.Tool.clean != nil {
			row = m.spec.Tool.clean(m.h.Columns, row)
		}
		m.h.Rows = []Row{row}
	}
	return nil
}

func (m *mender) unlock() {
	for i, t := range m.h.Aux {
		for _, a := range m.spec.Tool.aux {
			if t.Exists && a.name(m.h.Table) == t.Name && a.locked != nil && a.locked(t.Name, t.Columns, t.Rows) != "" {
				m.h.Aux[i].Rows = a.rest(t.Columns, t.Rows)
			}
		}
	}
}

// nextBatch is one more than the highest number in a column.
func nextBatch(columns []Column, rows []Row, name string) Value {
	highest := int64(0)
	for _, r := range rows {
		if n, err := strconv.ParseInt((rowView{columns, r}).value(name).Text(), 10, 64); err == nil {
			highest = max(highest, n)
		}
	}
	return Text(strconv.FormatInt(highest+1, 10))
}

// clock is a time as a history table has it.
func clock(now time.Time) Value { return Text(now.Format("2006-01-02 15:04:05")) }
