package emulator_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

var tableNames = []string{"t0", "t1", "t2"}

// statement is one SQL statement, and what it does in the model.
type statement struct {
	kind string // "ddl", "data" or "read"
	text string
	// apply changes a branch and says whether the server lets it.
	apply func(b *modelBranch) bool
}

func (s *rig) value(c modelColumn) string {
	values := []string{"1", "2", "3"}
	if !c.notNull {
		values = append(values, null)
	}
	if c.typ == "bigint" {
		values = append(values, big)
	}
	return s.pick("value", values)
}

// drawDDL makes up a statement about the tables of a branch.
func (s *rig) drawDDL(b *modelBranch) statement {
	name := s.pick("table", tableNames)
	t := b.data[name]
	if t == nil {
		keyless := rapid.IntRange(0, 19).Draw(s.T, "keyless") == 19
		n := &modelTable{keyless: keyless, columns: map[string]modelColumn{"a": {typ: "int"}}, rows: map[int]map[string]string{}}
		key := ", PRIMARY KEY (id)"
		if keyless {
			key = ""
		}
		return statement{"ddl", fmt.Sprintf("CREATE TABLE %s (id int NOT NULL, a int%s)", name, key), func(b *modelBranch) bool {
			b.data[name] = n
			return true
		}}
	}
	column := s.pick("column", columnNames)
	c, has := t.columns[column]
	verbs := []string{"add"}
	if has {
		verbs = []string{"drop column", "type", "null", "unique", "drop table"}
		if len(t.columns) == 1 {
			verbs = verbs[1:]
		}
	}
	if t.keyless {
		verbs = []string{"drop table"}
	}
	// to gives the table another column, if every row of it fits.
	to := func(c *modelColumn) func(b *modelBranch) bool {
		return func(b *modelBranch) bool {
			form := b.data[name].clone(false)
			delete(form.columns, column)
			if c != nil {
				form.columns[column] = *c
			}
			after, _ := shift(b.data[name], form, nil)
			if after.misfit() != "" {
				return false
			}
			b.data[name] = after
			return true
		}
	}
	alter := "ALTER TABLE " + name + " "
	switch s.pick("verb", verbs) {
	case "add":
		after := "id"
		for _, n := range t.names() {
			if n < column {
				after = n
			}
		}
		c := modelColumn{typ: s.pick("type", []string{"int", "bigint"}), notNull: rapid.Bool().Draw(s.T, "not null")}
		return statement{"ddl", fmt.Sprintf("%sADD COLUMN %s %s AFTER %s", alter, column, c, after), to(&c)}
	case "drop column":
		return statement{"ddl", alter + "DROP COLUMN " + column, to(nil)}
	case "drop table":
		return statement{"ddl", "DROP TABLE " + name, func(b *modelBranch) bool {
			delete(b.data, name)
			return true
		}}
	case "type":
		if c.typ = "int"; t.columns[column].typ == "int" {
			c.typ = "bigint"
		}
		return statement{"ddl", fmt.Sprintf("%sMODIFY COLUMN %s %s", alter, column, c), to(&c)}
	case "null":
		c.notNull = !c.notNull
		return statement{"ddl", fmt.Sprintf("%sMODIFY COLUMN %s %s", alter, column, c), to(&c)}
	}
	if c.unique = !c.unique; c.unique {
		return statement{"ddl", fmt.Sprintf("%sADD UNIQUE KEY u_%s (%s)", alter, column, column), to(&c)}
	}
	return statement{"ddl", alter + "DROP KEY u_" + column, to(&c)}
}

// drawData makes up a statement about the rows of a branch.
func (s *rig) drawData(b *modelBranch) statement {
	var tables []string
	for name, t := range b.data {
		if name != "keep" && !t.keyless {
			tables = append(tables, name)
		}
	}
	if len(tables) == 0 {
		s.pass("no table")
	}
	slices.Sort(tables)
	name := s.pick("table", tables)
	t, id := b.data[name], rapid.IntRange(1, 5).Draw(s.T, "id")
	// put writes a row, if it fits the others.
	put := func(row map[string]string) func(b *modelBranch) bool {
		return func(b *modelBranch) bool {
			after := b.data[name].clone(true)
			after.rows[id] = row
			if after.misfit() != "" {
				return false
			}
			b.data[name] = after
			return true
		}
	}
	old := t.rows[id]
	verb := s.pick("verb", []string{"insert", "insert", "update", "delete"})
	switch {
	case verb == "delete":
		return statement{"data", fmt.Sprintf("DELETE FROM %s WHERE id = %d", name, id), func(b *modelBranch) bool {
			delete(b.data[name].rows, id)
			if b.name == "main" {
				for _, r := range s.model.requests {
					if was := r.before[name]; was != nil && r.open {
						delete(was.rows, id) // the next row of that id is another one
					}
				}
			}
			return true
		}}
	case verb == "update" && len(t.columns) > 0:
		column := s.pick("column", t.names())
		v := s.value(t.columns[column])
		text := fmt.Sprintf("UPDATE %s SET %s = %s WHERE id = %d", name, column, v, id)
		if old == nil {
			return statement{"data", text, func(*modelBranch) bool { return true }}
		}
		row := maps.Clone(old)
		row[column] = v
		return statement{"data", text, put(row)}
	}
	names, values, row := []string{"id"}, []string{fmt.Sprint(id)}, map[string]string{}
	for _, n := range t.names() {
		row[n] = s.value(t.columns[n])
		names, values = append(names, n), append(values, row[n])
	}
	text := fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", name, strings.Join(names, ", "), strings.Join(values, ", "))
	if old != nil {
		return statement{"data", text, func(*modelBranch) bool { return false }}
	}
	return statement{"data", text, put(row)}
}

// run runs a statement with a password, and holds what comes of it to the
// role, the branch and the rows.
func (s *rig) run(p *modelPassword, st statement) {
	s.Helper()
	s.drain()
	db := s.open(p.user, p.text, func(ctx context.Context) (net.Conn, error) { return s.e.DialMySQL(ctx) })
	defer db.Close()
	_, err := db.ExecContext(s.Context(), st.text)
	s.Logf("%s as %s: %s -> %v", p.branch.name, p.role, st.text, err)
	b := p.branch
	s.stale[b] = true
	over := p.deleted || !p.ends.IsZero() && !s.e.Now().Before(p.ends)
	allowed := map[string][]string{"ddl": {"admin"}, "data": {"admin", "writer", "readwriter"}, "read": {"admin", "reader", "readwriter"}}[st.kind]
	switch {
	case over || s.model.branches[b.name] != b:
		if number(err) != 1045 {
			s.Fatalf("a password that is over: %v", err)
		}
	case st.kind == "ddl" && b.safe:
		if number(err) != 1105 && p.role == "admin" || err == nil || p.role == "admin" && !strings.Contains(err.Error(), "direct DDL is disabled") {
			s.Fatalf("DDL under safe migrations: %v", err)
		}
	case !slices.Contains(allowed, p.role):
		if err == nil {
			s.Fatalf("a %s did what it may not", p.role)
		}
	default:
		if fits := st.apply(b); fits != (err == nil) {
			s.Fatalf("the rows allow it: %t, and the server said %v", fits, err)
		}
		if st.kind == "ddl" && err == nil {
			s.model.changed(b)
		}
	}
}

// admin is a password with which everything may be done on a branch.
func (s *rig) admin(b *modelBranch) *modelPassword {
	for _, p := range s.model.passwords {
		if p.branch == b && p.role == "admin" && p.ends.IsZero() && !p.deleted {
			return p
		}
	}
	return s.newPassword(keeper, b, "admin", 0)
}

func (s *rig) newPassword(who string, b *modelBranch, role string, ttl time.Duration) *modelPassword {
	body := fmt.Sprintf(`{"name":"x","role":%q,"ttl":%d}`, role, int(ttl.Seconds()))
	path := "/branches/" + b.name + "/passwords"
	connect := "connect_branch"
	if b.production {
		connect = "connect_production_branch"
	}
	if !s.may(who, connect) {
		s.expect(who, "POST", path, body, 404)
		return nil
	}
	_, o := s.expect(who, "POST", path, body, 201)
	p := &modelPassword{branch: b, role: role}
	p.id, _ = o["id"].(string)
	p.user, _ = o["username"].(string)
	p.text, _ = o["plain_text"].(string)
	if ttl > 0 {
		p.ends = s.e.Now().Add(ttl)
	}
	if p.id == "" || p.user == "" || p.text == "" || o["role"] != role {
		s.Fatal("the password lacks something")
	}
	s.model.passwords = append(s.model.passwords, p)
	return p
}

func (s *rig) makePassword() {
	s.newPassword(s.who(), s.branchOf(false), s.pick("role", []string{"reader", "writer", "readwriter", "admin"}),
		rapid.SampledFrom([]time.Duration{0, 10 * time.Minute}).Draw(s.T, "ttl"))
}

func (s *rig) password() *modelPassword {
	if len(s.model.passwords) == 0 {
		s.pass("no password")
	}
	return s.model.passwords[rapid.IntRange(0, len(s.model.passwords)-1).Draw(s.T, "password")]
}

func (s *rig) deletePassword() {
	who, p := s.who(), s.password()
	permission := "delete_branch_password"
	if p.branch.production {
		permission = "delete_production_branch_password"
	}
	want := []int{204}
	switch {
	case !s.may(who, permission), p.deleted, s.model.branches[p.branch.name] != p.branch:
		want = []int{404}
	case !p.ends.IsZero() && !s.e.Now().Before(p.ends):
		want = []int{204, 404}
	}
	if status, _ := s.expect(who, "DELETE", "/branches/"+p.branch.name+"/passwords/"+p.id, "", want...); status == 204 {
		p.deleted = true
	}
}

func (s *rig) usePassword() {
	p := s.password()
	if s.model.branches[p.branch.name] != p.branch {
		s.run(p, statement{kind: "read", text: "SELECT 1"})
		return
	}
	switch s.pick("statement", []string{"read", "data", "ddl"}) {
	case "data":
		s.run(p, s.drawData(p.branch))
	case "ddl":
		s.run(p, s.drawDDL(p.branch))
	default:
		if p.role == "writer" {
			s.pass("whether a writer reads, nobody has said")
		}
		s.run(p, statement{"read", "SELECT * FROM keep", func(*modelBranch) bool { return true }})
	}
}

func (s *rig) ddl() {
	b := s.branchOf(rapid.IntRange(0, 5).Draw(s.T, "anywhere") != 5)
	st := s.drawDDL(b)
	s.run(s.admin(b), st)
}

func (s *rig) rows() {
	b := s.branchOf(false)
	if rapid.Bool().Draw(s.T, "main") {
		b = s.model.main()
	}
	st := s.drawData(b)
	s.run(s.admin(b), st)
}
