// Package contract has the tests that hold the Go client against the real server: each operation of the served document
// has a method, and each answer decodes without losing a field. It owns no code that runs elsewhere.
package contract
