package client

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"strconv"
	"time"

	"talkstack"
)

// BatchCallRequest says how to call the numbers of a sheet. Zero fields are left to the server.
type BatchCallRequest struct {
	ProjectID      talkstack.ProjectID
	AgentID        talkstack.AgentID
	Name           string                    // empty: the file's name
	CallsPerSecond float64                   // 0: only the project's limit counts
	Windows        []talkstack.CallingWindow // when calls may begin; none: always
	TimeZone       string                    // of the windows, IANA; empty: each recipient's own
	Retry          []talkstack.RetryRule     // when a recipient is called again
	StartAt        time.Time                 // no call begins before; zero: now
}

// BatchCallResult is what became of a sheet.
type BatchCallResult struct {
	BatchID  talkstack.BatchID `json:"batch_id"`
	Total    int               `json:"total"`
	Queued   int               `json:"queued"`
	Rejected []RejectedRow     `json:"rejected"`
	Calls    []CallRef         `json:"calls"` // in the order of the rows
}

// RejectedRow is a row that did not become a call.
type RejectedRow struct {
	Row    int    `json:"row"` // from 1, below the header
	Number string `json:"number"`
	Reason string `json:"reason"`
}

// BatchCall calls every number of a sheet. However often the sheet must be sent, one batch is made.
func (c *Client) BatchCall(ctx context.Context, req BatchCallRequest, s Sheet, options ...RequestOption) (BatchCallResult, error) {
	var answer struct {
		envelope
		Data BatchCallResult `json:"data"`
	}
	fields, err := req.form("projectId", "agentId", "callsPerSecond", "timeZone", "startAt")
	if err != nil {
		return BatchCallResult{}, err
	}
	err = c.sendSheet(ctx, "/call/batch-call", fields, s, &answer, options)
	return answer.Data, err
}

// form is the request as the fields of a form, some of which the two families spell differently.
func (r BatchCallRequest) form(project, agent, pace, zone, start string) ([][2]string, error) {
	fields := [][2]string{{project, string(r.ProjectID)}, {agent, string(r.AgentID)}}
	add := func(name, value string) {
		if value != "" {
			fields = append(fields, [2]string{name, value})
		}
	}
	add("name", r.Name)
	if r.CallsPerSecond != 0 {
		add(pace, strconv.FormatFloat(r.CallsPerSecond, 'f', -1, 64))
	}
	add(zone, r.TimeZone)
	add(start, instant(r.StartAt))
	for _, list := range []struct {
		name  string
		value any
		n     int
	}{{"windows", r.Windows, len(r.Windows)}, {"retry", r.Retry, len(r.Retry)}} {
		if list.n == 0 {
			continue
		}
		b, err := json.Marshal(list.value)
		if err != nil {
			return nil, talkstack.WrapError(talkstack.CodeInvalid, err, "The request has no JSON form.")
		}
		add(list.name, string(b))
	}
	return fields, nil
}

func (c *Client) sendSheet(ctx context.Context, path string, fields [][2]string, s Sheet, out any, options []RequestOption) error {
	if s.Content == nil {
		return talkstack.Errorf(talkstack.CodeInvalid, "A sheet needs content.")
	}
	if s.Name == "" {
		s.Name = "sheet"
	}
	r := create(path, nil, out, options)
	r.upload, r.long = &upload{fields: fields, sheet: s}, true
	defer r.upload.stop(ctx) // the sheet is its owner's again
	return c.call(ctx, r)
}

// V1Batch is a batch of calls.
type V1Batch struct {
	ID             talkstack.BatchID         `json:"id"`
	ProjectID      talkstack.ProjectID       `json:"project_id"`
	AgentID        talkstack.AgentID         `json:"agent_id"`
	AgentVersion   int                       `json:"agent_version"`
	From           string                    `json:"from"`
	Name           string                    `json:"name"`
	State          talkstack.BatchState      `json:"state"`
	Total          int                       `json:"total"`
	Queued         int                       `json:"queued"`
	Rejected       int                       `json:"rejected"`
	CallsPerSecond float64                   `json:"calls_per_second"`
	Windows        []talkstack.CallingWindow `json:"windows"`
	TimeZone       string                    `json:"time_zone"` // empty: each recipient's own
	Retry          []talkstack.RetryRule     `json:"retry"`
	StartAt        time.Time                 `json:"start_at"`
	CreatedAt      time.Time                 `json:"created_at"`
	CompletedAt    time.Time                 `json:"completed_at"` // zero: not over
	Progress       *V1BatchProgress          `json:"progress"`     // nil in lists
}

// V1BatchProgress counts recipients by where their last call is.
type V1BatchProgress struct {
	Waiting    int            `json:"waiting"`
	Retrying   int            `json:"retrying"`
	InProgress int            `json:"in_progress"`
	Finished   int            `json:"finished"`
	Results    map[string]int `json:"results"` // of those finished, by status
	ETA        time.Time      `json:"eta"`     // when all have finished, at the pace of the last ten minutes; zero: not known
}

// BatchFilter narrows a list of batches; empty fields allow everything.
type BatchFilter struct {
	ProjectID talkstack.ProjectID
	State     talkstack.BatchState
}

// ListBatches reads batches, newest first.
func (v V1) ListBatches(ctx context.Context, f BatchFilter) iter.Seq2[V1Batch, error] {
	return list[V1Batch](ctx, v.c, "/v1/batches", filters("project_id", string(f.ProjectID), "state", string(f.State)))
}

// V1CreateBatch is a batch of up to 1000 recipients. For more, send a sheet.
type V1CreateBatch struct {
	ProjectID      talkstack.ProjectID       `json:"project_id"`
	AgentID        talkstack.AgentID         `json:"agent_id,omitempty"` // empty: the project's active agent
	Name           string                    `json:"name,omitempty"`
	Recipients     []V1Person                `json:"recipients"`
	CallsPerSecond float64                   `json:"calls_per_second,omitempty"`
	Windows        []talkstack.CallingWindow `json:"windows,omitempty"`
	TimeZone       string                    `json:"time_zone,omitempty"`
	Retry          []talkstack.RetryRule     `json:"retry,omitempty"`
	StartAt        time.Time                 `json:"start_at,omitzero"`
}

// V1Person is somebody to call.
type V1Person struct {
	Number           string         `json:"number"` // E.164
	DynamicVariables map[string]any `json:"dynamic_variables,omitempty"`
	TimeZone         string         `json:"time_zone,omitempty"` // IANA; empty: by the number
}

// CreateBatch calls a list of recipients. However often the request must be sent, one batch is made.
func (v V1) CreateBatch(ctx context.Context, req V1CreateBatch, options ...RequestOption) (V1Batch, error) {
	var b V1Batch
	r := create("/v1/batches", req, &b, options)
	r.long = true
	err := v.c.call(ctx, r)
	return b, err
}

// CreateBatchFromSheet calls every number of a sheet. However often the sheet must be sent, one batch is made.
func (v V1) CreateBatchFromSheet(ctx context.Context, req BatchCallRequest, s Sheet, options ...RequestOption) (V1Batch, error) {
	var b V1Batch
	fields, err := req.form("project_id", "agent_id", "calls_per_second", "time_zone", "start_at")
	if err != nil {
		return b, err
	}
	err = v.c.sendSheet(ctx, "/v1/batches", fields, s, &b, options)
	return b, err
}

// GetBatch reads a batch and how far it is.
func (v V1) GetBatch(ctx context.Context, id talkstack.BatchID) (V1Batch, error) {
	var b V1Batch
	err := v.c.call(ctx, get("/v1/batches/"+segment(id), &b))
	return b, err
}

// V1BatchUpdate changes a batch that is not over; nil leaves a field as it is.
type V1BatchUpdate struct {
	Name           *string                    `json:"name,omitempty"`
	CallsPerSecond *float64                   `json:"calls_per_second,omitempty"`
	Windows        *[]talkstack.CallingWindow `json:"windows,omitempty"`
	TimeZone       *string                    `json:"time_zone,omitempty"` // empty: each recipient's own
	Retry          *[]talkstack.RetryRule     `json:"retry,omitempty"`
}

// UpdateBatch changes a batch. It holds at once for calls that have not begun.
func (v V1) UpdateBatch(ctx context.Context, id talkstack.BatchID, u V1BatchUpdate) (V1Batch, error) {
	var b V1Batch
	err := v.c.call(ctx, set(http.MethodPatch, "/v1/batches/"+segment(id), u, &b))
	return b, err
}

// PauseBatch stops dialling; calls in progress go on.
func (v V1) PauseBatch(ctx context.Context, id talkstack.BatchID) (V1Batch, error) {
	return v.moveBatch(ctx, id, "pause")
}

// ResumeBatch goes on with a paused batch.
func (v V1) ResumeBatch(ctx context.Context, id talkstack.BatchID) (V1Batch, error) {
	return v.moveBatch(ctx, id, "resume")
}

// CancelBatch ends a batch: what was not dialled never will be; calls in progress go on.
func (v V1) CancelBatch(ctx context.Context, id talkstack.BatchID) (V1Batch, error) {
	return v.moveBatch(ctx, id, "cancel")
}

func (v V1) moveBatch(ctx context.Context, id talkstack.BatchID, verb string) (V1Batch, error) {
	var b V1Batch
	err := v.c.call(ctx, set(http.MethodPost, "/v1/batches/"+segment(id)+"/"+verb, nil, &b))
	return b, err
}

// V1Recipient is a row of a batch.
type V1Recipient struct {
	Row             int                  `json:"row"` // from 1
	Number          string               `json:"number"`
	SID             talkstack.CallSID    `json:"sid"`              // the last call; empty: the row was rejected
	Status          string               `json:"status"`           // of the last call, or "rejected"
	EndReason       *talkstack.EndReason `json:"end_reason"`       // of the last call; nil until it has ended
	RejectionReason string               `json:"rejection_reason"` // empty: it was not
	Tries           int                  `json:"tries"`
	NextTryAt       time.Time            `json:"next_try_at"` // zero: none
	AnsweredAt      time.Time            `json:"answered_at"` // zero: not answered
	Seconds         float64              `json:"duration_seconds"`
	Cost            float64              `json:"cost"` // US dollars, of all tries
	Data            map[string]string    `json:"data"`
}

// ListRecipients reads a batch's rows in their order.
func (v V1) ListRecipients(ctx context.Context, id talkstack.BatchID) iter.Seq2[V1Recipient, error] {
	return list[V1Recipient](ctx, v.c, "/v1/batches/"+segment(id)+"/recipients", nil)
}

// GetRecipientsCSV is a batch's results, a CSV file that the caller closes.
func (v V1) GetRecipientsCSV(ctx context.Context, id talkstack.BatchID) (io.ReadCloser, error) {
	return v.c.file(ctx, get("/v1/batches/"+segment(id)+"/recipients.csv", nil))
}

// V1DoNotCall is a number that is not called.
type V1DoNotCall struct {
	Number    string    `json:"number"`
	Reason    string    `json:"reason"`
	CreatedAt time.Time `json:"created_at"`
}

// ListDoNotCall reads the account's do-not-call list.
func (v V1) ListDoNotCall(ctx context.Context) iter.Seq2[V1DoNotCall, error] {
	return list[V1DoNotCall](ctx, v.c, "/v1/do-not-call", nil)
}

// V1DoNotCallAdded counts what was added to the list.
type V1DoNotCallAdded struct {
	Added   int `json:"added"`
	Already int `json:"already"` // they keep their reason
}

// AddDoNotCall adds up to 1000 numbers to the do-not-call list.
func (v V1) AddDoNotCall(ctx context.Context, reason string, numbers ...string) (V1DoNotCallAdded, error) {
	var a V1DoNotCallAdded
	in := struct {
		Numbers []string `json:"numbers"`
		Reason  string   `json:"reason,omitempty"`
	}{numbers, reason}
	err := v.c.call(ctx, set(http.MethodPost, "/v1/do-not-call", in, &a))
	return a, err
}

// GetDoNotCall reads a number of the do-not-call list; not_found when it is not on it.
func (v V1) GetDoNotCall(ctx context.Context, number string) (V1DoNotCall, error) {
	var d V1DoNotCall
	err := v.c.call(ctx, get("/v1/do-not-call/"+segment(number), &d))
	return d, err
}

// RemoveDoNotCall takes a number off the do-not-call list.
func (v V1) RemoveDoNotCall(ctx context.Context, number string) error {
	return v.c.call(ctx, del("/v1/do-not-call/"+segment(number), nil, nil))
}
