// Package httpapi is the door for programs: the Talkstack API and /v1 on one HTTP handler, the OpenAPI document made
// from the same Go types, the page that shows it, and the health and metrics endpoints.
//
// It decodes, checks credentials, calls a domain method, and encodes; every rule about calls, agents and accounts is
// elsewhere. Errors get their code where they are born and their status here, in errors.go alone.
//
// The wire contract of the Talkstack family is fixed: comments name its quirks by number (Q1 to Q44) where code obeys one.
package httpapi
