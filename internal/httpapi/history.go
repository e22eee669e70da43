package httpapi

import (
	"context"

	"talkstack"
	"talkstack/internal/store"
)

type callHistoryRequest struct {
	_         struct{}            `additionalProperties:"true"`
	ProjectID talkstack.ProjectID `json:"projectId" minLength:"1"`
	PageSize  int                 `json:"pageSize,omitempty" minimum:"1" default:"20" doc:"At most 1000 are sent; more are on the next page."`
	Page      int                 `json:"page,omitempty" minimum:"0" maximum:"1000000" default:"0" doc:"From 0."`
}

type callHistoryResponse struct {
	Envelope
	Data    []call `json:"data"`
	HasMore bool   `json:"hasMore" doc:"There is a next page."`
}

func (a *API) getCallHistory(ctx context.Context, in *struct{ Body callHistoryRequest }) (*body[callHistoryResponse], error) {
	size := min(in.Body.PageSize, store.MaxPageSize)
	calls, more, err := a.DB.CallHistory(ctx, caller(ctx).ID, store.CallFilter{ProjectID: in.Body.ProjectID}, in.Body.Page, size)
	if err != nil {
		return nil, err
	}
	list := make([]call, len(calls))
	for i, c := range calls {
		if list[i], err = a.wireCall(ctx, c, a.renderOf(ctx)); err != nil {
			return nil, err
		}
	}
	return reply(callHistoryResponse{success("successfully fetched call history."), list, more}), nil
}
