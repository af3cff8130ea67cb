package emulator_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/pmig/pmig/emulator"
)

// docs/emulator.md names every fault, time and switch that there is.
func TestDocumentNamesEverySwitch(t *testing.T) {
	text, err := os.ReadFile("../docs/emulator.md")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, k := range emulator.FaultKinds() {
		names = append(names, "`"+string(k)+"`")
	}
	for value, quote := range map[any]string{emulator.Knobs{}: `"`, emulator.Unknowns{}: "`"} {
		b, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]any
		if err := json.Unmarshal(b, &members); err != nil {
			t.Fatal(err)
		}
		for name := range members {
			names = append(names, quote+name+quote)
		}
	}
	for _, name := range names {
		if !strings.Contains(string(text), name) {
			t.Errorf("docs/emulator.md does not name %s", name)
		}
	}
}
