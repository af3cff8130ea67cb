package planetscale

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Messages are texts about one thing. The platform sends them as a string in
// one place and as a list in another, and null or "" where there is none.
type Messages []string

// UnmarshalJSON takes null, a string, a list of anything, or an object.
func (m *Messages) UnmarshalJSON(data []byte) error {
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	*m = nil
	items, isList := v.([]any)
	if !isList {
		items = []any{v}
	}
	for _, item := range items {
		if s := flat(item); s != "" {
			*m = append(*m, s)
		}
	}
	return nil
}

// String joins the texts with "; ".
func (m Messages) String() string { return strings.Join(m, "; ") }

// decode reads an answer. Members that are missing, null or unknown are no
// error: the platform leaves out what its description calls required.
func decode(body []byte, out any) error {
	err := json.Unmarshal(body, out)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return fmt.Errorf("the member %s is a %s", wrong.Field, wrong.Value)
	default:
		return err
	}
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
