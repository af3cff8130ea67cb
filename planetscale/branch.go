package planetscale

import (
	"context"
	"net/url"
	"slices"
	"time"
)

// A Branch is a database of its own with the schema of its parent.
type Branch struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	State string `json:"state"`
	// Ready says that the branch serves queries. A new one does not yet.
	Ready       bool `json:"ready"`
	SchemaReady bool `json:"schema_ready"`
	// StaleSchema says that the platform's own snapshot of the schema is old.
	StaleSchema bool `json:"stale_schema"`
	Production  bool `json:"production"`
	// SafeMigrations says that direct DDL is refused and that the branch takes
	// deploy requests.
	SafeMigrations    bool `json:"safe_migrations"`
	DeletionProtected bool `json:"deletion_protected"`
	Sharded           bool `json:"sharded"`
	KeyspaceCount     int  `json:"keyspace_count"`
	// ParentBranch is a name; "" for the root.
	ParentBranch string     `json:"parent_branch"`
	HTMLURL      string     `json:"html_url"`
	Actor        *Actor     `json:"actor"`
	CreatedAt    *time.Time `json:"created_at"`
	UpdatedAt    *time.Time `json:"updated_at"`
	DeletedAt    *time.Time `json:"deleted_at"`
}

// NewBranch says what branch to make. Parent "" is the default branch.
type NewBranch struct {
	Name   string `json:"name"`
	Parent string `json:"parent_branch,omitempty"`
}

// Branches lists all branches.
func (d *DB) Branches(ctx context.Context) ([]Branch, error) {
	return list(ctx, d.client, opListBranches, d.path("branches"), nil, func(b *Branch) string { return b.ID })
}

// Branch returns the branch of that name.
func (d *DB) Branch(ctx context.Context, name string) (*Branch, error) {
	return d.branch(ctx, opGetBranch, d.path("branches", name), nil)
}

// CreateBranch makes a branch with the schema of its parent and none of its
// rows. The answer's branch is not ready yet. A name that is taken is
// KindConflict.
func (d *DB) CreateBranch(ctx context.Context, b NewBranch) (*Branch, error) {
	made, err := d.branch(ctx, opCreateBranch, d.path("branches"), b)
	if err == nil {
		d.client.remember(d.path("branches", b.Name))
	}
	return made, err
}

// DeleteBranch deletes the branch of that name, whatever its id: who means one
// branch looks at its id just before. KindDeploying while a deploy involves it.
func (d *DB) DeleteBranch(ctx context.Context, name string) error {
	return d.client.remove(ctx, opDeleteBranch, d.path("branches", name), func() (bool, error) { return d.hasBranch(ctx, name) })
}

// hasBranch reports whether the list of branches, read to its end, has a name.
func (d *DB) hasBranch(ctx context.Context, name string) (bool, error) {
	all, err := d.Branches(ctx)
	return slices.ContainsFunc(all, func(b Branch) bool { return b.Name == name }), err
}

// SetSafeMigrations switches safe migrations on or off. The switch reaches the
// MySQL side unevenly, within minutes.
func (d *DB) SetSafeMigrations(ctx context.Context, branch string, on bool) (*Branch, error) {
	op := opSafeMigrationsOff
	var body any
	if on {
		op, body = opSafeMigrationsOn, struct{}{}
	}
	return d.branch(ctx, op, d.path("branches", branch, "safe-migrations"), body)
}

// branch makes a call that answers with a branch.
func (d *DB) branch(ctx context.Context, op operation, path []string, in any) (*Branch, error) {
	b := new(Branch)
	if err := d.client.call(ctx, op, path, nil, in, b); err != nil {
		return nil, err
	}
	if b.ID == "" && b.Name == "" {
		return nil, unusable(op, path, "the answer has neither id nor name")
	}
	return b, nil
}

// A Keyspace is a database as MySQL names it. An unsharded database has one,
// of its own name.
type Keyspace struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Shards  int    `json:"shards"`
	Sharded bool   `json:"sharded"`
	Ready   bool   `json:"ready"`
	Default bool   `json:"default"`
}

// A TableSchema is a table as the platform's snapshot has it.
type TableSchema struct {
	Name string `json:"name"`
	// Raw is the CREATE statement.
	Raw string `json:"raw"`
}

// Keyspaces lists the branch's keyspaces.
func (d *DB) Keyspaces(ctx context.Context, branch string) ([]Keyspace, error) {
	return list(ctx, d.client, opListKeyspaces, d.path("branches", branch, "keyspaces"), nil, func(k *Keyspace) string { return k.ID })
}

// BranchSchema returns the platform's snapshot of the branch's schema, which
// may be older than the last DDL. keyspace "" leaves the choice to the platform.
func (d *DB) BranchSchema(ctx context.Context, branch, keyspace string) ([]TableSchema, error) {
	query := url.Values{}
	if keyspace != "" {
		query.Set("keyspace", keyspace)
	}
	return bare[TableSchema](ctx, d.client, opBranchSchema, d.path("branches", branch, "schema"), query)
}

// RefreshSchema asks the platform to look at the branch's schema anew: its
// snapshot, which deploy requests are computed from, is made now and then.
func (d *DB) RefreshSchema(ctx context.Context, branch string) error {
	return d.client.call(ctx, opRefreshSchema, d.path("branches", branch, "refresh-schema"), nil, struct{}{}, nil)
}

// BranchLint lists what a deploy request would refuse in the branch's schema;
// none is a clean one.
func (d *DB) BranchLint(ctx context.Context, branch string) ([]LintError, error) {
	return list(ctx, d.client, opBranchLint, d.path("branches", branch, "schema", "lint"), nil, func(*LintError) string { return "" })
}
