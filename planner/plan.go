package planner

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/pmig/pmig/migration"
)

// FormatVersion is the version of the plan document that this package writes
// and the only one it reads.
const FormatVersion = 1

// Plan is what pmig would do, for every database of a configuration.
type Plan struct {
	FormatVersion int         `json:"format_version"`
	Pmig          string      `json:"pmig"` // version that made the plan
	Databases     []*Database `json:"databases"`
}

// Database is the plan for one database block.
type Database struct {
	Label        string `json:"label"`
	Platform     string `json:"platform"` // planetscale or embedded
	Organization string `json:"organization"`
	Name         string `json:"name"`
	Target       string `json:"target"`  // the branch that is deployed into
	Working      string `json:"working"` // prefix of the working branches' names

	Seen     Seen      `json:"seen"`
	Sources  []Source  `json:"sources"`
	Deploy   Deploy    `json:"deploy"`
	Policy   Policy    `json:"policy"`
	Findings []Finding `json:"findings,omitempty"`

	// Identity tells whose branches, passwords and deploy requests these are:
	// a digest of organization, database, target and history tables.
	Identity string `json:"identity"`
	// Intent is a digest of everything the run is asked to do and of nothing
	// that was observed: two plans with one intent do the same work.
	Intent string `json:"intent"`

	Steps []Step `json:"steps,omitempty"`
}

// Seen is what the target looked like when the plan was made.
type Seen struct {
	Schema           string            `json:"schema"`           // digest of all tables
	Tables           map[string]string `json:"tables,omitempty"` // digest per table
	ApprovalRequired bool              `json:"approval_required"`
}

// Source is one migration folder and the history that its tool keeps.
type Source struct {
	Name     string            `json:"name"`
	Tool     string            `json:"tool"`
	Path     string            `json:"path"` // as the configuration says it
	Keyspace string            `json:"keyspace"`
	Command  []string          `json:"command,omitempty"` // expression text, never values
	Env      map[string]string `json:"env,omitempty"`     // expression text, never values

	History History     `json:"history"`
	Files   int         `json:"files"`
	Applied int         `json:"applied"`
	Pending []Migration `json:"pending,omitempty"`
	Orphans []string    `json:"orphans,omitempty"` // keys in history that have no file here
}

// History is what the plan saw of one history table on the target.
type History struct {
	Table   string            `json:"table"`
	Shape   string            `json:"shape"` // log or pointer
	Exists  bool              `json:"exists"`
	Rows    int               `json:"rows"`
	Digest  string            `json:"digest"`
	Pointer string            `json:"pointer,omitempty"` // the version a pointer table stands at
	Custom  *migration.Custom `json:"custom,omitempty"`  // how a custom table is read
}

// Migration is a file that the target's history does not have.
type Migration struct {
	Key    string `json:"key"`
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Late   bool   `json:"late,omitempty"` // sorts before a migration that is applied
}

// Deploy is how the deploy request is to be handled. Durations are Go's
// notation.
type Deploy struct {
	Approval        string `json:"approval"`
	Cutover         string `json:"cutover"`
	Instant         bool   `json:"instant"`
	RevertWindow    string `json:"revert_window"`
	BranchTimeout   string `json:"branch_timeout"`
	MigrateTimeout  string `json:"migrate_timeout"`
	ReviewTimeout   string `json:"review_timeout"`
	ApprovalTimeout string `json:"approval_timeout"`
	DeployTimeout   string `json:"deploy_timeout"`
}

// Policy is what the configuration allows.
type Policy struct {
	DataChanges string `json:"data_changes"`
	Drops       string `json:"drops"`
	OutOfOrder  string `json:"out_of_order"`
}

// Step is one thing a run does, in order.
type Step struct {
	Kind    Kind   `json:"kind"`
	Summary string `json:"summary"`
}

// Kind names a step.
type Kind string

// The steps of a run.
const (
	Preflight    Kind = "preflight"
	BranchCreate Kind = "branch.create"
	BranchVerify Kind = "branch.verify"
	HistorySeed  Kind = "history.seed"
	Migrate      Kind = "migrate"
	BranchCheck  Kind = "branch.check"
	DeployOpen   Kind = "deploy.open"
	DeployReview Kind = "deploy.review"
	DeployStart  Kind = "deploy.start"
	DeployFinish Kind = "deploy.finish"
	HistoryWrite Kind = "history.write"
	Cleanup      Kind = "cleanup"
)

// PendingCount is the number of migrations that the target's history lacks.
func (d *Database) PendingCount() int {
	n := 0
	for _, s := range d.Sources {
		n += len(s.Pending)
	}
	return n
}

// Refused reports whether a finding forbids to apply the plan.
func (d *Database) Refused() bool {
	for _, f := range d.Findings {
		if f.Severity == SeverityError {
			return true
		}
	}
	return false
}

// Changes reports whether any database has something pending.
func (p *Plan) Changes() bool {
	for _, d := range p.Databases {
		if d.PendingCount() > 0 {
			return true
		}
	}
	return false
}

// Refused reports whether a finding forbids to apply one of the databases.
func (p *Plan) Refused() bool {
	for _, d := range p.Databases {
		if d.Refused() {
			return true
		}
	}
	return false
}

// Encode writes the plan as JSON, the same bytes for the same plan.
func (p *Plan) Encode(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(p)
}

// FormatError says that a document is no plan that this pmig can read.
type FormatError struct {
	Reason string
	hint   string
}

func (e *FormatError) Error() string { return e.Reason }

// Hint says what to do about it.
func (e *FormatError) Hint() string { return e.hint }

// maxPlan bounds a plan file: 100 000 pending migrations fit.
const maxPlan = 64 << 20

// Decode reads a plan that Encode wrote. A plan of another format, cut short
// or with members that this version does not know is a *FormatError.
func Decode(r io.Reader) (*Plan, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxPlan+1))
	if err != nil {
		return nil, err
	}
	remake := "make it again with: pmig plan --out FILE"
	if len(b) > maxPlan {
		return nil, &FormatError{fmt.Sprintf("longer than %d bytes: not a plan", maxPlan), remake}
	}
	var head struct {
		FormatVersion *int   `json:"format_version"`
		Pmig          string `json:"pmig"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, &FormatError{"not a plan, or cut short: " + err.Error(), remake}
	}
	if head.FormatVersion == nil {
		return nil, &FormatError{"not a plan: it has no format_version", remake}
	}
	if *head.FormatVersion != FormatVersion {
		return nil, &FormatError{
			fmt.Sprintf("the plan has format %d, this pmig reads format %d", *head.FormatVersion, FormatVersion),
			fmt.Sprintf("apply it with pmig %s, which wrote it, or %s", head.Pmig, remake),
		}
	}
	d := json.NewDecoder(bytesReader(b))
	d.DisallowUnknownFields()
	var p Plan
	if err := d.Decode(&p); err != nil {
		return nil, &FormatError{"not a plan of this format: " + err.Error(), remake}
	}
	for i, db := range p.Databases {
		if db == nil || db.Label == "" {
			return nil, &FormatError{fmt.Sprintf("database %d of the plan has no label", i+1), remake}
		}
	}
	return &p, nil
}

// digest makes a short, stable name for any plain value.
func digest(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("planner: digest of a value that is not plain data: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Moved says what is different in a plan made now from one that a person has
// seen, in words; nothing where the new one does only what the old one shows.
func Moved(seen, now *Database) []string {
	var out []string
	if seen.Identity != now.Identity || seen.Target != now.Target {
		return []string{"it is for another database, branch or history table"}
	}
	if seen.Seen.Schema != now.Seen.Schema {
		out = append(out, "the schema of "+now.Target+" has changed")
	}
	for _, n := range now.Sources {
		var s *Source
		for i := range seen.Sources {
			if seen.Sources[i].Name == n.Name {
				s = &seen.Sources[i]
			}
		}
		if s == nil {
			out = append(out, fmt.Sprintf("source %q is new", n.Name))
			continue
		}
		if s.History.Digest != n.History.Digest {
			out = append(out, "the history in "+n.History.Table+" has changed")
		}
		out = append(out, movedFiles(s, &n)...)
	}
	if len(out) == 0 && seen.Intent != now.Intent {
		out = append(out, "the configuration has changed")
	}
	return out
}

func movedFiles(seen, now *Source) []string {
	was := map[string]string{}
	for _, m := range seen.Pending {
		was[m.Key] = m.SHA256
	}
	var out []string
	for _, m := range now.Pending {
		switch sum, ok := was[m.Key]; {
		case !ok:
			out = append(out, "migration "+m.File+" is new")
		case sum != m.SHA256:
			out = append(out, "migration "+m.File+" was edited")
		}
		delete(was, m.Key)
	}
	for key := range was {
		out = append(out, "migration "+key+" is no longer pending")
	}
	slices.Sort(out)
	return out
}
