package httpapi

import (
	"context"
	"net/http"
	"slices"

	"talkstack"
)

const doNotCallList = "do-not-call" // for cursors

// v1DoNotCall is a number on the account's do-not-call list.
type v1DoNotCall struct {
	Number    string    `json:"number"`
	Reason    string    `json:"reason" example:"asked not to be called"`
	CreatedAt timestamp `json:"created_at"`
}

func wireDoNotCall(d talkstack.DoNotCall) v1DoNotCall {
	return v1DoNotCall{Number: d.Number, Reason: d.Reason, CreatedAt: timestamp{d.CreatedAt}}
}

type v1AddDoNotCall struct {
	Numbers []string `json:"numbers" nullable:"false" minItems:"1" maxItems:"1000" doc:"E.164."`
	Reason  string   `json:"reason,omitempty" maxLength:"500" doc:"For people."`
}

type v1DoNotCallAdded struct {
	Added   int `json:"added" doc:"Numbers that were not on the list before."`
	Already int `json:"already" doc:"Numbers that were, and keep their reason."`
}

type doNotCallPath struct {
	Number string `path:"number" doc:"E.164; the + may be written as %2B or left out." example:"+12065550123"`
}

func (a *API) v1DoNotCallRoutes() {
	const tag = "Do not call"
	unknown := map[int]string{http.StatusNotFound: "The number is not on the list."}
	get(a, "/v1/do-not-call", operation{
		ID: "v1ListDoNotCall", Tag: tag, Summary: "The account's do-not-call list, by number",
		Description: "No number on it is dialled, whichever project or batch it is placed in: such a call ends as failed, with the end reason do_not_call, when it would be its turn.",
	}, a.v1ListDoNotCall)
	post(a, "/v1/do-not-call", operation{
		ID: "v1AddDoNotCall", Tag: tag, Summary: "Put numbers on the do-not-call list",
		Description: "All or none. It holds at once, also for calls that wait; calls in progress go on. Sent again it changes nothing.",
	}, a.v1AddDoNotCall)
	get(a, "/v1/do-not-call/{number}", operation{ID: "v1GetDoNotCall", Tag: tag, Summary: "Look a number up on the do-not-call list", Errors: unknown}, a.v1GetDoNotCall)
	del(a, "/v1/do-not-call/{number}", operation{ID: "v1RemoveDoNotCall", Tag: tag, Summary: "Take a number off the do-not-call list", Errors: unknown}, a.v1RemoveDoNotCall)
}

func (a *API) v1ListDoNotCall(ctx context.Context, in *PageQuery) (*body[page[v1DoNotCall]], error) {
	after, err := openCursor(doNotCallList, in.Cursor, 1)
	if err != nil {
		return nil, err
	}
	rows, err := a.DB.DoNotCalls(ctx, caller(ctx).ID, append(after, "")[0], in.Limit+1)
	if err != nil {
		return nil, err
	}
	return reply(pageOf(rows, in.Limit, wireDoNotCall, func(d talkstack.DoNotCall) string { return sealCursor(doNotCallList, d.Number) })), nil
}

func (a *API) v1AddDoNotCall(ctx context.Context, in *struct{ Body v1AddDoNotCall }) (*body[v1DoNotCallAdded], error) {
	numbers := make([]string, len(in.Body.Numbers))
	for i, n := range in.Body.Numbers {
		e164, err := talkstack.ParseE164(n)
		if err != nil {
			return nil, err
		}
		numbers[i] = e164
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	added, err := a.DB.AddDoNotCall(ctx, caller(ctx).ID, numbers, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return reply(v1DoNotCallAdded{Added: added, Already: len(numbers) - added}), nil
}

// e164 is the number of the path; a + is lost in some clients.
func (p *doNotCallPath) e164() (string, error) {
	n, err := talkstack.ParseE164(p.Number)
	if err != nil {
		n, err = talkstack.ParseE164("+" + p.Number)
	}
	if err != nil {
		return "", notFound("There is no such number on the do-not-call list.")
	}
	return n, nil
}

func (a *API) v1GetDoNotCall(ctx context.Context, in *doNotCallPath) (*body[v1DoNotCall], error) {
	n, err := in.e164()
	if err != nil {
		return nil, err
	}
	d, err := a.DB.DoNotCall(ctx, caller(ctx).ID, n)
	if err != nil {
		return nil, err
	}
	return reply(wireDoNotCall(d)), nil
}

func (a *API) v1RemoveDoNotCall(ctx context.Context, in *doNotCallPath) (*struct{}, error) {
	n, err := in.e164()
	if err != nil {
		return nil, err
	}
	return nil, a.DB.RemoveDoNotCall(ctx, caller(ctx).ID, n)
}
