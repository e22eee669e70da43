package hubspottest

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Record is a contact or a call.
type Record struct {
	ID         string
	Properties map[string]string
	Contacts   []string // that a call is associated with
}

type object struct {
	Record
	created time.Time
}

// Calls are the portal's calls, oldest first.
func (p *Portal) Calls() []Record { return p.records(&p.calls) }

// Contacts are the portal's contacts, oldest first.
func (p *Portal) Contacts() []Record { return p.records(&p.contacts) }

func (p *Portal) records(list *[]*object) []Record {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	out := make([]Record, len(*list))
	for i, o := range *list {
		out[i] = o.Record
	}
	return out
}

// AddContact adds a contact long ago, and returns its id.
func (p *Portal) AddContact(properties map[string]string) string {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	o := p.add(&p.contacts, properties)
	o.created = o.created.Add(-24 * time.Hour)
	return o.ID
}

// DeleteContact removes a contact, and its associations.
func (p *Portal) DeleteContact(id string) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.contacts = slices.DeleteFunc(p.contacts, func(o *object) bool { return o.ID == id })
	for _, c := range p.calls {
		c.Contacts = slices.DeleteFunc(c.Contacts, func(other string) bool { return other == id })
	}
}

func (p *Portal) add(list *[]*object, properties map[string]string) *object {
	o := &object{Record: Record{ID: p.s.newID(), Properties: map[string]string{}}, created: p.s.now()}
	for name, value := range properties {
		o.Properties[name] = value
	}
	*list = append(*list, o)
	return o
}

func find(list []*object, id string) *object {
	for _, o := range list {
		if o.ID == id {
			return o
		}
	}
	return nil
}

func (o *object) wire() map[string]any {
	at := o.created.UTC().Format("2006-01-02T15:04:05.000Z")
	return map[string]any{"id": o.ID, "properties": o.Properties, "createdAt": at, "updatedAt": at, "archived": false}
}

type association struct {
	To struct {
		ID string `json:"id"`
	} `json:"to"`
	Types []struct {
		Category string `json:"associationCategory"`
		ID       int    `json:"associationTypeId"`
	} `json:"types"`
}

type input struct {
	Properties   map[string]string `json:"properties"`
	Associations []association     `json:"associations"`
}

func (p *Portal) createContact(w http.ResponseWriter, r *http.Request) {
	var in input
	if read(w, r, &in) {
		answer(w, http.StatusCreated, p.add(&p.contacts, in.Properties).wire())
	}
}

func (p *Portal) getContact(w http.ResponseWriter, r *http.Request) {
	if o := find(p.contacts, r.PathValue("id")); o != nil {
		answer(w, http.StatusOK, o.wire())
		return
	}
	fail(w, http.StatusNotFound, "OBJECT_NOT_FOUND", "resource not found")
}

// checkCall refuses what HubSpot refuses of a call's properties; empty: all is well.
func (p *Portal) checkCall(properties map[string]string) string {
	known := []string{
		"hs_timestamp", "hs_call_title", "hs_call_body", "hs_call_duration", "hs_call_direction", "hs_call_disposition", "hs_call_status",
		"hs_call_from_number", "hs_call_to_number", "hs_call_recording_url", "hs_call_external_id", "hubspot_owner_id",
	}
	for name := range properties {
		if _, ours := p.properties[name]; !ours && !slices.Contains(known, name) {
			return fmt.Sprintf("Property values were not valid: [{\"isValid\":false,\"message\":\"Property \\\"%s\\\" does not exist\",\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"%s\"}]", name, name)
		}
	}
	guid := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	for _, check := range []struct {
		name string
		ok   func(v string) bool
	}{
		{"hs_timestamp", isNumber},
		{"hs_call_duration", isNumber},
		{"hs_call_direction", func(v string) bool { return v == "INBOUND" || v == "OUTBOUND" }},
		{"hs_call_disposition", guid.MatchString},
		{"hs_call_body", func(v string) bool { return len([]rune(v)) <= 65536 }},
		{"hs_call_recording_url", func(v string) bool { return strings.HasPrefix(v, "https://") }},
		{"hs_call_status", func(v string) bool {
			return slices.Contains([]string{"BUSY", "CALLING_CRM_USER", "CANCELED", "COMPLETED", "CONNECTING", "FAILED", "IN_PROGRESS", "MISSED", "NO_ANSWER", "QUEUED", "RINGING"}, v)
		}},
	} {
		if v, ok := properties[check.name]; ok && !check.ok(v) {
			return "Property values were not valid: " + check.name
		}
	}
	if properties["hs_timestamp"] == "" {
		return "Error creating CALL. Some required properties were not set: [hs_timestamp]"
	}
	return ""
}

func isNumber(v string) bool {
	_, err := strconv.ParseInt(v, 10, 64)
	return err == nil
}

func (p *Portal) createCall(w http.ResponseWriter, r *http.Request) {
	var in input
	if !read(w, r, &in) {
		return
	}
	if wrong := p.checkCall(in.Properties); wrong != "" {
		fail(w, http.StatusBadRequest, "VALIDATION_ERROR", wrong)
		return
	}
	var contacts []string
	for _, a := range in.Associations {
		if len(a.Types) != 1 || a.Types[0].Category != "HUBSPOT_DEFINED" || a.Types[0].ID != 194 || find(p.contacts, a.To.ID) == nil {
			fail(w, http.StatusBadRequest, "VALIDATION_ERROR", "One or more associations are not valid")
			return
		}
		contacts = append(contacts, a.To.ID)
	}
	for name, unique := range p.properties {
		if v := in.Properties[name]; unique && v != "" && p.callWith(name, v) != nil {
			fail(w, http.StatusBadRequest, "VALIDATION_ERROR", "Property value must be unique: "+name)
			return
		}
	}
	o := p.add(&p.calls, in.Properties)
	o.Contacts = contacts
	answer(w, http.StatusCreated, o.wire())
}

func (p *Portal) callWith(name, value string) *object {
	for _, o := range p.calls {
		if o.Properties[name] == value {
			return o
		}
	}
	return nil
}

func (p *Portal) upsertCalls(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Inputs []struct {
			ID         string            `json:"id"`
			IDProperty string            `json:"idProperty"`
			Properties map[string]string `json:"properties"`
			TraceID    string            `json:"objectWriteTraceId"`
		} `json:"inputs"`
	}
	if !read(w, r, &in) {
		return
	}
	results := []any{}
	for _, i := range in.Inputs {
		if !p.properties[i.IDProperty] {
			fail(w, http.StatusBadRequest, "VALIDATION_ERROR", fmt.Sprintf("Property %q is not a unique property", i.IDProperty))
			return
		}
		if wrong := p.checkCall(i.Properties); wrong != "" {
			fail(w, http.StatusBadRequest, "VALIDATION_ERROR", wrong)
			return
		}
		o := p.callWith(i.IDProperty, i.ID)
		isNew := o == nil
		if isNew {
			o = p.add(&p.calls, nil)
		}
		for name, value := range i.Properties {
			o.Properties[name] = value
		}
		o.Properties[i.IDProperty] = i.ID
		wire := o.wire()
		wire["new"] = isNew
		results = append(results, wire)
	}
	at := p.s.now().UTC().Format(time.RFC3339)
	answer(w, http.StatusOK, map[string]any{"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at})
}

func (p *Portal) readCalls(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Properties []string            `json:"properties"`
		Inputs     []map[string]string `json:"inputs"`
	}
	if !read(w, r, &in) {
		return
	}
	if len(in.Inputs) > 100 {
		fail(w, http.StatusBadRequest, "VALIDATION_ERROR", "at most 100 inputs")
		return
	}
	results := []any{}
	for _, i := range in.Inputs {
		if o := find(p.calls, i["id"]); o != nil {
			results = append(results, o.wire())
		}
	}
	answer(w, http.StatusOK, map[string]any{"status": "COMPLETE", "results": results})
}

func (p *Portal) associate(w http.ResponseWriter, r *http.Request) {
	c, contact := find(p.calls, r.PathValue("id")), r.PathValue("contact")
	if c == nil || find(p.contacts, contact) == nil {
		fail(w, http.StatusNotFound, "OBJECT_NOT_FOUND", "resource not found")
		return
	}
	if !slices.Contains(c.Contacts, contact) {
		c.Contacts = append(c.Contacts, contact)
	}
	answer(w, http.StatusOK, map[string]any{"status": "COMPLETE", "results": []any{}})
}

func (p *Portal) callsOfContact(w http.ResponseWriter, r *http.Request) {
	if find(p.contacts, r.PathValue("id")) == nil {
		fail(w, http.StatusNotFound, "OBJECT_NOT_FOUND", "resource not found")
		return
	}
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	after, _ := strconv.Atoi(r.URL.Query().Get("after"))
	results, more := []any{}, ""
	for i, c := range p.calls {
		if i < after || !slices.Contains(c.Contacts, r.PathValue("id")) {
			continue
		}
		if len(results) == limit {
			more = strconv.Itoa(i)
			break
		}
		id, _ := strconv.ParseInt(c.ID, 10, 64)
		results = append(results, map[string]any{
			"toObjectId": id, "associationTypes": []any{map[string]any{"category": "HUBSPOT_DEFINED", "typeId": 193, "label": nil}},
		})
	}
	out := map[string]any{"results": results}
	if more != "" {
		out["paging"] = map[string]any{"next": map[string]any{"after": more}}
	}
	answer(w, http.StatusOK, out)
}

func (p *Portal) getProperty(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	unique, ok := p.properties[name]
	if !ok {
		fail(w, http.StatusNotFound, "OBJECT_NOT_FOUND", "Property "+name+" does not exist")
		return
	}
	answer(w, http.StatusOK, map[string]any{"name": name, "type": "string", "fieldType": "text", "groupName": "call", "hasUniqueValue": unique})
}

func (p *Portal) createProperty(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name, Label, Description, GroupName, Type, FieldType string
		HasUniqueValue                                       bool
	}
	switch {
	case !read(w, r, &in):
	case p.noSchemas:
		fail(w, http.StatusForbidden, "MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: https://developers.hubspot.com/scopes.")
	case in.Name == "" || in.Label == "" || in.GroupName == "" || in.Type != "string" || in.FieldType != "text":
		fail(w, http.StatusBadRequest, "VALIDATION_ERROR", "Property is not valid")
	default:
		if _, ok := p.properties[in.Name]; ok {
			fail(w, http.StatusConflict, "OBJECT_ALREADY_EXISTS", "A property named '"+in.Name+"' already exists.")
			return
		}
		p.properties[in.Name] = in.HasUniqueValue
		answer(w, http.StatusCreated, map[string]any{"name": in.Name, "hasUniqueValue": in.HasUniqueValue})
	}
}
