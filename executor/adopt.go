package executor

import (
	"context"
	"fmt"
)

// Adopt takes a branch for pmig's own that nothing shows to be, and removes it.
// confirm is asked first. What is protected, has children or carries somebody's
// open request is never pmig's.
func (r *Run) Adopt(ctx context.Context, branch string, confirm func(Hold) error) error {
	r.summary = &Summary{Run: r.ID, Database: r.Label}
	defer r.release(ctx)
	l, err := r.locks(ctx)
	if err != nil {
		return err
	}
	what := "branch " + branch
	if _, ok := numberOf(r.plan.Working, branch); !ok {
		return refuse("", what, fmt.Sprintf("that is no name of a working branch: they are called %s1, %s2, ...", r.plan.Working, r.plan.Working), "delete it yourself if nobody needs it")
	}
	var h *Hold
	for i := range l.Holds {
		if l.Holds[i].Holder.Branch == branch {
			h = &l.Holds[i]
		}
	}
	if h == nil {
		return refuse("", what, "there is no such branch", "see pmig unlock")
	}
	if h.Kind != Strange {
		return refuse("", what, "it is pmig's already: "+string(h.Kind), "the next run removes it when it may; a run that hangs is ended by pmig unlock --force")
	}
	if err := r.adoptable(ctx, *h); err != nil {
		return err
	}
	if err := confirm(*h); err != nil {
		return err
	}
	if err := r.adoptable(ctx, *h); err != nil {
		return err
	}
	return fail("", "delete "+what, r.deleteBranch(ctx, branch, h.id))
}

func (r *Run) adoptable(ctx context.Context, h Hold) error {
	what := "branch " + h.Holder.Branch
	branches, err := r.API.Branches(ctx)
	if err != nil {
		return fail("", "list branches", err)
	}
	for _, b := range branches {
		switch {
		case b.ParentBranch == h.Holder.Branch:
			return refuse("", what, "branch "+b.Name+" was made from it", "it is left alone")
		case b.ID != h.id:
		case b.Production, b.SafeMigrations:
			return refuse("", what, "it is protected", "it is left alone; if nobody needs it, take its protection off first")
		case b.ParentBranch != "" && b.ParentBranch != r.plan.Target:
			return refuse("", what, "it was made from "+b.ParentBranch, "it is left alone; if nobody needs it: pscale branch delete "+r.plan.Name+" "+b.Name)
		}
	}
	q, err := r.openOf(ctx, h)
	if err != nil {
		return err
	}
	if q != nil {
		return refuse("", what, fmt.Sprintf("deploy request #%d of it is open", q.Number), "close that first: "+q.HTMLURL)
	}
	return nil
}
