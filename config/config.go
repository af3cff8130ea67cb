// Package config reads pmig's HCL files into Go values and reports what is wrong with them, pointing at the line.
package config

import (
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/pmig/pmig/migration"
)

// FileName is the file that Load reads in the folder it is given.
const FileName = "pmig.hcl"

// Config is what one folder's pmig.hcl asks for. It is plain data except for the expressions inside a Source that can be
// evaluated only while its command runs.
type Config struct {
	Dir             string // absolute folder of the declaring file
	File            string // pmig.hcl as diagnostics name it: below the folder as it was given to Load
	RequiredVersion string // constraint text, "" when the file has none
	State           State
	Platform        Platform
	Variables       []Variable // in the order of declaration
	Databases       []*Database
	// Files holds every source that a diagnostic can point into, by the name it uses; it is filled even when Load fails.
	Files map[string]*hcl.File
}

// State says where the journal of a run is kept.
type State struct {
	Kind string // StateFile or StateDatabase
	Path string // absolute folder; for StateDatabase the default one, for what concerns this machine alone
	// URL is the MySQL database of StateDatabase; "" is, for each database, the migrated one itself.
	URL         Secret
	TablePrefix string // of StateDatabase: what its tables' names begin with
}

// The values of State.Kind.
const (
	StateFile     = "file"     // a folder on this machine
	StateDatabase = "database" // two tables that machines can share
)

// The values of Platform.Kind.
const (
	PlatformPlanetScale = "planetscale"
	PlatformEmbedded    = "embedded"
)

// The values of Platform.Engine.
const (
	EngineAuto    = "auto"
	EngineMariaDB = "mariadb"
	EngineMemory  = "memory"
)

// EmbeddedOrganization is the organization in which platform "embedded" keeps its databases.
const EmbeddedOrganization = "embedded"

// Platform says where the databases are.
type Platform struct {
	Kind         string // PlatformPlanetScale or PlatformEmbedded
	Organization string // EmbeddedOrganization for PlatformEmbedded
	Data         string // PlatformEmbedded: absolute folder of the emulator's data
	Engine       string // PlatformEmbedded: EngineAuto, EngineMariaDB or EngineMemory
	Range        hcl.Range
}

// Variable is a declared variable with the value this load gave it.
type Variable struct {
	Name  string
	Value string // as HCL source text; "" while the value is not known (Options.Validate)
	Range hcl.Range
}

// Database is one database block: a database on the platform, its two branches and what migrates it.
type Database struct {
	Label   string
	Name    string // on the platform; the label unless the block says otherwise
	Target  Branch // what the working branch names as its parent
	Working Branch // made, used and deleted by pmig
	Sources []*Source
	Deploy  Deploy
	Policy  Policy
	Range   hcl.Range

	Acknowledged []Acknowledged
}

// Branch is one branch block. A database without branch blocks has the target "main" and the working branch "migrator".
type Branch struct {
	Label      string
	Name       string // the label unless the block says otherwise; of the working branch the part before the number
	Parent     string // Name of the parent; "" on the target
	Production *bool  // what preflight must find; nil: anything
	URL        Secret // connect with this instead of a short-lived password; "" when not set
	Range      hcl.Range
}

// The values of Deploy.Approval.
const (
	ApprovalExit    = "exit"    // leave, and let a later apply join
	ApprovalWait    = "wait"    // stay until a person approves
	ApprovalRequire = "require" // ask for an approval even where the database does not
)

// The values of Deploy.Cutover.
const (
	CutoverAuto   = "auto"
	CutoverManual = "manual"
)

// The values of Deploy.RevertWindow.
const (
	RevertKeep      = "keep"
	RevertSkip      = "skip"
	RevertUntilNext = "until-next" // closed when our next deploy needs the lane
)

// Deploy says how a deploy request of this database is taken to its end.
type Deploy struct {
	Approval     string
	Cutover      string
	Instant      bool
	RevertWindow string
	Timeouts     Timeouts
}

// Timeouts bound the waits of a run.
type Timeouts struct {
	Branch, Migrate, Review, Approval, Deploy time.Duration
}

// The values of the members of Policy.
const (
	Refuse = "refuse"
	Allow  = "allow"
)

// Policy says what a plan may contain. Each member is Refuse or Allow.
type Policy struct {
	DataChanges string // rows that a migration writes on the branch, which a deploy request does not carry
	Drops       string // DROP TABLE and DROP COLUMN in the deploy request
	OutOfOrder  string // late files that the tool would run
}

// Acknowledged is an acknowledge block: a finding that would stop a run and that somebody has looked into.
type Acknowledged struct {
	Code   string // of the finding, one of Acknowledgeable
	Reason string // for whoever reads the plan
	Range  hcl.Range
}

// Acknowledgeable are the codes of the findings that an acknowledge block can name.
func Acknowledgeable() []string { return []string{"reverted", "stopped", "deploy-failed"} }

// DefaultDeploy is what a database without a deploy block gets.
func DefaultDeploy() Deploy {
	return Deploy{
		Approval:     ApprovalExit,
		Cutover:      CutoverAuto,
		RevertWindow: RevertUntilNext,
		Timeouts: Timeouts{
			Branch:   10 * time.Minute,
			Migrate:  time.Hour,
			Review:   15 * time.Minute,
			Approval: 30 * time.Minute,
			Deploy:   12 * time.Hour,
		},
	}
}

// DefaultPolicy is what a database without a policy block gets.
func DefaultPolicy() Policy {
	return Policy{DataChanges: Refuse, Drops: Refuse, OutOfOrder: Allow}
}

// The values of Source.On.
const (
	OnBranch = "branch"
	OnTarget = "target" // after the deploy, for data
)

// Source is one source block: a folder of migrations, the tool that runs them and the history it keeps.
type Source struct {
	Name     string
	Tool     *migration.Tool
	Path     string // absolute folder of the migrations
	RelPath  string // the same relative to Config.Dir, with slashes
	Dir      string // absolute folder in which the command runs
	Keyspace string // where its tables and its history live: the keyspace, or the database's name
	On       string // OnBranch or OnTarget
	// Histories are the history tables, of which there is at least one; Spec.Database is Keyspace.
	Histories []migration.Spec
	PassEnv   []string // names of variables that reach the command although they would be withheld
	Range     hcl.Range

	run running
}
