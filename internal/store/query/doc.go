// Package query holds the generated form of the store's queries, and of the rows of its tables. Package store alone uses
// it: nothing here knows about owners, limits or what a change means. Change ../queries and run go generate instead.
package query
