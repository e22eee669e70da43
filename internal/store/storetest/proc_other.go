//go:build unix && !linux

package storetest

import "syscall"

// sysProcAttr runs the server as the account. A test binary that is killed leaves it behind.
func sysProcAttr(account *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: account}
}
