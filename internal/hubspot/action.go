package hubspot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"talkstack"
)

// Input fields of the workflow action "make a call". Every other one becomes a dynamic variable of its name.
const (
	InputPhone   = "phone_number" // E.164, or as people write it with a country code
	InputProject = "project_id"
	InputAgent   = "agent_id" // may be missing: the project's active agent
)

// Bounds on an action's fields.
const (
	maxInputs     = 200
	maxInputName  = 200    // bytes
	maxInputValue = 10_000 // bytes
	maxCallback   = 500    // bytes
)

// Action is a workflow's wish for a call (custom workflow actions guide, "Execution").
type Action struct {
	CallbackID string // of this execution: the same when HubSpot sends it again
	PortalID   string
	Phone      string // as it was sent
	ProjectID  talkstack.ProjectID
	AgentID    talkstack.AgentID // empty: the project's active one
	Variables  map[string]any    // the enrolled record's properties, and the inputs that are not ours
}

// ParseAction reads the body of an action's request. What is not one is invalid. A phone number or a project that is
// missing is left empty.
func ParseAction(body []byte) (Action, error) {
	var raw struct {
		CallbackID string `json:"callbackId"`
		Origin     struct {
			PortalID json.Number `json:"portalId"`
		} `json:"origin"`
		Object struct {
			Properties map[string]any `json:"properties"`
		} `json:"object"`
		Inputs map[string]any `json:"inputFields"`
		Fields map[string]any `json:"fields"` // the older name of inputFields
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&raw); err != nil {
		return Action{}, talkstack.WrapError(talkstack.CodeInvalid, err, "The body is not that of a workflow action.")
	}
	if raw.CallbackID == "" || len(raw.CallbackID) > maxCallback {
		return Action{}, missing("callbackId")
	}
	portal, err := strconv.ParseInt(raw.Origin.PortalID.String(), 10, 64)
	if err != nil || portal <= 0 {
		return Action{}, missing("origin.portalId")
	}
	if raw.Inputs == nil {
		raw.Inputs = raw.Fields
	}
	if len(raw.Inputs)+len(raw.Object.Properties) > maxInputs {
		return Action{}, talkstack.Errorf(talkstack.CodeInvalid, "The action has more than %d fields.", maxInputs)
	}
	a := Action{CallbackID: raw.CallbackID, PortalID: strconv.FormatInt(portal, 10), Variables: map[string]any{}}
	for _, fields := range []map[string]any{raw.Object.Properties, raw.Inputs} { // inputs win
		for name, value := range fields {
			if len(name) > maxInputName || value == nil {
				continue
			}
			a.Variables[name] = shorten(text(value), maxInputValue)
		}
	}
	take := func(name string) string {
		value, ok := raw.Inputs[name]
		delete(a.Variables, name)
		if !ok || value == nil {
			return ""
		}
		return text(value)
	}
	a.Phone = take(InputPhone)
	a.ProjectID, a.AgentID = talkstack.ProjectID(take(InputProject)), talkstack.AgentID(take(InputAgent))
	return a, nil
}

// text is a field's value as text: HubSpot sends most as texts, numbers and booleans as such at times.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any, []any:
		b, _ := json.Marshal(v) // it came out of JSON
		return string(b)
	}
	return fmt.Sprint(v)
}

func missing(field string) error {
	return &talkstack.Error{
		Code: talkstack.CodeInvalid, Message: field + " is missing or malformed.",
		Fields: []talkstack.FieldError{{Field: field, Message: "is missing or malformed"}},
	}
}
