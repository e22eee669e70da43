package hubspot

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"talkstack"
)

// Objects and properties of the CRM.
const (
	contactsPath = "/crm/objects/" + apiVersion + "/contacts"
	callsPath    = "/crm/objects/" + apiVersion + "/calls"
	callProps    = "/crm/properties/" + apiVersion + "/calls"

	// callKey is our property of calls: our sid, unique in the portal.
	callKey = "talkstack_call_sid"
	// externalID is HubSpot's own property for the id that a call has elsewhere. It is not unique.
	externalID = "hs_call_external_id"
	// callToContact is the association type of a call with a contact (associations guide).
	callToContact = 194
)

// record is an object of the CRM.
type record struct {
	ID         string            `json:"id"`
	Properties map[string]string `json:"properties"`
}

// UnmarshalJSON takes a null property for an empty one.
func (r *record) UnmarshalJSON(b []byte) error {
	var raw struct {
		ID         string             `json:"id"`
		Properties map[string]*string `json:"properties"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	r.ID, r.Properties = raw.ID, make(map[string]string, len(raw.Properties))
	for name, value := range raw.Properties {
		if value != nil {
			r.Properties[name] = *value
		}
	}
	return nil
}

type filter struct {
	Property string `json:"propertyName"`
	Operator string `json:"operator"`
	Value    string `json:"value"`
}

type filterGroup struct {
	Filters []filter `json:"filters"`
}

// sameAs is a group of one filter; a record need pass one group only.
func sameAs(property, value string) filterGroup {
	return filterGroup{[]filter{{property, "EQ", value}}}
}

type sortBy struct {
	Property  string `json:"propertyName"`
	Direction string `json:"direction"`
}

type searchRequest struct {
	Groups     []filterGroup `json:"filterGroups"` // at most 5
	Sorts      []sortBy      `json:"sorts"`
	Properties []string      `json:"properties"`
	Limit      int           `json:"limit"`
}

type results struct {
	Results []record `json:"results"`
	Errors  []struct {
		Message  string `json:"message"`
		Category string `json:"category"`
	} `json:"errors"` // of a 207: some inputs failed
}

// first is the one record that was asked for.
func (r results) first() (string, error) {
	if len(r.Results) > 0 && r.Results[0].ID != "" {
		return r.Results[0].ID, nil
	}
	if len(r.Errors) > 0 {
		return "", &apiError{method: http.MethodPost, path: callsPath, status: http.StatusBadRequest, Message: r.Errors[0].Message, Category: r.Errors[0].Category}
	}
	return "", errors.New("hubspot: the answer holds no record")
}

type association struct {
	To struct {
		ID string `json:"id"`
	} `json:"to"`
	Types []associationType `json:"types"`
}

type associationType struct {
	Category string `json:"associationCategory"`
	ID       int    `json:"associationTypeId"`
}

// searchCalls looks for a call by its external id. The search does not know what was created a moment ago.
func (p *portal) searchCalls(ctx context.Context, sid talkstack.CallSID) (string, error) {
	var found results
	err := p.search(ctx, callsPath, searchRequest{
		Groups: []filterGroup{sameAs(externalID, string(sid))}, Sorts: []sortBy{{"hs_createdate", "ASCENDING"}},
		Properties: []string{externalID}, Limit: 1,
	}, &found)
	if err != nil || len(found.Results) == 0 {
		return "", err
	}
	return found.Results[0].ID, nil
}

// callOfContact looks for a call by its external id among those that are associated with a contact. Associations are
// known at once, and a call is created with its own.
func (p *portal) callOfContact(ctx context.Context, contactID string, sid talkstack.CallSID) (string, error) {
	var after string
	for range maxAssociationPages {
		var list struct {
			Results []struct {
				ID json.Number `json:"toObjectId"`
			} `json:"results"`
			Paging struct {
				Next struct {
					After string `json:"after"`
				} `json:"next"`
			} `json:"paging"`
		}
		path := contactsPath + "/" + url.PathEscape(contactID) + "/associations/calls?limit=100"
		if after != "" {
			path += "&after=" + url.QueryEscape(after)
		}
		if err := p.call(ctx, http.MethodGet, path, nil, &list); err != nil {
			return "", err
		}
		inputs := make([]map[string]string, len(list.Results))
		for i, r := range list.Results {
			inputs[i] = map[string]string{"id": r.ID.String()}
		}
		if len(inputs) > 0 {
			var calls results
			if err := p.call(ctx, http.MethodPost, callsPath+"/batch/read", map[string]any{"properties": []string{externalID}, "inputs": inputs}, &calls); err != nil {
				return "", err
			}
			for _, c := range calls.Results {
				if c.Properties[externalID] == string(sid) {
					return c.ID, nil
				}
			}
		}
		if after = list.Paging.Next.After; after == "" {
			break
		}
	}
	return "", nil
}

// maxAssociationPages bounds how far a contact's calls are read: 100 on a page.
const maxAssociationPages = 50

// createCall makes a call, associated with a contact unless that is empty. Doing it twice makes two.
func (p *portal) createCall(ctx context.Context, properties map[string]string, contactID string) (string, error) {
	var made record
	in := map[string]any{"properties": properties, "associations": []association{}}
	if contactID != "" {
		a := association{Types: []associationType{{"HUBSPOT_DEFINED", callToContact}}}
		a.To.ID = contactID
		in["associations"] = []association{a}
	}
	if err := p.call(ctx, http.MethodPost, callsPath, in, &made); err != nil {
		return "", err
	}
	if made.ID == "" {
		return "", errors.New("hubspot: the answer holds no record")
	}
	return made.ID, nil
}

// upsertCall makes the call with this sid, or brings it up to date when it is there: doing it twice changes nothing.
func (p *portal) upsertCall(ctx context.Context, sid talkstack.CallSID, properties map[string]string) (string, error) {
	var made results
	err := p.call(ctx, http.MethodPost, callsPath+"/batch/upsert", map[string]any{
		"inputs": []map[string]any{{"id": string(sid), "idProperty": callKey, "properties": properties}},
	}, &made)
	if err != nil {
		return "", err
	}
	return made.first()
}

// associate joins a call with a contact. Doing it twice changes nothing.
func (p *portal) associate(ctx context.Context, callID, contactID string) error {
	return p.call(ctx, http.MethodPut, callsPath+"/"+url.PathEscape(callID)+"/associations/default/contacts/"+url.PathEscape(contactID), nil, nil)
}

// makeCallKey makes sure that calls have our unique property. It reports false when the portal does not let us, or has
// one of that name that is not unique.
func (p *portal) makeCallKey(ctx context.Context) (bool, error) {
	for range 2 {
		var found struct {
			Unique bool `json:"hasUniqueValue"`
		}
		err := p.call(ctx, http.MethodGet, callProps+"/"+callKey, nil, &found)
		if err == nil {
			return found.Unique, nil
		}
		if !isStatus(err, http.StatusNotFound) {
			return false, unlessRefused(err)
		}
		err = p.call(ctx, http.MethodPost, callProps, map[string]any{
			"name": callKey, "label": "Talkstack call", "description": "The call's id in Talkstack. It keeps a call from being logged twice.",
			"groupName": "call", "type": "string", "fieldType": "text", "hasUniqueValue": true,
		}, nil)
		if err == nil {
			return true, nil
		}
		if !isStatus(err, http.StatusConflict) {
			return false, unlessRefused(err)
		}
		// somebody has made it since
	}
	return false, nil
}

// unlessRefused drops an error by which HubSpot refuses for good: without the scope, or with no property left.
func unlessRefused(err error) error {
	if e, ok := errors.AsType[*apiError](err); ok && e.permanent() && e.status != http.StatusUnauthorized {
		return nil
	}
	return err
}
