package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
	"talkstack/internal/batch"
	"talkstack/internal/store"
)

const batchList = "batches" // for cursors

// v1Batch is a batch of calls.
type v1Batch struct {
	ID             talkstack.BatchID         `json:"id" format:"uuid"`
	ProjectID      talkstack.ProjectID       `json:"project_id"`
	AgentID        talkstack.AgentID         `json:"agent_id"`
	AgentVersion   int                       `json:"agent_version" doc:"The agent as it was when the batch was accepted: it speaks in all calls of the batch."`
	From           string                    `json:"from"`
	Name           string                    `json:"name" example:"march.csv"`
	State          talkstack.BatchState      `json:"state" enum:"loading,running,paused,completed,cancelled" doc:"loading: its list is being read, nothing is dialled; completed: every recipient has a final result."`
	Total          int                       `json:"total" doc:"Rows of the list."`
	Queued         int                       `json:"queued" doc:"Rows that became calls."`
	Rejected       int                       `json:"rejected" doc:"Rows that did not: see the recipients."`
	CallsPerSecond float64                   `json:"calls_per_second" doc:"Calls begun in a second, at most; 0: only the project's limit counts."`
	Windows        []talkstack.CallingWindow `json:"windows" doc:"When calls may begin; empty: always."`
	TimeZone       *string                   `json:"time_zone" nullable:"true" doc:"Of the windows, IANA; null: each recipient's own, or every zone that the number's prefix allows." example:"Europe/Berlin"`
	Retry          []talkstack.RetryRule     `json:"retry" doc:"When a recipient is called again."`
	StartAt        timestamp                 `json:"start_at" doc:"No call begins before."`
	CreatedAt      timestamp                 `json:"created_at"`
	CompletedAt    optionalTimestamp         `json:"completed_at" doc:"When it was completed or cancelled."`
	Progress       *v1BatchProgress          `json:"progress" doc:"Null in lists."`
}

// TransformSchema lets progress be null.
func (v1Batch) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	orNull(s, "progress")
	return s
}

// v1BatchProgress counts recipients by where their last call is.
type v1BatchProgress struct {
	Waiting    int               `json:"waiting" doc:"Not dialled yet, or waiting to be called again."`
	Retrying   int               `json:"retrying" doc:"Of those waiting: who are called again."`
	InProgress int               `json:"in_progress"`
	Finished   int               `json:"finished" doc:"With a final result."`
	Results    map[string]int    `json:"results" doc:"Of those finished: how many by status." example:"{\"completed\":90,\"busy\":2}"`
	ETA        optionalTimestamp `json:"eta" doc:"When all have a final result, at the pace of the last ten minutes; calling windows that close and tries to come are not reckoned with. Null when nobody finished in that time, or the batch does not run."`
}

func wireBatch(b talkstack.Batch) v1Batch {
	w := v1Batch{
		ID: b.ID, ProjectID: b.ProjectID, AgentID: b.AgentID, AgentVersion: b.AgentVersion, From: b.From, Name: b.Name, State: b.State,
		Total: b.Total, Queued: b.Queued, Rejected: b.Rejected, CallsPerSecond: b.CallsPerSecond, Windows: []talkstack.CallingWindow{},
		TimeZone: textOrNull(b.TimeZone), Retry: append([]talkstack.RetryRule{}, b.Retry...),
		StartAt: timestamp{b.StartAt}, CreatedAt: timestamp{b.CreatedAt}, CompletedAt: optionalTimestamp{b.CompletedAt},
	}
	for _, x := range b.Windows {
		x.Days = append([]string{}, x.Days...)
		w.Windows = append(w.Windows, x)
	}
	return w
}

// v1CreateBatch is a batch whose recipients come with the request.
type v1CreateBatch struct {
	ProjectID      talkstack.ProjectID       `json:"project_id" minLength:"1"`
	AgentID        talkstack.AgentID         `json:"agent_id,omitempty" doc:"The project's active agent when missing."`
	Name           string                    `json:"name,omitempty" maxLength:"200"`
	Recipients     []v1Person                `json:"recipients" nullable:"false" minItems:"1" maxItems:"1000" doc:"For more, upload a sheet."`
	CallsPerSecond float64                   `json:"calls_per_second,omitempty" minimum:"0" maximum:"1000"`
	Windows        []talkstack.CallingWindow `json:"windows,omitempty" nullable:"false" maxItems:"28"`
	TimeZone       string                    `json:"time_zone,omitempty" maxLength:"64"`
	Retry          []talkstack.RetryRule     `json:"retry,omitempty" nullable:"false" maxItems:"4"`
	StartAt        *time.Time                `json:"start_at,omitempty" nullable:"true"`
}

type v1Person struct {
	Number           string    `json:"number" maxLength:"64" doc:"E.164."`
	DynamicVariables variables `json:"dynamic_variables,omitempty"`
	TimeZone         string    `json:"time_zone,omitempty" maxLength:"64" doc:"IANA; by the number when missing."`
}

type v1CreateBatchInput struct {
	Idempotent
	Direct
}

type batchPath struct {
	ID talkstack.BatchID `path:"id"`
}

type batchQuery struct {
	PageQuery
	ProjectID talkstack.ProjectID  `query:"project_id" maxLength:"64"`
	State     talkstack.BatchState `query:"state" enum:"loading,running,paused,completed,cancelled"`
}

func (a *API) v1BatchRoutes() {
	const tag = "Batches"
	unknown := map[int]string{http.StatusNotFound: "There is no such batch."}
	changed := map[int]string{http.StatusNotFound: "There is no such batch.", http.StatusConflict: "The batch is in a state that does not allow it."}
	get(a, "/v1/batches", operation{
		ID: "v1ListBatches", Tag: tag, Summary: "Batches of calls, newest first",
		Errors: map[int]string{http.StatusBadRequest: "A parameter is malformed, or the cursor is not of this list."},
	}, a.v1ListBatches)
	o := a.describe(http.MethodPost, "/v1/batches", operation{
		ID: "v1CreateBatch", Tag: tag, Summary: "Call every number of a list: a sheet, or up to 1000 recipients as JSON",
		Description: "A sheet may hold 200,000 rows. The batch begins to be dialled when the request is answered; a request that is not is sent again with the same Idempotency-Key.",
		Errors:      uploadErrors("There is no such project or agent."),
	}, reflect.TypeFor[v1CreateBatchInput]())
	recipients := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[v1CreateBatch](), true, "")
	same := func(s string) string { return s }
	registerDirect(a, o, map[string]*huma.Schema{"multipart/form-data": sheetForm(same), jsonType: recipients}, reflect.TypeFor[v1Batch](), a.v1CreateBatch)
	get(a, "/v1/batches/{id}", operation{ID: "v1GetBatch", Tag: tag, Summary: "One batch and how far it is", Errors: unknown}, a.v1GetBatch)
	patch(a, "/v1/batches/{id}", operation{
		ID: "v1UpdateBatch", Tag: tag, Summary: "Change the pace, the windows or the retries of a batch that is not over",
		Description: "It holds at once for calls that have not begun.", Errors: changed,
	}, a.v1UpdateBatch)
	for _, move := range []struct {
		verb, id, summary string
		do                func(context.Context, talkstack.UserID, talkstack.BatchID) (talkstack.Batch, error)
	}{
		{"pause", "v1PauseBatch", "Stop dialling; calls in progress go on", a.DB.PauseBatch},
		{"resume", "v1ResumeBatch", "Go on with a paused batch", a.Batches.Resume},
		{"cancel", "v1CancelBatch", "End a batch: what was not dialled never will be; calls in progress go on", a.DB.CancelBatch},
	} {
		post(a, "/v1/batches/{id}/"+move.verb, operation{
			ID: move.id, Tag: tag, Summary: move.summary, Description: "It holds from the answer on. Sent again it changes nothing.", Errors: changed,
		}, func(ctx context.Context, in *batchPath) (*body[v1Batch], error) {
			b, err := move.do(ctx, caller(ctx).ID, in.ID)
			if err != nil {
				return nil, err
			}
			return a.withProgress(ctx, b)
		})
	}
	a.v1RecipientRoutes(tag)
}

func (a *API) v1ListBatches(ctx context.Context, in *batchQuery) (*body[page[v1Batch]], error) {
	after, err := openTimeCursor(batchList, in.Cursor)
	if err != nil {
		return nil, err
	}
	rows, err := a.DB.Batches(ctx, caller(ctx).ID, store.BatchFilter{ProjectID: in.ProjectID, State: in.State}, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return reply(pageOf(rows, in.Limit, wireBatch, func(b talkstack.Batch) string {
		return sealTimeCursor(batchList, b.CreatedAt, string(b.ID))
	})), nil
}

func (a *API) v1GetBatch(ctx context.Context, in *batchPath) (*body[v1Batch], error) {
	b, err := a.DB.Batch(ctx, caller(ctx).ID, in.ID)
	if err != nil {
		return nil, err
	}
	return a.withProgress(ctx, b)
}

func (a *API) withProgress(ctx context.Context, b talkstack.Batch) (*body[v1Batch], error) {
	p, err := a.DB.BatchProgress(ctx, b)
	if err != nil {
		return nil, err
	}
	w := wireBatch(b)
	w.Progress = &v1BatchProgress{Waiting: p.Waiting, Retrying: p.Retrying, InProgress: p.InProgress, Finished: p.Finished, Results: map[string]int{}, ETA: optionalTimestamp{p.ETA}}
	for status, n := range p.Results {
		w.Progress.Results[string(status)] = n
	}
	return reply(w), nil
}

// v1CreateBatch takes both forms of a list.
func (a *API) v1CreateBatch(ctx context.Context, in *v1CreateBatchInput) (*written, error) {
	r, w := in.unwrap()
	var order batch.Order
	var list batch.Source
	var digest string
	if isUpload(r) {
		same := func(s string) string { return s }
		names := map[string]string{}
		for _, canonical := range sheetFields() {
			names[canonical] = canonical
		}
		form, err := a.receive(ctx, w, r, names, true)
		defer form.discard()
		if err != nil {
			return nil, err
		}
		if form.fields["project_id"] == "" {
			return nil, invalid("project_id", "is required")
		}
		if order, err = form.order(caller(ctx).ID, same); err != nil {
			return nil, err
		}
		list, digest = batch.Sheet(form.file, form.size), form.digest()
	} else {
		request, sum, err := a.readBatch(w, r)
		if err != nil {
			return nil, err
		}
		order, list, digest = request.order(caller(ctx).ID), batch.People(request.people()), sum
	}
	var replayed bool
	var err error
	if order.ID, replayed, err = a.reserveBatch(ctx, in.Idempotent, "v1CreateBatch", digest); err != nil {
		return nil, err
	}
	stored, err := a.Batches.Accept(ctx, order, list, func(talkstack.Batch, []batch.Placed) error { return nil })
	if err != nil {
		return nil, err
	}
	answer, err := a.withProgress(ctx, stored)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(answer.Body)
	if err != nil {
		return nil, err
	}
	return &written{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", jsonType)
		if replayed {
			hc.SetHeader(replayedHeader, "true")
		}
		_, _ = hc.BodyWriter().Write(data) // the client has gone
	}}, nil
}

// readBatch reads a JSON body, as readBody does for operations whose body is JSON alone.
func (a *API) readBatch(w http.ResponseWriter, r *http.Request) (request v1CreateBatch, digest string, err error) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout)) // not every writer has deadlines
	data, err := io.ReadAll(r.Body)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return request, "", &statusError{talkstack.Errorf(talkstack.CodeInvalid, "The body is larger than 1 MB: upload a sheet instead."), http.StatusRequestEntityTooLarge}
	}
	if err != nil {
		return request, "", unread(err)
	}
	if !isJSON(r.Header.Get("Content-Type")) {
		return request, "", &statusError{talkstack.Errorf(talkstack.CodeInvalid, "The Content-Type must be multipart/form-data or application/json."), http.StatusUnsupportedMediaType}
	}
	if err := checkText(data); err != nil {
		return request, "", talkstack.Errorf(talkstack.CodeInvalid, "%s", err.Error())
	}
	var value any
	if err := decode(data, &value); err != nil {
		return request, "", talkstack.Errorf(talkstack.CodeInvalid, "%s", sentence(err.Error()))
	}
	registry := a.huma.OpenAPI().Components.Schemas
	found := &huma.ValidateResult{}
	schema := registry.Schema(reflect.TypeFor[v1CreateBatch](), true, "")
	huma.Validate(registry, schema, huma.NewPathBuffer([]byte("body"), len("body")), huma.ModeWriteToServer, value, found)
	if len(found.Errors) > 0 {
		f := framework(http.StatusBadRequest, "The body is not valid.", found.Errors)
		return request, "", &talkstack.Error{Code: talkstack.CodeInvalid, Message: f.message, Fields: f.fields}
	}
	if err := decode(data, &request); err != nil {
		return request, "", talkstack.Errorf(talkstack.CodeInvalid, "%s", sentence(err.Error()))
	}
	canonical, err := json.Marshal(value) // spacing and the order of keys do not count
	if err != nil {
		return request, "", err
	}
	sum := sha256.Sum256(canonical)
	return request, hex.EncodeToString(sum[:]), nil
}

func (r v1CreateBatch) order(user talkstack.UserID) batch.Order {
	o := batch.Order{
		UserID: user, ProjectID: r.ProjectID, AgentID: r.AgentID, Name: r.Name, CallsPerSecond: r.CallsPerSecond,
		Windows: r.Windows, TimeZone: r.TimeZone, Retry: r.Retry,
	}
	if r.StartAt != nil {
		o.StartAt = *r.StartAt
	}
	return o
}

func (r v1CreateBatch) people() []batch.Person {
	list := make([]batch.Person, len(r.Recipients))
	for i, p := range r.Recipients {
		list[i] = batch.Person{Number: p.Number, Variables: p.DynamicVariables, TimeZone: p.TimeZone}
	}
	return list
}

type v1UpdateBatch struct {
	Name           *string                    `json:"name,omitempty" maxLength:"200"`
	CallsPerSecond *float64                   `json:"calls_per_second,omitempty" minimum:"0" maximum:"1000"`
	Windows        *[]talkstack.CallingWindow `json:"windows,omitempty" maxItems:"28"`
	TimeZone       *string                    `json:"time_zone,omitempty" maxLength:"64" doc:"Empty: each recipient's own."`
	Retry          *[]talkstack.RetryRule     `json:"retry,omitempty" maxItems:"4"`
}

type v1UpdateBatchInput struct {
	ID   talkstack.BatchID `path:"id"`
	Body v1UpdateBatch
}

func (a *API) v1UpdateBatch(ctx context.Context, in *v1UpdateBatchInput) (*body[v1Batch], error) {
	b, err := a.DB.Batch(ctx, caller(ctx).ID, in.ID)
	if err != nil {
		return nil, err
	}
	c := store.BatchUpdate{
		Name: in.Body.Name, CallsPerSecond: in.Body.CallsPerSecond, Windows: in.Body.Windows, TimeZone: in.Body.TimeZone, Retry: in.Body.Retry,
	}
	if err := batch.CheckRules(or(c.CallsPerSecond, 0), or(c.Windows, nil), or(c.TimeZone, ""), or(c.Retry, nil)); err != nil {
		return nil, err
	}
	if b, err = a.DB.UpdateBatch(ctx, caller(ctx).ID, b.ID, c); err != nil {
		return nil, err
	}
	return a.withProgress(ctx, b)
}

// or is what v points to, or what stands for it when there is nothing.
func or[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}
