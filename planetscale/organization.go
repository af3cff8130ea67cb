package planetscale

import (
	"context"
	"time"
)

// An Organization owns databases.
type Organization struct {
	ID            string     `json:"id"`
	Name          string     `json:"name"`
	Plan          string     `json:"plan"`
	DatabaseCount int        `json:"database_count"`
	CreatedAt     *time.Time `json:"created_at"`
	UpdatedAt     *time.Time `json:"updated_at"`
}

// A Database holds branches.
type Database struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Kind is "mysql", "postgresql" or something newer; see MySQL.
	Kind          string `json:"kind"`
	State         string `json:"state"`
	Ready         bool   `json:"ready"`
	DefaultBranch string `json:"default_branch"`
	Sharded       bool   `json:"sharded"`
	HTMLURL       string `json:"html_url"`
	// RequireApprovalForDeploy makes deploy wait for an administrator.
	RequireApprovalForDeploy bool `json:"require_approval_for_deploy"`
	ForeignKeysEnabled       bool `json:"foreign_keys_enabled"`
	// AutomaticMigrations says that the platform itself copies the rows of
	// MigrationTableName to new branches and, after deploys, back.
	AutomaticMigrations bool   `json:"automatic_migrations"`
	MigrationFramework  string `json:"migration_framework"`
	MigrationTableName  string `json:"migration_table_name"`
	// AtDevelopmentBranchUsageLimit warns that no branch may be left.
	AtDevelopmentBranchUsageLimit bool       `json:"at_development_branch_usage_limit"`
	BranchesCount                 int        `json:"branches_count"`
	DevelopmentBranchesCount      int        `json:"development_branches_count"`
	ProductionBranchesCount       int        `json:"production_branches_count"`
	CreatedAt                     *time.Time `json:"created_at"`
	UpdatedAt                     *time.Time `json:"updated_at"`
}

// MySQL reports whether the database is a Vitess one, which alone has deploy
// requests, passwords and safe migrations. Old answers do not say.
func (d *Database) MySQL() bool { return d.Kind == "" || d.Kind == "mysql" }

// An Actor is who did something.
type Actor struct {
	ID          string `json:"id"`
	Type        string `json:"type"`
	DisplayName string `json:"display_name"`
}

// The types of actors. An answer may leave the type out, or name a "Ghost"
// where there is no actor.
const (
	ActorUser         = "User"
	ActorServiceToken = "ServiceToken"
)

// IsUser reports whether the actor is known to be a person; of nil it is false.
func (a *Actor) IsUser() bool { return a != nil && a.Type == ActorUser }

// Organizations lists the organizations that the service token belongs to. It
// needs no permission, so it tells a wrong token from a missing permission.
func (c *Client) Organizations(ctx context.Context) ([]Organization, error) {
	return list(ctx, c, opListOrganizations, []string{"v1", "organizations"}, nil, func(o *Organization) string { return o.ID })
}

// Organization returns one organization.
func (c *Client) Organization(ctx context.Context, name string) (*Organization, error) {
	o := new(Organization)
	path := []string{"v1", "organizations", name}
	if err := c.call(ctx, opGetOrganization, path, nil, nil, o); err != nil {
		return nil, err
	}
	if o.ID == "" && o.Name == "" {
		return nil, unusable(opGetOrganization, path, "the answer has neither id nor name")
	}
	return o, nil
}

// Databases lists the databases that the service token may see.
func (c *Client) Databases(ctx context.Context, organization string) ([]Database, error) {
	return list(ctx, c, opListDatabases, []string{"v1", "organizations", organization, "databases"}, nil, func(d *Database) string { return d.ID })
}

// A DB is the scope of the calls on one database.
type DB struct {
	client             *Client
	organization, name string
}

// DB returns the scope of the database; it makes no call.
func (c *Client) DB(organization, name string) *DB {
	return &DB{client: c, organization: organization, name: name}
}

// Organization returns the name of the database's organization.
func (d *DB) Organization() string { return d.organization }

// Name returns the name of the database.
func (d *DB) Name() string { return d.name }

// Client returns the client that the scope's calls go through.
func (d *DB) Client() *Client { return d.client }

// Unbudgeted returns the same scope over the client's Unbudgeted copy.
func (d *DB) Unbudgeted() *DB { return d.client.Unbudgeted().DB(d.organization, d.name) }

// Get returns the database's settings.
func (d *DB) Get(ctx context.Context) (*Database, error) {
	got := new(Database)
	path := d.path()
	if err := d.client.call(ctx, opGetDatabase, path, nil, nil, got); err != nil {
		return nil, err
	}
	if got.ID == "" && got.Name == "" {
		return nil, unusable(opGetDatabase, path, "the answer has neither id nor name")
	}
	return got, nil
}

func (d *DB) path(below ...string) []string {
	return append([]string{"v1", "organizations", d.organization, "databases", d.name}, below...)
}
