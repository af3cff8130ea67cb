package executor

import (
	"context"
	"fmt"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// touched says what people have done about an open request, "" for nothing. A
// review of any kind counts: somebody has read it. Who cannot be told to be a
// service token is taken for a person.
func (r *Run) touched(ctx context.Context, q *planetscale.DeployRequest) (string, error) {
	how := ""
	if q.Approved {
		how = "somebody has approved it"
	}
	reviews, err := r.API.Reviews(ctx, q.Number)
	switch {
	case planetscale.IsNotFound(err): // the token may not read them
		if how == "" && q.NumComments > 0 {
			how = "somebody has commented on it"
		}
		return how, nil
	case err != nil:
		return "", fail(planner.BranchCreate, fmt.Sprintf("read the reviews of deploy request #%d", q.Number), err)
	}
	for _, v := range reviews {
		if v.Actor != nil && v.Actor.Type == planetscale.ActorServiceToken && v.State != planetscale.ReviewApproved {
			continue
		}
		if v.State == planetscale.ReviewApproved {
			how = name(v.Actor) + " has approved it"
		} else if how == "" {
			how = name(v.Actor) + " has reviewed it"
		}
	}
	return how, nil
}

func name(a *planetscale.Actor) string {
	if a == nil || a.DisplayName == "" {
		return "somebody"
	}
	return a.DisplayName
}

// untouched is an error where closing a request would throw a person's work
// away, unless that is wanted.
func (r *Run) untouched(ctx context.Context, q *planetscale.DeployRequest) error {
	if r.Replace {
		return nil
	}
	how, err := r.touched(ctx, q)
	if err != nil || how == "" {
		return err
	}
	why := "it is for another plan"
	if stamp, _ := planner.ParseStamp(q.Notes); stamp != nil && stamp.Intent == r.plan.Intent {
		why = "its branch or the target has changed since its migrations were checked"
	}
	return &Error{Outcome: Person, Step: planner.BranchCreate, What: fmt.Sprintf("deploy request #%d", q.Number), Why: how + ", and " + why,
		Next: "deploy it, or close it with pmig abandon, or replace it with pmig apply --replace: " + q.HTMLURL}
}

// dismissed says whose approval of a request does not count any more, "" for
// nobody's. The platform dismisses them when the branch changes.
func (r *Run) dismissed(ctx context.Context, q *planetscale.DeployRequest) string {
	if q.Approved || !r.seen.Settings.RequireApprovalForDeploy {
		return ""
	}
	reviews, err := r.API.Reviews(ctx, q.Number)
	if err != nil {
		return "" // the request itself said that it is not approved
	}
	who := ""
	for _, v := range reviews {
		if v.State == planetscale.ReviewApproved {
			who = name(v.Actor)
		}
	}
	if who == "" {
		return ""
	}
	return "; that of " + who + " was dismissed, because the branch has changed since"
}
