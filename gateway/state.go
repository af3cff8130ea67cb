package gateway

import (
	"maps"
	"slices"
	"strings"
)

// state is what earlier statements of a connection mean for later ones.
type state struct {
	temporary map[string]bool  // tables, in lower case, without their database
	variables map[string]*kind // what the text in a user variable would do
	prepared  map[string]*kind // by PREPARE; nil if the text is not known
}

func newState() *state {
	return &state{temporary: map[string]bool{}, variables: map[string]*kind{}, prepared: map[string]*kind{}}
}

func (s *state) clone() *state {
	return &state{temporary: maps.Clone(s.temporary), variables: maps.Clone(s.variables), prepared: maps.Clone(s.prepared)}
}

// maxNames bounds how many variables and prepared statements are remembered.
const maxNames = 10_000

// resolve says what a statement does on this connection: writes to temporary
// tables are the session's own business, and EXECUTE does what its text does.
func (s *state) resolve(k kind) kind {
	if k.executes != "" {
		inner := k.inner
		if inner == nil && k.source != "" {
			inner = s.variables[k.source]
		}
		if inner == nil {
			inner = s.prepared[k.executes]
		}
		if inner == nil {
			return k
		}
		k = *inner
	}
	switch k.class {
	case Data, History, DDL:
		isTemporary := func(t string) bool { return s.temporary[parseDisplayed(t).table] }
		if len(k.tables) > 0 && !slices.ContainsFunc(k.tables, func(t string) bool { return !isTemporary(t) }) {
			k.class, k.schema = Session, false
		}
	}
	return k
}

// apply notes what a statement that succeeded leaves behind.
func (s *state) apply(k kind) {
	if k.creates != "" && len(s.temporary) < maxNames {
		s.temporary[parseDisplayed(k.creates).table] = true
	}
	for _, t := range k.drops {
		delete(s.temporary, parseDisplayed(t).table)
	}
	for _, v := range k.assigns {
		if len(s.variables) < maxNames || s.variables[v] != nil {
			s.variables[v] = k.inner
		}
	}
	if k.prepares != "" && len(s.prepared) < maxNames {
		inner := k.inner
		if inner == nil {
			inner = s.variables[strings.ToLower(k.source)]
		}
		s.prepared[k.prepares] = inner
	}
}

// mayWrite says that a statement runs something that is not in its text.
func (k kind) mayWrite() bool { return k.executes != "" || k.calls }
