package migration

import "time"

// Shape is how a history table says what has been applied.
type Shape string

const (
	// Log is one row per applied migration.
	Log Shape = "log"
	// Pointer is at most one row, the newest applied version; what is below it
	// is inferred from the files.
	Pointer Shape = "pointer"
	// PointerSet is one row per newest migration of a graph, usually one; what
	// those build on is inferred from the files.
	PointerSet Shape = "pointer-set"
)

// Behaviour is what a tool does in a situation that pmig can see coming.
type Behaviour string

const (
	// Runs means that the tool goes on and runs the migrations.
	Runs Behaviour = "runs"
	// Refuses means that the tool stops with an error.
	Refuses Behaviour = "refuses"
	// Skips means that the tool leaves the migration out and reports success.
	Skips Behaviour = "skips"
	// Ignores means that the situation makes no difference to the tool.
	Ignores Behaviour = "ignores"
)

// Tool is one migration tool as it comes out of the box: what it calls its
// table, how it reads its folder and how it behaves. The values are those of
// the tool's source; tools of one list are shared and must not be changed.
type Tool struct {
	// Name is the label by which a configuration names the tool.
	Name string
	// Table is the history table that the tool uses unless told otherwise;
	// empty where there is no such default.
	Table string
	// Command is the usual command that migrates to the newest version.
	Command []string
	// InProcess tools are run by pmig itself and need no command.
	InProcess bool
	// Shape of the history table.
	Shape Shape
	// Orphans is what the tool does about a history row without a file (an
	// older image): Ignores or Refuses.
	Orphans Behaviour
	// Late is what the tool does about an unapplied file that sorts before the
	// newest applied one: Runs, Refuses or Skips.
	Late Behaviour
	// Empty is what the tool does when the history table is there and holds no
	// row although the schema is full: Runs (everything again) or Refuses.
	Empty Behaviour
	// OwnTables is set where the migrations make tables that nothing else makes,
	// so that an empty history beside a full schema is a beginning and no loss.
	OwnTables bool
	// CAEnv names the environment variables, beside NODE_EXTRA_CA_CERTS and
	// SSL_CERT_FILE, by which the tool finds the authority that signed the
	// server's certificate.
	CAEnv []string

	key      []string                                // columns that identify a row
	rowKey   func(string) string                     // how the tool reads a key back, nil: as it is
	order    func(a, b string) int                   // order of keys
	needs    []need                                  // columns by which the table is recognised
	ignored  func(key string) bool                   // rows that stand for no migration
	repeats  bool                                    // several rows may have one key
	dirty    func(rowView) bool                      // rows of a migration that failed half-way
	clean    func([]Column, Row) Row                 // such a row without the mark
	mark     markFunc                                // what a row beside its key holds, nil: nothing
	aux      []aux                                   // tables beside the history
	nested   bool                                    // the folder is searched recursively
	collect  func(Spec, []entry) ([]File, []Problem) // the folder as the tool reads it
	claims   func(entry) bool                        // the file can only be this tool's
	sortName bool                                    // files run in order of names, not of keys
}

// markFunc gives the values beside the key of a row that is written by hand,
// after the rows that are there. Columns without one are left to the server.
type markFunc func(columns []Column, rows []Row, now time.Time) map[string]Value

// tools is the literal table; a new tool is a file and a line here.
var tools = []*Tool{
	&knex,
	&golangMigrate,
	&goose,
	&dbmate,
	&rails,
	&laravel,
	&custom,
}

// Tools returns every tool that pmig knows, "custom" last. The slice is the
// caller's, the tools are shared.
func Tools() []*Tool {
	return append([]*Tool(nil), tools...)
}

// Lookup finds a tool by its name.
func Lookup(name string) (*Tool, bool) {
	for _, t := range tools {
		if t.Name == name {
			return t, true
		}
	}
	return nil, false
}

// String is the tool's name.
func (t *Tool) String() string { return t.Name }
