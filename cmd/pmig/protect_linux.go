package main

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// protect keeps a child of the same user from reading this process's memory
// and environment, where the token is.
func protect() {
	unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// dieWithParent ends a child when this process is killed.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM }
