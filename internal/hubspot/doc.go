// Package hubspot connects accounts to HubSpot portals and writes their calls there: a contact for each number, and one
// call engagement for each call, however often a process dies in between. It also reads what HubSpot sends when a workflow
// wants a call to be made.
//
// Connector connects, disconnects and keeps access tokens fresh; Worker writes calls; Verify and ParseAction read the
// workflow's requests. What is waiting, and what was written, is rows of package store. Package httpapi has the endpoints.
//
// Wire formats are those of HubSpot's developer documentation, the dated API version of apiVersion.
package hubspot
