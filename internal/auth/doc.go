// Package auth knows who is asking: passwords, verification codes, access and refresh tokens, API keys, signed links,
// and the limits on guessing any of them. Accounts joins these to the database and the mail.
//
// It does not know HTTP: package httpapi reads the headers, and turns the errors made here into answers.
package auth
