package planetscale

import "strings"

// A refusal is an answer that the platform tells apart by its text alone. The
// first row whose text the message contains, in any case, gives the kind; with
// no row the status and code do. Texts are from logs of the service, from its
// clients and its documentation; most of their statuses are unconfirmed, so
// any 400, 403, 409 or 422 is looked up here.
type refusal struct {
	text string
	kind Kind
	hint string // "" leaves it to the kind
}

var taken = []refusal{
	{text: "already been taken", kind: KindConflict},
	{text: "already exists", kind: KindConflict},
}

var (
	createBranchRefusals = append([]refusal{
		{text: "branch limit", kind: KindRefused, hint: "the database has as many development branches as it may have: delete some"},
	}, taken...)

	createPasswordRefusals = append([]refusal{
		{text: "replica passwords can only", kind: KindInvalid, hint: "the branch has no replicas"},
		{text: "not ready", kind: KindRefused, hint: "wait until the branch is ready"},
	}, taken...)

	createRequestRefusals = append([]refusal{
		{text: "safe migrations enabled", kind: KindRefused, hint: "enable safe migrations on the target branch: only then does it take deploy requests"},
	}, taken...)

	deployRefusals = []refusal{
		{text: "currently validating", kind: KindValidating},
		{text: "approved", kind: KindNeedsApproval},
		{text: "approval", kind: KindNeedsApproval},
		{text: "cannot be deployed", kind: KindRefused, hint: "it is deploying, was deployed, or is closed: look at its state"},
		{text: "not deployable", kind: KindRefused, hint: "its changes can't be deployed together: a request may change at most 10 tables"},
	}

	deleteBranchRefusals = []refusal{
		{text: "while a deployment is in progress", kind: KindDeploying},
		{text: "default branch", kind: KindRefused, hint: "the default branch can't be deleted"},
		{text: "protected", kind: KindRefused, hint: "deletion protection is on for the branch"},
	}

	safeMigrationsRefusals = []refusal{
		{text: "lint", kind: KindRefused, hint: "the branch's schema has lint errors: see the lint of the branch"},
	}
)

// find returns the row that the message fits.
func find(rows []refusal, message string) (refusal, bool) {
	message = strings.ToLower(message)
	for _, r := range rows {
		if strings.Contains(message, r.text) {
			return r, true
		}
	}
	return refusal{}, false
}
