package talkstack

// Placement asks for an outbound call.
type Placement struct {
	SID              CallSID // of the call that is made; empty: made up. An id that is taken is CodeConflict
	UserID           UserID
	ProjectID        ProjectID
	AgentID          AgentID        // empty: the project's active agent (spec Q22)
	To               string         // the number to call
	DynamicVariables map[string]any // values of the prompt's {{placeholders}}; numbers may be json.Number
}
