package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
	"talkstack/internal/store"
)

func (a *API) v1PatchAgent(ctx context.Context, in *patchAgentRequest) (*body[v1Agent], error) {
	user := caller(ctx).ID
	agent, err := a.DB.Agent(ctx, user, in.ID)
	if err != nil {
		return nil, err
	}
	current, err := a.v1AgentOf(ctx, agent)
	if err != nil {
		return nil, err
	}
	number := text(current.PhoneNumber)
	next, err := a.merge(current, in.Body)
	if err != nil {
		return nil, err
	}
	if next.VoiceID == nil {
		next.VoiceID = textOrNull(a.defaultVoice())
	}
	if reflect.DeepEqual(current, next) {
		return reply(current), nil // nothing changes, so no new version
	}
	if err := a.checkAgent(current, &next); err != nil {
		return nil, err
	}
	change := store.AgentUpdate{}
	if wanted := text(next.PhoneNumber); wanted != number {
		change.Number, number = &wanted, wanted
	}
	unnumbered := current
	unnumbered.PhoneNumber = next.PhoneNumber // numbers are not versioned
	if !reflect.DeepEqual(unnumbered, next) {
		voice := text(next.VoiceID)
		change.IfVersion, change.Name, change.Prompt = current.Version, &next.Name, &next.Prompt
		change.VoiceID, change.Settings = &voice, &next.AgentSettings
	}
	if agent, err = a.DB.UpdateAgent(ctx, user, agent.ID, change); err != nil {
		return nil, err
	}
	return reply(wireV1Agent(agent, number)), nil
}

// text is s, or nothing when it is null.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// merge applies a merge patch to an agent and checks the result against the document's own schema.
func (a *API) merge(current v1Agent, patch []byte) (v1Agent, error) {
	var changes map[string]any
	if err := decode(patch, &changes); err != nil || changes == nil {
		return v1Agent{}, talkstack.Errorf(talkstack.CodeInvalid, "The body must be a JSON object.")
	}
	defaults := asObject(v1Agent{AgentSettings: talkstack.DefaultAgentSettings()})
	for _, name := range []string{"name", "prompt", "version"} {
		delete(defaults, name) // these have no default: null is an error
	}
	before := asObject(current)
	after := mergePatch(before, changes, defaults)
	var bad []talkstack.FieldError
	for _, name := range readOnly() {
		if !reflect.DeepEqual(before[name], after[name]) {
			bad = append(bad, talkstack.FieldError{Field: name, Message: "cannot be changed"})
		}
	}
	if len(bad) > 0 {
		return v1Agent{}, &talkstack.Error{Code: talkstack.CodeInvalid, Message: bad[0].Field + " " + bad[0].Message + ".", Fields: bad}
	}
	if err := a.validate(after); err != nil {
		return v1Agent{}, err
	}
	return asAgent(after)
}

// mergeNew applies the fields of a new agent to the defaults, and checks the result as merge does.
func (a *API) mergeNew(fields []byte) (v1Agent, error) {
	var sent map[string]any
	if err := decode(fields, &sent); err != nil || sent == nil {
		return v1Agent{}, talkstack.Errorf(talkstack.CodeInvalid, "The body must be a JSON object.")
	}
	var bad []talkstack.FieldError
	for _, name := range requiredAtCreation() {
		if v, ok := sent[name]; !ok || v == nil || v == "" {
			bad = append(bad, talkstack.FieldError{Field: name, Message: "is required"})
		}
	}
	for _, name := range setByServer() {
		if _, ok := sent[name]; ok {
			bad = append(bad, talkstack.FieldError{Field: name, Message: "cannot be set"})
		}
	}
	if len(bad) > 0 {
		return v1Agent{}, &talkstack.Error{Code: talkstack.CodeInvalid, Message: bad[0].Field + " " + bad[0].Message + ".", Fields: bad}
	}
	defaults := asObject(v1Agent{AgentSettings: talkstack.DefaultAgentSettings()})
	after := mergePatch(defaults, sent, defaults)
	if err := a.validate(after); err != nil {
		return v1Agent{}, err
	}
	return asAgent(after)
}

// requiredAtCreation are the fields of v1Agent that a new agent must be given, and setByServer those that it cannot be.
func requiredAtCreation() []string { return []string{"project_id", "name", "prompt"} }
func setByServer() []string        { return []string{"id", "version", "created_at", "updated_at"} }

// asAgent is the reverse of asObject.
func asAgent(object map[string]any) (v1Agent, error) {
	data, err := json.Marshal(object)
	if err != nil {
		return v1Agent{}, fmt.Errorf("merge agent: %w", err)
	}
	var agent v1Agent
	if err := decode(data, &agent); err != nil {
		return v1Agent{}, talkstack.Errorf(talkstack.CodeInvalid, "%s.", err.Error())
	}
	return agent, nil
}

// mergePatch is RFC 7396 section 2, but that null brings the default back instead of leaving a hole.
func mergePatch(target, patch, defaults map[string]any) map[string]any {
	out := maps.Clone(target)
	if out == nil {
		out = map[string]any{}
	}
	for name, change := range patch {
		switch change := change.(type) {
		case nil:
			out[name] = nil
			if d, ok := defaults[name]; ok {
				out[name] = d
			}
		case map[string]any:
			if name == "flow" {
				out[name] = change // a graph is replaced as a whole: its nodes refer to one another
				continue
			}
			inner, _ := out[name].(map[string]any)
			d, _ := defaults[name].(map[string]any)
			out[name] = mergePatch(inner, change, d)
		default:
			out[name] = change
		}
	}
	return out
}

// validate checks a merged agent by the schema that the document shows.
func (a *API) validate(agent map[string]any) error {
	registry := a.huma.OpenAPI().Components.Schemas
	schema := *registry.Schema(reflect.TypeFor[v1Agent](), false, "")
	if agent["flow"] != nil { // an alternative's findings would not say which field is wrong
		schema.Properties = maps.Clone(schema.Properties)
		schema.Properties["flow"] = registry.Schema(reflect.TypeFor[talkstack.Flow](), true, "")
	}
	var found huma.ValidateResult
	huma.Validate(registry, &schema, huma.NewPathBuffer([]byte{}, 0), huma.ModeWriteToServer, agent, &found)
	if len(found.Errors) == 0 {
		return nil
	}
	f := framework(http.StatusBadRequest, "", found.Errors)
	slices.SortStableFunc(f.fields, func(x, y talkstack.FieldError) int { return strings.Compare(x.Field, y.Field) })
	return &talkstack.Error{
		Code: talkstack.CodeInvalid, Message: sentence(f.fields[0].Field + " " + f.fields[0].Message), Fields: f.fields,
	}
}

// checkAgent checks what a schema cannot.
func (a *API) checkAgent(current v1Agent, next *v1Agent) error {
	if next.Version != current.Version {
		return talkstack.Errorf(talkstack.CodeConflict, "The agent has changed: it is at version %d. Fetch it, and apply your change to that.", current.Version)
	}
	for _, f := range []struct{ name, value string }{{"name", next.Name}, {"prompt", next.Prompt}} {
		if strings.TrimSpace(f.value) == "" {
			return invalid(f.name, "must not be empty")
		}
	}
	if v := text(next.VoiceID); v != text(current.VoiceID) && v != "" {
		if _, ok := findVoice(a.Voices.Voices(), v); !ok {
			return invalid("voice_id", "is not a known voice: see GET /voices")
		}
	}
	if n := next.PhoneNumber; n != nil {
		e164, err := talkstack.ParseE164(*n)
		if err != nil {
			return invalid("phone_number", "must be a number in E.164 form")
		}
		next.PhoneNumber = &e164
	}
	return next.AgentSettings.Validate()
}

// asObject is v as the JSON object that the wire shows.
func asObject(v v1Agent) map[string]any {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("httpapi: agent does not marshal: %v", err)) // plain data always does
	}
	object := map[string]any{}
	if err := json.Unmarshal(data, &object); err != nil {
		panic(fmt.Sprintf("httpapi: agent does not unmarshal: %v", err))
	}
	return object
}

// partialSchema is the schema of a merge patch: every field may be missing or null.
func (a *API) partialSchema() *huma.Schema {
	registry := a.huma.OpenAPI().Components.Schemas
	full := registry.Schema(reflect.TypeFor[v1Agent](), false, "")
	registry.Map()["V1AgentPatch"] = partial(registry, full)
	return &huma.Schema{Ref: "#/components/schemas/V1AgentPatch"}
}

// createSchema is the schema of a new agent: what has a default may be missing or null.
func (a *API) createSchema() *huma.Schema {
	registry := a.huma.OpenAPI().Components.Schemas
	full := registry.Schema(reflect.TypeFor[v1Agent](), false, "")
	s := partial(registry, full)
	for _, name := range setByServer() {
		delete(s.Properties, name)
	}
	for _, name := range requiredAtCreation() {
		s.Properties[name] = full.Properties[name]
	}
	s.Required = requiredAtCreation()
	registry.Map()["V1AgentCreate"] = s
	return &huma.Schema{Ref: "#/components/schemas/V1AgentCreate"}
}

func partial(registry huma.Registry, full *huma.Schema) *huma.Schema {
	s := &huma.Schema{
		Type: huma.TypeObject, Description: full.Description, AdditionalProperties: false,
		Properties: map[string]*huma.Schema{},
	}
	for name, p := range full.Properties {
		switch {
		case name == "flow":
			s.Properties[name] = p
		case p.Ref != "":
			nested := partial(registry, registry.SchemaFromRef(p.Ref))
			nested.Description, nested.Nullable = p.Description, true
			s.Properties[name] = nested
		default:
			c := *p
			c.Nullable = true
			if len(c.Enum) > 0 {
				c.Enum = append(slices.Clone(c.Enum), nil)
			}
			s.Properties[name] = &c
		}
	}
	return s
}
