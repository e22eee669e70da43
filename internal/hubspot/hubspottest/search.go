package hubspottest

import (
	"net/http"
	"strconv"

	"github.com/nyaruka/phonenumbers"
)

type searchRequest struct {
	Groups []struct {
		Filters []struct {
			Property string `json:"propertyName"`
			Operator string `json:"operator"`
			Value    string `json:"value"`
		} `json:"filters"`
	} `json:"filterGroups"`
	Sorts []struct {
		Property  string `json:"propertyName"`
		Direction string `json:"direction"`
	} `json:"sorts"`
	Properties []string `json:"properties"`
	Limit      int      `json:"limit"`
}

func (p *Portal) searchContacts(w http.ResponseWriter, r *http.Request) { p.search(w, r, p.contacts) }

func (p *Portal) searchCalls(w http.ResponseWriter, r *http.Request) { p.search(w, r, p.calls) }

// search finds what passes one group of filters and is old enough to be known (CRM search guide).
func (p *Portal) search(w http.ResponseWriter, r *http.Request, all []*object) {
	var in searchRequest
	if !read(w, r, &in) {
		return
	}
	if len(in.Groups) > 5 || in.Limit > 200 || len(in.Sorts) > 1 {
		fail(w, http.StatusBadRequest, "VALIDATION_ERROR", "There was a problem with the request.")
		return
	}
	results := []any{}
	for _, o := range all {
		if p.s.now().Sub(o.created) < p.s.lag {
			continue
		}
		for _, g := range in.Groups {
			pass := true
			for _, f := range g.Filters {
				if f.Operator != "EQ" {
					fail(w, http.StatusBadRequest, "VALIDATION_ERROR", "This HubSpot knows the operator EQ alone.")
					return
				}
				pass = pass && o.value(f.Property) == f.Value && f.Value != ""
			}
			if pass {
				results = append(results, o.wire())
				break
			}
		}
	}
	total := len(results)
	if in.Limit > 0 && total > in.Limit {
		results = results[:in.Limit]
	}
	answer(w, http.StatusOK, map[string]any{"total": total, "results": results})
}

// value is a property's value: of the searchable numbers, the digits without country code.
func (o *object) value(property string) string {
	source, ok := map[string]string{
		"hs_searchable_calculated_phone_number": "phone", "hs_searchable_calculated_mobile_number": "mobilephone",
	}[property]
	if !ok {
		return o.Properties[property]
	}
	n, err := phonenumbers.Parse(o.Properties[source], "US")
	if err != nil {
		return ""
	}
	return strconv.FormatUint(n.GetNationalNumber(), 10)
}
