// Package kill kills the real program while it works: thousands of calls on SQLite, and on PostgreSQL with several
// nodes, and asks the other parties afterwards what they saw. The phone's own log says who was dialled how often and how
// many calls were up at once, the webhook receiver what it was told in which order, and HubSpot what was written.
// It owns no code that ships.
package kill
