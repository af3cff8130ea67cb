package emulator

// Access is what a MySQL user name stands for: one branch, seen through one
// password. The MySQL front asks for it at login, and again before a statement
// whose fate depends on a switch that may have moved meanwhile.
type Access struct {
	// BranchID is the id that [Engine.Backend] knows.
	BranchID string
	// Branch is the branch's name, for messages.
	Branch string
	// Database is the name of the branch's MySQL database.
	Database string
	// Role is "reader", "writer", "readwriter" or "admin".
	Role string
	// Password is the plain text, for mysqlproxy.Attempt.Verify. It is a
	// secret: never log it.
	Password string
	// SafeMigrations says that the branch refuses direct DDL.
	SafeMigrations bool
	// ForeignKeys says that the database allows foreign key constraints.
	ForeignKeys bool
	// Expired says that the password's time is over, by the emulator's clock.
	Expired bool
	// Ready says that the branch serves queries.
	Ready bool
	// Gone is closed when the password is deleted or has expired, or its
	// branch is deleted: connections made with it must end then.
	Gone <-chan struct{}
}

// Access looks a MySQL user name up. It is cheap, and false for a name that no
// living password has.
func (e *Emulator) Access(user string) (Access, bool) {
	return e.access(user)
}
