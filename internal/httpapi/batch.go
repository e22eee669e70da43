package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
	"talkstack/internal/batch"
	"talkstack/internal/store"
)

// batchCallResponse documents the answer of batch-call; it is written piece by piece.
type batchCallResponse struct {
	Envelope
	Data batchCallData `json:"data"`
}

type batchCallData struct {
	BatchID  talkstack.BatchID `json:"batch_id" format:"uuid"`
	Total    int               `json:"total" doc:"Rows of the sheet with content, below its header."`
	Queued   int               `json:"queued" doc:"Rows that became calls."`
	Rejected []rejectedRow     `json:"rejected" doc:"Rows that did not, and why."`
	Calls    []callRef         `json:"calls" doc:"One for each row that can be called, in the order of the rows."`
}

type rejectedRow struct {
	Row    int    `json:"row" doc:"From 1 for the first row with content below the header."`
	Number string `json:"number" doc:"As it is written in the sheet."`
	Reason string `json:"reason"`
}

type batchCallInput struct {
	Idempotent
	Direct
}

// sheetFields are the parts of an upload beside its file: each accepted spelling → the one of /v1.
func sheetFields() map[string]string {
	names := map[string]string{}
	for _, f := range []string{"project_id", "agent_id", "name", "calls_per_second", "windows", "time_zone", "retry", "start_at"} {
		names[f], names[camelCase(f)] = f, f
	}
	names["timezone"] = "time_zone"
	return names
}

// sheetForm documents an upload; spell writes a field's name.
func sheetForm(spell func(string) string) *huma.Schema {
	text := func(doc string) *huma.Schema { return &huma.Schema{Type: huma.TypeString, Description: doc} }
	s := &huma.Schema{
		Type: huma.TypeObject, Required: []string{spell("project_id"), spell("agent_id"), "file"},
		Properties: map[string]*huma.Schema{
			spell("project_id"): text("The project."),
			spell("agent_id"):   text("The agent that makes the calls."),
			"file": {Type: huma.TypeString, ContentEncoding: "binary", Description: "CSV or Excel workbook (.xlsx) of at most 25 MB, with a header row. The column number is needed, in E.164 form; " +
				"dynamicVariables may hold a JSON object, timezone an IANA name; every other column is a variable of that name, over which the JSON cell wins."},
			"name":                    text("What the batch is called; the file's name when missing."),
			spell("calls_per_second"): {Type: huma.TypeNumber, Description: "Calls begun in a second, at most; 0, or missing: only the project's limit counts."},
			"windows":                 text(`When calls may begin, as JSON: [{"days":["mon","tue"],"from":"09:00","to":"18:00"}]. Missing: always.`),
			spell("time_zone"):        text("Time zone of the windows, IANA. Missing: each recipient's own, by the column timezone or else every zone that the number's prefix allows."),
			"retry":                   text(`When a recipient is called again, as JSON: [{"outcome":"busy","times":2,"after_seconds":600}].`),
			spell("start_at"):         {Type: huma.TypeString, Format: "date-time", Description: "No call begins before this time, RFC 3339. Missing: now."},
		},
	}
	s.PrecomputeMessages()
	return s
}

func (a *API) batchRoutes() {
	o := a.describe(http.MethodPost, "/call/batch-call", operation{
		ID: "batchCall", Tag: "Call", Summary: "Call every number of an uploaded sheet",
		Description: "The answer is sent while the rows are stored, so it may take seconds to come whole; a connection that breaks off before its end says nothing about " +
			"the batch: it may be running already. Sent again with the same Idempotency-Key it goes on, and answers with the same calls. How the calls go on is at /v1/batches.",
		Errors: uploadErrors("There is no such project or agent."),
	}, reflect.TypeFor[batchCallInput]())
	registerDirect(a, o, map[string]*huma.Schema{"multipart/form-data": sheetForm(camelCase)}, reflect.TypeFor[batchCallResponse](), a.batchCall)
}

func uploadErrors(notFound string) map[int]string {
	return map[int]string{
		http.StatusBadRequest:            "A part is missing or malformed, the file is neither CSV nor .xlsx or has no column number, or none of its rows can be called.",
		http.StatusNotFound:              notFound,
		http.StatusRequestTimeout:        "The upload did not arrive in time.",
		http.StatusConflict:              "The Idempotency-Key was used with another request, or the batch that it made was cancelled before it was loaded.",
		http.StatusRequestEntityTooLarge: "The file is larger than 25 MB.",
		http.StatusUnsupportedMediaType:  "The body is not multipart/form-data.",
		http.StatusTooManyRequests:       "The account has 4 uploads under way.",
	}
}

// registerDirect registers a POST whose handler reads its body, and writes its answer, itself. The body is documented
// after the registration: the framework would read what it knows of.
func registerDirect[I any](a *API, o huma.Operation, bodies map[string]*huma.Schema, answer reflect.Type, h func(context.Context, *I) (*written, error)) {
	o.Metadata[directKey] = true
	o.Responses["200"] = &huma.Response{
		Description: "OK",
		Headers: map[string]*huma.Param{"Idempotency-Replayed": {
			Schema: &huma.Schema{Type: huma.TypeString}, Description: replayedDoc,
		}},
		Content: map[string]*huma.MediaType{jsonType: {Schema: a.huma.OpenAPI().Components.Schemas.Schema(answer, true, "")}},
	}
	huma.Register(a.huma, o, h)
	body := &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
	for mediaType, schema := range bodies {
		body.Content[mediaType] = &huma.MediaType{Schema: schema}
	}
	a.huma.OpenAPI().Paths[o.Path].Post.RequestBody = body
}

func (a *API) batchCall(ctx context.Context, in *batchCallInput) (*written, error) {
	r, w := in.unwrap()
	form, err := a.receive(ctx, w, r, sheetFields(), false)
	defer form.discard()
	if err != nil {
		return nil, err
	}
	if form.fields["project_id"] == "" { // without agentId the project's active agent calls, as in makeCall (Q22)
		return nil, invalid("projectId", "is required")
	}
	order, err := form.order(caller(ctx).ID, camelCase)
	if err != nil {
		return nil, err
	}
	var replayed bool
	if order.ID, replayed, err = a.reserveBatch(ctx, in.Idempotent, "batchCall", form.digest()); err != nil {
		return nil, err
	}
	answer := &batchAnswer{w: w, flush: http.NewResponseController(w), replayed: replayed}
	stored, err := a.Batches.Accept(ctx, order, batch.Sheet(form.file, form.size), answer.calls)
	if err == nil && !answer.begun() { // of a batch that exists: it has calls, but they may have been deleted with the project
		err = answer.calls(stored, nil)
	}
	if err == nil {
		err = a.finishAnswer(ctx, answer, stored)
	}
	if err != nil && answer.begun() {
		giveUp(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	return answered(), nil
}

// reserveBatch is the id to make a batch with: the one of before, when the same request was sent before.
func (a *API) reserveBatch(ctx context.Context, in Idempotent, operation, digest string) (id talkstack.BatchID, replayed bool, err error) {
	id = talkstack.NewBatchID()
	if in.IdempotencyKey == "" {
		return id, false, nil
	}
	reserved, fresh, err := a.DB.ReserveKey(ctx, store.IdempotencyKey{
		UserID: caller(ctx).ID, Operation: operation, Key: in.IdempotencyKey, Digest: digest,
	}, string(id))
	return talkstack.BatchID(reserved), err == nil && !fresh, err
}

// order reads the fields of a form; spell writes a field's name for a message.
func (u *upload) order(user talkstack.UserID, spell func(string) string) (batch.Order, error) {
	f := u.fields
	o := batch.Order{
		UserID: user, ProjectID: talkstack.ProjectID(f["project_id"]), AgentID: talkstack.AgentID(f["agent_id"]), Name: strings.TrimSpace(f["name"]),
		TimeZone: strings.TrimSpace(f["time_zone"]),
	}
	if o.Name == "" {
		o.Name = u.name
	}
	var err error
	if v := strings.TrimSpace(f["calls_per_second"]); v != "" {
		if o.CallsPerSecond, err = strconv.ParseFloat(v, 64); err != nil {
			return o, invalid(spell("calls_per_second"), "must be a number")
		}
	}
	if v := strings.TrimSpace(f["start_at"]); v != "" {
		if o.StartAt, err = time.Parse(time.RFC3339, v); err != nil {
			return o, invalid(spell("start_at"), "must be a time such as 2026-03-11T17:49:38Z (RFC 3339)")
		}
	}
	for name, to := range map[string]any{"windows": &o.Windows, "retry": &o.Retry} {
		v := strings.TrimSpace(f[name])
		if v == "" {
			continue
		}
		d := json.NewDecoder(strings.NewReader(v))
		d.DisallowUnknownFields()
		if err := d.Decode(to); err != nil || d.More() {
			return o, invalid(name, "must be a JSON array, as the documentation shows")
		}
	}
	return o, nil
}

// batchAnswer writes the answer of batch-call while the calls are stored.
type batchAnswer struct {
	w        http.ResponseWriter
	flush    *http.ResponseController
	out      *bufio.Writer // nil until the first call is stored
	replayed bool
	told     int
}

func (b *batchAnswer) begun() bool { return b.out != nil }

// calls writes the calls of one part.
func (b *batchAnswer) calls(stored talkstack.Batch, calls []batch.Placed) error {
	if b.out == nil {
		b.w.Header().Set("Content-Type", jsonType)
		if b.replayed {
			b.w.Header().Set(replayedHeader, "true")
		}
		b.out = bufio.NewWriterSize(b.w, 32<<10)
		head, err := json.Marshal(success("batch calls queued."))
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(b.out, `%s,"data":{"batch_id":%q,"calls":[`, head[:len(head)-1], stored.ID) // Flush tells
	}
	for _, c := range calls {
		if b.told++; b.told > 1 {
			_ = b.out.WriteByte(',')
		}
		if err := b.json(callRef{CallID: c.CallID, To: c.To, From: stored.From}); err != nil {
			return err
		}
	}
	return b.send()
}

func (b *batchAnswer) json(v any) error {
	data, err := json.Marshal(v)
	if err == nil {
		_, err = b.out.Write(data)
	}
	return err
}

// send gives what was written to the client, who must take it in time: the batch waits for it.
func (b *batchAnswer) send() error {
	_ = b.flush.SetWriteDeadline(time.Now().Add(stallTimeout)) // not every writer has deadlines
	if err := b.out.Flush(); err != nil {
		return err
	}
	_ = b.flush.Flush() // as above
	return nil
}

// finishAnswer writes the rejected rows, from the store, and the sums.
func (a *API) finishAnswer(ctx context.Context, b *batchAnswer, stored talkstack.Batch) error {
	_, _ = b.out.WriteString(`],"rejected":[`)
	for after, n := 0, 0; ; {
		rows, err := a.DB.Rejections(ctx, stored.ID, after, store.MaxLoadRows)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if n++; n > 1 {
				_ = b.out.WriteByte(',')
			}
			if err := b.json(rejectedRow{Row: r.Row, Number: r.Number, Reason: r.Reason}); err != nil {
				return err
			}
			after = r.Row
		}
		if len(rows) < store.MaxLoadRows {
			break
		}
	}
	_, _ = fmt.Fprintf(b.out, `],"total":%d,"queued":%d}}`, stored.Total, stored.Queued)
	err := b.send()
	_ = b.flush.SetWriteDeadline(time.Time{}) // the connection may be used again
	return err
}
