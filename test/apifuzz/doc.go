// Package apifuzz sends thousands of requests to the whole program that it makes up from the program's own OpenAPI
// document: right ones, nearly right ones and nonsense, with ids that earlier answers have given. No answer may be a
// server error, and each must be what the document says of its endpoint. It owns no code that ships.
package apifuzz
