package mariadb

import (
	"os/exec"
	"runtime"
)

// run starts cmd, reports on started and closes done when it has ended. It keeps its operating-system thread for the life of
// the child, because the kernel's parent-death signal is bound to the thread that started the child, not to the process.
func run(cmd *exec.Cmd, started chan<- error, done chan<- struct{}) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	bindToParent(cmd)
	err := cmd.Start()
	started <- err
	if err != nil {
		return
	}
	_ = cmd.Wait()
	close(done)
}
