package mariadb

import (
	"os/exec"
	"syscall"
)

// bindToParent makes the kernel kill the child when its parent dies, however it dies. Its own process group keeps a terminal's
// Ctrl-C from ending it before its owner has.
func bindToParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
