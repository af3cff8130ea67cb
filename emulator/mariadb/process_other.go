//go:build !linux

package mariadb

import "os/exec"

// bindToParent does nothing here: a server that outlives its parent is ended by the next Start on its folder.
func bindToParent(*exec.Cmd) {}
