package storetest

import "syscall"

// sysProcAttr ties the server's life to the tests': a test binary that is killed leaves no server behind. The signal is
// PostgreSQL's fast shutdown. It comes when the thread that started the server ends, so that one must not end earlier;
// the Go runtime ends threads only with goroutines that are locked to them.
func sysProcAttr(account *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: account, Pdeathsig: syscall.SIGINT}
}
