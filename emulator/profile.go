package emulator

import (
	"fmt"
	"time"
)

// Profiles are the names that ProfileKnobs knows.
var Profiles = []string{"instant", "planetscale"}

// ProfileKnobs is a set of times by name: "instant", where nothing takes any,
// or "planetscale", which takes the times that were seen of the platform:
// 8 s to a branch, 5 s for the checks, 0.3 s in the queue and 9 s until it
// begins, 1.6 s for a small table and 106 GB in 3.5 h for a large one, 7 s to
// the end of the cutover and for a revert, half an hour to revert in.
func ProfileKnobs(name string) (Knobs, error) {
	switch name {
	case "", "instant":
		return Knobs{}, nil
	case "planetscale":
		return Knobs{
			BranchReady:  8 * time.Second,
			Diff:         5 * time.Second,
			Queue:        300 * time.Millisecond,
			Submit:       9 * time.Second,
			Deploy:       1600 * time.Millisecond,
			CopyPerRow:   12 * time.Microsecond, // rows of a hundred bytes
			Cutover:      2700 * time.Millisecond,
			VSchema:      time.Second,
			RevertWindow: 30 * time.Minute,
			Revert:       7 * time.Second,
			Cancel:       2 * time.Second,
		}, nil
	}
	return Knobs{}, fmt.Errorf("no profile %q", name)
}
