package emulator

import (
	"time"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/schema"
)

// world is everything an emulator knows; it is what the state file holds.
// Emulator.mu guards it. Pointers into it are good only while the lock is held
// or for members that never change after creation (ids, names of requests).
type world struct {
	FormatVersion int             `json:"format_version"`
	Offset        time.Duration   `json:"clock_offset"` // how far the clock was advanced by hand
	Organizations []*organization `json:"organizations"`
	LastQueued    int             `json:"last_queued"`
	Dropping      []string        `json:"dropping,omitempty"` // ids of branches that are no more, which the engine may still hold

	// Of this process, not of the platform: a restart begins with the options'.
	Knobs     Knobs    `json:"-"`
	Unknowns  Unknowns `json:"-"`
	Faults    []*Fault `json:"-"`
	LastFault int      `json:"-"`
}

type organization struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	CreatedAt time.Time   `json:"created_at"`
	Databases []*database `json:"databases"`
}

type database struct {
	ID        string    `json:"id"`
	Org       string    `json:"organization"`
	Name      string    `json:"name"`
	Kind      string    `json:"kind"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Settings  settings  `json:"settings"`

	Branches       []*branch        `json:"branches"`
	DeployRequests []*deployRequest `json:"deploy_requests"`
	Webhooks       []*webhook       `json:"webhooks,omitempty"`
	LastNumber     int              `json:"last_number"`
	AutoCutover    bool             `json:"auto_cutover"` // of the last deploy request: the next one inherits it
}

// settings are what PATCH on a database changes.
type settings struct {
	DefaultBranch        string  `json:"default_branch"` // a name
	AutomaticMigrations  *bool   `json:"automatic_migrations"`
	MigrationFramework   *string `json:"migration_framework"`
	MigrationTable       *string `json:"migration_table_name"`
	RequireApproval      bool    `json:"require_approval_for_deploy"`
	ForeignKeys          bool    `json:"foreign_keys_enabled"`
	AllowDataBranching   bool    `json:"allow_data_branching"`
	RestrictBranchRegion bool    `json:"restrict_branch_region"`
	DeletionProtected    bool    `json:"deletion_protected"`
	InsightsRawQueries   bool    `json:"insights_raw_queries"`
	ProductionWebConsole bool    `json:"production_branch_web_console"`
	ThrottlerRatio       int     `json:"throttler_ratio"`
	CanApproveOwn        bool    `json:"can_approve_own"` // the organization has one administrator only
}

type branch struct {
	ID                string      `json:"id"`
	Name              string      `json:"name"`
	Parent            string      `json:"parent"` // name; "" for a root
	Production        bool        `json:"production"`
	SafeMigrations    bool        `json:"safe_migrations"`
	DeletionProtected bool        `json:"deletion_protected"`
	Made              bool        `json:"made"`  // its data are there
	Ready             bool        `json:"ready"` // and it serves
	Actor             actor       `json:"actor"`
	CreatedAt         time.Time   `json:"created_at"`
	UpdatedAt         time.Time   `json:"updated_at"`
	SchemaUpdatedAt   *time.Time  `json:"schema_updated_at,omitempty"`
	Base              schemaID    `json:"base"`     // its schema when it was made, or last deployed: what its changes are counted from
	Seen              schemaID    `json:"seen"`     // its schema when last looked at
	Before            schemaID    `json:"before"`   // before the last deployment into it
	Snapshot          schemaID    `json:"snapshot"` // its schema when it was made: what the schema endpoint shows while that lags
	Passwords         []*password `json:"passwords"`
	Stale             bool        `json:"stale"` // made from its parent's schema of before the last deployment

	routing

	ParentID string `json:"parent_id"`

	altering int // deployments and reverts that are changing it just now
	altered  int // grows whenever one begins or is over
}

type password struct {
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	Role      string        `json:"role"`
	Username  string        `json:"username"`
	PlainText string        `json:"plain_text"`
	TTL       time.Duration `json:"ttl"`
	ExpiresAt *time.Time    `json:"expires_at,omitempty"`
	Replica   bool          `json:"replica,omitempty"`
	CIDRs     []string      `json:"cidrs,omitempty"`
	Direct    bool          `json:"direct_vtgate,omitempty"`
	Actor     actor         `json:"actor"`
	CreatedAt time.Time     `json:"created_at"`

	gone chan struct{} // closed when it ends
}

// actor is who did something: a service token, or a person at the dashboard.
type actor struct {
	ID   string `json:"id"`
	Type string `json:"type"` // "ServiceToken" or "User"
	Name string `json:"name"`
}

type deployRequest struct {
	ID         string     `json:"id"`
	Number     int        `json:"number"`
	Closed     bool       `json:"closed"`
	Branch     string     `json:"branch"`
	BranchID   string     `json:"branch_id"`
	Into       string     `json:"into_branch"`
	IntoID     string     `json:"into_branch_id"`
	Notes      string     `json:"notes"`
	Approved   bool       `json:"approved"`
	Actor      actor      `json:"actor"`
	ClosedBy   *actor     `json:"closed_by,omitempty"`
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
	ClosedAt   *time.Time `json:"closed_at,omitempty"`
	DeployedAt *time.Time `json:"deployed_at,omitempty"`
	// ApprovedSchema is the branch's schema when it was approved.
	ApprovedSchema schemaID   `json:"approved_schema,omitempty"`
	Reviews        []*review  `json:"reviews,omitempty"`
	Deployment     deployment `json:"deployment"`

	BranchDeletedBy *actor     `json:"branch_deleted_by,omitempty"`
	BranchDeletedAt *time.Time `json:"branch_deleted_at,omitempty"`
}

type review struct {
	ID        string    `json:"id"`
	State     string    `json:"state"`
	Body      string    `json:"body"`
	Actor     actor     `json:"actor"`
	CreatedAt time.Time `json:"created_at"`
}

type deployment struct {
	ID               string            `json:"id"`
	State            planetscale.State `json:"state"`
	Since            time.Time         `json:"since"` // when the state was entered
	AutoCutover      bool              `json:"auto_cutover"`
	AutoDeleteBranch bool              `json:"auto_delete_branch"`
	Instant          bool              `json:"instant_ddl"`
	InstantEligible  bool              `json:"instant_ddl_eligible"`
	Actor            *actor            `json:"actor,omitempty"`
	CutoverActor     *actor            `json:"cutover_actor,omitempty"`
	CancelledActor   *actor            `json:"cancelled_actor,omitempty"`

	CreatedAt        time.Time  `json:"created_at"`
	UpdatedAt        time.Time  `json:"updated_at"`
	QueuedAt         *time.Time `json:"queued_at,omitempty"`
	SubmittedAt      *time.Time `json:"submitted_at,omitempty"`
	StartedAt        *time.Time `json:"started_at,omitempty"`
	ReadyToCutoverAt *time.Time `json:"ready_to_cutover_at,omitempty"`
	CutoverAt        *time.Time `json:"cutover_at,omitempty"`
	FinishedAt       *time.Time `json:"finished_at,omitempty"`
	ForceCutoverAt   *time.Time `json:"force_cutover_requested_at,omitempty"`
	Parallel         bool       `json:"parallel,omitempty"`   // in the lane beside the serial one
	Blocked          *blockage  `json:"blocked,omitempty"`    // of its cutover
	Order            int        `json:"order,omitempty"`      // its place among all that were ever queued
	Validating       int        `json:"validating,omitempty"` // so many more deploys are answered "currently validating"

	// What the checks read, and what they found.
	BranchSchema schemaID     `json:"branch_schema"`
	TargetSchema schemaID     `json:"target_schema"`     // before the deployment
	WantSchema   schemaID     `json:"want_schema"`       // after it
	CountedFrom  schemaID     `json:"counted_from"`      // what the branch's changes were counted from
	BaseSchema   schemaID     `json:"base_schema"`       // the same, of the deployment
	Routing      bool         `json:"routing,omitempty"` // it changes the VSchema or the routing rules
	Executing    bool         `json:"executing"`         // statements have been sent to the target
	Operations   []*operation `json:"operations,omitempty"`
	Lint         []lintError  `json:"lint,omitempty"`
	CheckErrors  string       `json:"check_errors,omitempty"`

	Revert *revert `json:"revert,omitempty"`

	CopyOwed   bool       `json:"copy_owed,omitempty"`   // history rows are still to be copied to the target
	CopyAt     *time.Time `json:"copy_at,omitempty"`     // not before then
	DeleteOwed bool       `json:"delete_owed,omitempty"` // the branch is still to be deleted
	KeptOwed   bool       `json:"kept_owed,omitempty"`   // what was kept for a revert is still to be removed
}

// owes says that something is to be done after the request has been closed.
func (d *deployment) owes() bool { return d.CopyOwed || d.DeleteOwed || d.KeptOwed }

// revert is the window in which a deployment can be taken back, and the
// taking back.
type revert struct {
	ID         string       `json:"id"`
	CreatedAt  time.Time    `json:"created_at"`
	EndsAt     *time.Time   `json:"ends_at,omitempty"`
	FinishedAt *time.Time   `json:"finished_at,omitempty"`
	Actor      *actor       `json:"actor,omitempty"`
	Operations []*operation `json:"operations,omitempty"`
}

// operation is one statement of a deployment.
type operation struct {
	ID        string        `json:"id"`
	State     string        `json:"state"` // pending, queued, in_progress, complete, cancelled, error
	Change    schema.Change `json:"change"`
	Rows      int64         `json:"rows"`
	Copy      time.Duration `json:"copy"` // how long its copy takes
	StartedAt *time.Time    `json:"started_at,omitempty"`
	Copied    bool          `json:"copied,omitempty"`
	Error     string        `json:"error,omitempty"`
	CreatedAt time.Time     `json:"created_at"`
	UpdatedAt time.Time     `json:"updated_at"`
}
