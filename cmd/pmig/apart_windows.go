package main

import (
	"os/exec"
	"syscall"
)

// apart puts a child into a process group of its own.
func apart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// endGroup ends a child; Windows has no gentler way for one without a window.
func endGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }

// killGroup ends a child at once.
func killGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }
