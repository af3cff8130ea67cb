package planner

import (
	"fmt"
	"time"

	"github.com/pmig/pmig/config"
	"github.com/pmig/pmig/planetscale"
)

// retries is how often a plan is tried again whose requests were closed by
// nobody who is a person.
const retries = 3

// brake finds out whether somebody has stopped what this plan would do: the
// newest deploy request that carried one of its migrations was reverted, closed
// or cancelled by a person, or failed while it was being deployed. Restarting
// processes would do it again otherwise. A changed file is another migration.
func brake(d *Database, o *Observation) *Finding {
	for i := range o.Requests {
		q := &o.Requests[i]
		if !carries(q.Stamp, d) {
			continue
		}
		e := endOf(&q.Request)
		switch {
		case e.code == "":
			return nil
		case e.code == CodeStopped && !e.by.IsUser():
			if n := closings(d, o); n > retries {
				return &Finding{Severity: SeverityError, Code: CodeStopped,
					Message: fmt.Sprintf("deploy request #%d, the %dth in a row for these very migrations, %s", q.Request.Number, n, e.text()), Hint: e.hint()}
			}
			return nil
		}
		return &Finding{Severity: SeverityError, Code: e.code,
			Message: fmt.Sprintf("deploy request #%d, which carried these migrations, %s", q.Request.Number, e.text()), Hint: e.hint()}
	}
	return nil
}

// closings counts the newest requests with this plan's intent that came to
// nothing without a person's doing.
func closings(d *Database, o *Observation) int {
	n := 0
	for _, q := range o.Requests {
		if q.Stamp.Intent != d.Intent {
			continue
		}
		if e := endOf(&q.Request); e.code != CodeStopped || e.by.IsUser() {
			break
		}
		n++
	}
	return n
}

// carries reports whether a stamp has a migration that is still pending, with
// the same content.
func carries(s *Stamp, d *Database) bool {
	for _, src := range d.Sources {
		for _, h := range s.Histories {
			if h.Table != src.History.Table || h.Keyspace != src.Keyspace {
				continue
			}
			for _, m := range src.Pending {
				if sum, ok := h.Migrations[m.Key]; ok && sum == m.SHA256 {
					return true
				}
			}
		}
	}
	return false
}

// end is how a deploy request ended that did not end well.
type end struct {
	code string // of a finding, "" for one that did not end or ended well
	verb string
	by   *planetscale.Actor // nil where nobody is known
	at   *time.Time
}

func endOf(q *planetscale.DeployRequest) end {
	d := q.Deployment
	if d == nil {
		d = &planetscale.Deployment{}
	}
	e := end{at: d.FinishedAt}
	switch s := q.DeploymentState; s {
	case planetscale.StateCompleteRevert, planetscale.StateInProgressRevert, planetscale.StateInProgressRevertVSchema, planetscale.StateCompleteRevertError:
		e.code, e.verb = CodeReverted, "was reverted"
		if s != planetscale.StateCompleteRevert {
			e.verb = "is " + string(s)
		}
		if r := d.RevertRequest; r != nil {
			e.by, e.at = r.Actor, r.FinishedAt
		}
	case planetscale.StateCompleteError:
		e.code, e.verb = CodeDeployFailed, "failed while it was being deployed"
	case planetscale.StateCompleteCancel, planetscale.StateCancelled, planetscale.StateInProgressCancel:
		e.code, e.verb, e.by = CodeStopped, "was cancelled", d.CancelledActor
	default:
		switch {
		case HalfDone(q):
			e.code, e.verb = CodeDeployFailed, "failed while it was being deployed"
		case q.State == planetscale.RequestClosed && !s.Info().Started:
			e.code, e.verb, e.by, e.at = CodeStopped, "was closed", q.ClosedBy, q.ClosedAt
		}
	}
	return e
}

// text says how, by whom and when.
func (e end) text() string {
	text := e.verb
	if e.by != nil && e.by.DisplayName != "" {
		text += " by " + e.by.DisplayName
	}
	if e.at != nil {
		text += " on " + e.at.UTC().Format("2006-01-02 15:04 UTC")
	}
	return text
}

func (e end) hint() string {
	return fmt.Sprintf("mend the migrations: a changed file is deployed; or repeat it on purpose with --again, or with acknowledge %q { reason = \"...\" }", e.code)
}

// acknowledge turns a finding that somebody has looked into, and said so, into
// a warning that shows the reason.
func acknowledge(f *Finding, by []config.Acknowledged) {
	for _, a := range by {
		if a.Code == f.Code && f.Severity == SeverityError {
			f.Severity, f.Message, f.Hint = SeverityWarning, f.Message+"; acknowledged: "+a.Reason, ""
		}
	}
}

// idle tells of acknowledgments that no finding needs: the next one of their
// kind would go unseen.
func idle(f *Finding, by []config.Acknowledged) []Finding {
	var out []Finding
	for _, a := range by {
		if a.Range.Filename != "" && (f == nil || f.Code != a.Code) {
			out = append(out, Finding{Severity: SeverityNote, Code: CodeAcknowledged, Message: fmt.Sprintf("nothing is %q now, which pmig.hcl acknowledges", a.Code),
				Hint: "take the acknowledge block out: it would hide the next one"})
		}
	}
	return out
}
