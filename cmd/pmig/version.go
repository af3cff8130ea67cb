package main

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/pmig/pmig/planner"
	"github.com/pmig/pmig/state"
)

// version is set by the linker of a release.
var version = "0.1.0-dev"

type versionCmd struct {
	JSON bool `help:"Print as JSON, with the formats that this version reads."`
}

func (c *versionCmd) Run(a *app) error {
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(map[string]any{
			"version": version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
			"plan_format": planner.FormatVersion, "state_format": state.FormatVersion,
		})
	}
	fmt.Fprintf(a.stdout, "pmig %s\n", version)
	return nil
}
