package executor

import (
	"context"
	"strings"
	"time"

	"github.com/pmig/pmig/planetscale"
	"github.com/pmig/pmig/planner"
)

// Holder is who holds a working branch, and with it the lock.
type Holder struct {
	Branch string    `json:"branch"`
	Who    string    `json:"who,omitempty"`   // as the platform knows it: a service token's name, or a person's
	Where  string    `json:"where,omitempty"` // what the run says of itself: user, process and host, or the CI run
	Run    string    `json:"run,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"` // its heartbeat ends then, unless it renews it
}

// String is the holder in one line: branch, run, who, where, since and until
// when.
func (h Holder) String() string {
	text := "branch " + h.Branch + " is held by "
	switch {
	case h.Run != "":
		text += "run " + h.Run
	default:
		text += "a run"
	}
	if h.Who != "" {
		text += " of " + h.Who
	}
	if h.Where != "" {
		text += " (" + h.Where + ")"
	}
	if !h.Since.IsZero() {
		text += " since " + h.Since.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	if !h.Until.IsZero() {
		text += ", until " + h.Until.UTC().Format("15:04:05") + " unless it goes on"
	}
	return text
}

// maxPasswordName bounds a password's name. How long the platform lets it be is
// not documented.
const maxPasswordName = 64

// passwordName says on the platform whose a password is: identity and run, and
// as much of the holder as there is room for.
func (r *Run) passwordName() string {
	name := passwordPrefix(r.facts.Plan.Identity) + r.ID + " " + plain(r.Holder)
	return strings.TrimSpace(name[:min(len(name), maxPasswordName)])
}

func passwordPrefix(identity string) string { return "pmig " + identity + " " }

// plain keeps of a text what every name may have.
func plain(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.ContainsRune(" ._@-", c):
			return c
		}
		return -1
	}, text)
}

// holderOf reads a heartbeat.
func holderOf(branch string, p planetscale.Password) Holder {
	h := Holder{Branch: branch}
	if parts := strings.SplitN(p.Name, " ", 4); len(parts) > 2 && parts[0] == "pmig" {
		h.Run = parts[2]
		if len(parts) > 3 {
			h.Where = parts[3]
		}
	}
	if p.Actor != nil {
		h.Who = p.Actor.DisplayName
	}
	if p.CreatedAt != nil {
		h.Since = *p.CreatedAt
	}
	if p.ExpiresAt != nil {
		h.Until = *p.ExpiresAt
	}
	return h
}

// makerOf is all that is known of the holder of a branch without a heartbeat.
func makerOf(b planetscale.Branch) Holder {
	h := Holder{Branch: b.Name}
	if b.Actor != nil {
		h.Who = b.Actor.DisplayName
	}
	if b.CreatedAt != nil {
		h.Since = *b.CreatedAt
	}
	return h
}

// whoHas looks up who was faster to make a branch.
func (r *Run) whoHas(ctx context.Context, branch string) string {
	b, err := r.API.Branch(ctx, branch)
	if err != nil {
		return "branch " + branch + " is another run's"
	}
	passwords, err := r.API.Passwords(ctx, branch)
	for _, p := range passwords {
		if err == nil && strings.HasPrefix(p.Name, "pmig ") && beating(p, planner.Now(r.API)) {
			return holderOf(branch, p).String()
		}
	}
	return makerOf(*b).String()
}

// here is how this process is named to others of its machine.
func (r *Run) here() string {
	return r.Holder + ", run " + r.ID + ", since " + time.Now().UTC().Format("2006-01-02 15:04:05 UTC")
}
