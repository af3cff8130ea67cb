package executor

// without switches single rules of the run protocol off. Nothing but the model
// test sets one, to show that each is needed; all are on in every other run.
type without struct {
	numbers   bool // names of branches are never used twice
	replan    bool // the plan is made again under the lock
	fence     bool // open requests of earlier runs are closed under the lock
	owed      bool // history that is owed is written before anything else
	branchID  bool // a branch is known by its id, not by its name
	heartbeat bool // who has lost the heartbeat stops
	giveWay   bool // who takes over and who takes up again look for each other
	margin    bool // a minute before the heartbeat's end already
	readBack  bool // a close is looked at again, and a refused one heeded
	confirm   bool // the request's state is read again inside the history transaction
	seen      bool // live is seen on the target, not believed
	twoLooks  bool // a run is dead after two looks, not after one
}

// same reports whether an id is that of the branch that is meant.
func (w without) same(id, meant string) bool { return w.branchID || id == meant }
