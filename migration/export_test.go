package migration

// How the parts of a key become one text, and back.
var (
	JoinKey  = joinKey
	SplitKey = splitKey
)

// HeadsTool keeps a pointer set, as Alembic does, without files of its own.
var HeadsTool = &Tool{
	Name:    "heads",
	Table:   "alembic_version",
	Shape:   PointerSet,
	Orphans: Refuses,
	Late:    Runs,
	Empty:   Runs,
	key:     []string{"version_num"},
	order:   byText,
	needs:   []need{{"version_num", []kind{textKind}}},
}
