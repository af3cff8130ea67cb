//go:build !linux

package main

import "os/exec"

// protect has nothing to ask of this system.
func protect() {}

// dieWithParent has nothing to ask of this system: a child loses its gateway.
func dieWithParent(*exec.Cmd) {}
