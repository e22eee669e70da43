package httpapi

import (
	"context"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
	"talkstack/internal/store"
)

// HistoryFilters are the documented filters (spec section 6.3), named as Twilio names them. They are taken from the query
// and from the body (Q36).
type HistoryFilters struct {
	To              string       `json:"to,omitempty" query:"to" doc:"Calls to this number."`
	From            string       `json:"from,omitempty" query:"from" doc:"Calls from this number."`
	Status          statusFilter `json:"status,omitempty" query:"status" doc:"Calls with this status; voicemail and silence too." example:"completed"`
	StartTime       string       `json:"startTime,omitempty" query:"startTime" doc:"Calls that started on this date, YYYY-MM-DD, UTC." example:"2026-03-11"`
	StartTimeBefore string       `json:"startTimeBefore,omitempty" query:"startTimeBefore" doc:"Calls that started on or before 00:00 UTC of this date." example:"2026-03-11"`
	StartTimeAfter  string       `json:"startTimeAfter,omitempty" query:"startTimeAfter" doc:"Calls that started on or after 00:00 UTC of this date." example:"2026-03-11"`
	EndTime         string       `json:"endTime,omitempty" query:"endTime" doc:"Calls that ended on this date, UTC. Also accepted as .endTime, as every other filter with a dot before it." example:"2026-03-11"`
	EndTimeBefore   string       `json:"endTimeBefore,omitempty" query:"endTimeBefore" doc:"Calls that ended on or before 00:00 UTC of this date." example:"2026-03-11"`
	EndTimeAfter    string       `json:"endTimeAfter,omitempty" query:"endTimeAfter" doc:"Calls that ended on or after 00:00 UTC of this date." example:"2026-03-11"`
}

type callHistoryRequest struct {
	_         struct{}            `additionalProperties:"true"`
	ProjectID talkstack.ProjectID `json:"projectId" minLength:"1"`
	PageSize  int                 `json:"pageSize,omitempty" minimum:"1" default:"20" doc:"At most 1000 are sent; more are on the next page."`
	Page      int                 `json:"page,omitempty" minimum:"0" maximum:"1000000" default:"0" doc:"From 0. A page costs more the deeper it is: read far back with the filters, or with GET /v1/calls."`
	HistoryFilters
}

type callHistoryResponse struct {
	Envelope
	Data    []call `json:"data"`
	HasMore bool   `json:"hasMore" doc:"There is a next page."`
}

// historyInput is the request: filters stand in the query, the rest in the body.
type historyInput struct {
	HistoryFilters
	Body   callHistoryRequest
	dotted map[string]string // the filters of the query that were written with a dot (Q36)
}

// Resolve picks up the dotted spellings, which the document does not name one by one.
func (in *historyInput) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	in.dotted = map[string]string{}
	for name, values := range u.Query() {
		if rest, ok := strings.CutPrefix(name, "."); ok && len(values) > 0 {
			in.dotted[rest] = values[0]
		}
	}
	return nil
}

// filters joins the spellings: the query counts before the body, the plain name before the dotted one.
func (in *historyInput) filters() HistoryFilters {
	b := in.Body.HistoryFilters
	pick := func(name string, values ...string) string {
		for _, v := range []string{values[0], in.dotted[name], values[1]} {
			if v != "" {
				return v
			}
		}
		return ""
	}
	return HistoryFilters{
		To: pick("to", in.To, b.To), From: pick("from", in.From, b.From), Status: statusFilter(pick("status", string(in.Status), string(b.Status))),
		StartTime:       pick("startTime", in.StartTime, b.StartTime),
		StartTimeBefore: pick("startTimeBefore", in.StartTimeBefore, b.StartTimeBefore),
		StartTimeAfter:  pick("startTimeAfter", in.StartTimeAfter, b.StartTimeAfter),
		EndTime:         pick("endTime", in.EndTime, b.EndTime),
		EndTimeBefore:   pick("endTimeBefore", in.EndTimeBefore, b.EndTimeBefore),
		EndTimeAfter:    pick("endTimeAfter", in.EndTimeAfter, b.EndTimeAfter),
	}
}

// historyAliases are the dotted spellings in the body.
func historyAliases() map[string]string {
	aliases := map[string]string{}
	for _, name := range []string{
		"to", "from", "status", "startTime", "startTimeBefore", "startTimeAfter", "endTime", "endTimeBefore", "endTimeAfter",
	} {
		aliases["."+name], aliases["."+snakeCase(name)] = name, name
		if other := snakeCase(name); other != name {
			aliases[other] = name
		}
	}
	return aliases
}

// filter reads the filters (Q37, Q38). A day is one of UTC.
func (f HistoryFilters) filter(project talkstack.ProjectID) (store.CallFilter, error) {
	c := store.CallFilter{ProjectID: project, To: numberText(f.To), From: numberText(f.From)}
	var err error
	if c.Status, err = parseStatus("status", string(f.Status)); err != nil {
		return store.CallFilter{}, err
	}
	for _, d := range []struct {
		name, value string
		from        *time.Time
		before      *time.Time
		plain       bool
	}{
		{"startTime", f.StartTime, &c.CreatedFrom, &c.CreatedBefore, true},
		{"startTimeBefore", f.StartTimeBefore, nil, &c.CreatedBefore, false},
		{"startTimeAfter", f.StartTimeAfter, &c.CreatedFrom, nil, false},
		{"endTime", f.EndTime, &c.EndedFrom, &c.EndedBefore, true},
		{"endTimeBefore", f.EndTimeBefore, nil, &c.EndedBefore, false},
		{"endTimeAfter", f.EndTimeAfter, &c.EndedFrom, nil, false},
	} {
		if d.value == "" {
			continue
		}
		midnight, err := time.Parse(time.DateOnly, d.value)
		if err != nil || midnight.Year() < 1 {
			return store.CallFilter{}, invalid(d.name, "must be a date, YYYY-MM-DD")
		}
		if d.from != nil && midnight.After(*d.from) {
			*d.from = midnight
		}
		if d.before == nil {
			continue
		}
		before := midnight.Add(time.Microsecond) // midnight itself still counts
		if d.plain {
			before = midnight.AddDate(0, 0, 1)
		}
		if d.before.IsZero() || before.Before(*d.before) {
			*d.before = before
		}
	}
	return c, nil
}

// numberText is a number of a query, in which an unescaped + has become a space.
func numberText(s string) string {
	if rest, ok := strings.CutPrefix(s, " "); ok {
		s = "+" + rest
	}
	if n, err := talkstack.ParseE164(s); err == nil {
		return n
	}
	return s // an odd number of an incoming call, or none of ours: it matches what is stored, or nothing
}

// parseStatus reads a status of a filter; empty is none.
func parseStatus(field, s string) (talkstack.CallStatus, error) {
	if s == "" {
		return "", nil
	}
	names := make([]string, 0, len(talkstack.CallStatuses()))
	for _, status := range talkstack.CallStatuses() {
		if s == string(status) {
			return status, nil
		}
		names = append(names, string(status))
	}
	return "", invalid(field, "must be one of "+strings.Join(names, ", "))
}

func (a *API) getCallHistory(ctx context.Context, in *historyInput) (*body[callHistoryResponse], error) {
	filter, err := in.filters().filter(in.Body.ProjectID)
	if err != nil {
		return nil, err
	}
	calls, more, err := a.DB.CallHistory(ctx, caller(ctx).ID, filter, in.Body.Page, min(in.Body.PageSize, store.MaxPageSize))
	if err != nil {
		return nil, err
	}
	list, r := make([]call, len(calls)), a.renderOf(ctx)
	for i, c := range calls {
		if list[i], err = a.wireCall(ctx, c, r); err != nil {
			return nil, err
		}
	}
	return reply(callHistoryResponse{success("successfully fetched call history."), list, more}), nil
}
