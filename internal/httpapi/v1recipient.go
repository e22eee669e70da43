package httpapi

import (
	"context"
	"encoding/csv"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"talkstack"
	"talkstack/internal/store"
)

const (
	recipientList = "recipients" // for cursors
	resultPage    = 500          // rows of a sheet of results that are in memory
	statusRefused = "rejected"   // of a row that can not be called
)

// v1Recipient is a row of a batch and what has become of it.
type v1Recipient struct {
	Row             int                `json:"row" doc:"From 1 for the first row with content below the header."`
	Number          string             `json:"number" doc:"E.164; of a rejected row as it was written."`
	SID             *talkstack.CallSID `json:"sid" nullable:"true" doc:"The last call; null when the row was rejected."`
	Status          string             `json:"status" enum:"queued,initiated,ringing,in-progress,completed,busy,failed,no-answer,voicemail,silence,rejected" doc:"Of the last call, or rejected."`
	EndReason       *endReason         `json:"end_reason" doc:"Of the last call; null until it has ended."`
	RejectionReason *string            `json:"rejection_reason" nullable:"true" example:"The number is too short."`
	Tries           int                `json:"tries" doc:"Calls made or waiting to be made."`
	NextTryAt       optionalTimestamp  `json:"next_try_at" doc:"When a call that waits may begin, at the earliest."`
	AnsweredAt      optionalTimestamp  `json:"answered_at"`
	DurationSeconds float64            `json:"duration_seconds" doc:"Connected time of the last call."`
	Cost            float64            `json:"cost" doc:"US dollars, of all tries."`
	Data            map[string]string  `json:"data" doc:"Extracted values of the last call."`
}

// TransformSchema lets end_reason be null.
func (v1Recipient) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	orNull(s, "end_reason")
	return s
}

type recipientQuery struct {
	ID talkstack.BatchID `path:"id"`
	PageQuery
}

func (a *API) v1RecipientRoutes(tag string) {
	unknown := map[int]string{http.StatusNotFound: "There is no such batch."}
	get(a, "/v1/batches/{id}/recipients", operation{
		ID: "v1ListRecipients", Tag: tag, Summary: "A batch's recipients and their results, by row", Errors: unknown,
	}, a.v1ListRecipients)
	get(a, "/v1/batches/{id}/recipients.csv", operation{
		ID: "v1GetRecipientsCSV", Tag: tag, Summary: "All results of a batch as CSV", Content: "text/csv", Errors: unknown,
		Description: "UTF-8. A cell that a spreadsheet program would take for a formula begins with an apostrophe. A connection that breaks off before its end means that rows are missing.",
	}, a.v1GetRecipientsCSV)
}

func (a *API) v1ListRecipients(ctx context.Context, in *recipientQuery) (*body[page[v1Recipient]], error) {
	values, err := openCursor(recipientList+string(in.ID), in.Cursor, 1)
	if err != nil {
		return nil, err
	}
	after, err := strconv.Atoi(append(values, "0")[0])
	if err != nil {
		return nil, invalid("cursor", "is not a next_cursor of this list")
	}
	if _, err := a.DB.Batch(ctx, caller(ctx).ID, in.ID); err != nil {
		return nil, err
	}
	rows, err := a.DB.BatchResults(ctx, in.ID, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return reply(pageOf(rows, in.Limit, a.wireRecipient, func(r store.BatchResult) string {
		return sealCursor(recipientList+string(in.ID), strconv.Itoa(r.Row))
	})), nil
}

func (a *API) wireRecipient(r store.BatchResult) v1Recipient {
	w := v1Recipient{Row: r.Row, Status: statusRefused, Data: map[string]string{}, Cost: r.Cost}
	if r.Rejected != nil {
		w.Number, w.RejectionReason = r.Rejected.Number, &r.Rejected.Reason
		return w
	}
	c := r.Call
	w.Number, w.SID, w.Status, w.Tries, w.EndReason = c.To, &c.SID, string(c.Status), c.Try, (*endReason)(c.EndReason)
	w.AnsweredAt, w.DurationSeconds = optionalTimestamp{c.AnsweredAt}, float64(c.Duration(a.Now()).Milliseconds())/1000
	if c.State == talkstack.StateQueued {
		w.NextTryAt = optionalTimestamp{c.NotBefore}
	}
	w.Data = extracted(*c)
	return w
}

func (a *API) v1GetRecipientsCSV(ctx context.Context, in *batchPath) (*written, error) {
	b, err := a.DB.Batch(ctx, caller(ctx).ID, in.ID)
	if err != nil {
		return nil, err
	}
	rows, err := a.DB.BatchResults(ctx, b.ID, 0, resultPage)
	if err != nil {
		return nil, err
	}
	keys, err := a.resultKeys(ctx, b)
	if err != nil {
		return nil, err
	}
	return &written{Body: func(hc huma.Context) {
		hc.SetHeader("Content-Type", "text/csv; charset=utf-8; header=present")
		hc.SetHeader("Content-Disposition", `attachment; filename="batch-`+string(b.ID)+`.csv"`)
		deadline, _ := hc.BodyWriter().(http.ResponseWriter)
		out := csv.NewWriter(hc.BodyWriter())
		_ = out.Write(resultHeader(keys)) // Flush tells
		for err := error(nil); len(rows) > 0; {
			if deadline != nil {
				_ = http.NewResponseController(deadline).SetWriteDeadline(time.Now().Add(stallTimeout)) // not every writer has deadlines
			}
			for _, r := range rows {
				_ = out.Write(a.resultRow(r, keys))
			}
			out.Flush()
			if err := out.Error(); err != nil {
				giveUp(ctx, err)
			}
			if rows, err = a.DB.BatchResults(ctx, b.ID, rows[len(rows)-1].Row, resultPage); err != nil {
				giveUp(ctx, err)
			}
		}
		out.Flush()
	}}, nil
}

// resultKeys are the names of the extracted values that calls of a batch may have: the answers to the project's
// questions, and what the agent's flow fills.
func (a *API) resultKeys(ctx context.Context, b talkstack.Batch) ([]string, error) {
	var keys []string
	add := func(key string) {
		if key != "" && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	project, err := a.DB.Project(ctx, b.UserID, b.ProjectID)
	if err != nil && talkstack.ErrorCode(err) != talkstack.CodeNotFound { // it may have been deleted
		return nil, err
	}
	for _, q := range project.AnalysisSchema {
		add(q.Key())
	}
	agent, err := a.DB.AgentVersion(ctx, b.AgentID, b.AgentVersion)
	if err != nil {
		return nil, err
	}
	if flow := agent.Settings.Flow; flow != nil {
		for _, n := range flow.Nodes {
			if n.Slot != nil {
				add(n.Slot.Name)
			}
		}
	}
	return keys, nil
}

func resultHeader(keys []string) []string {
	header := []string{
		"row", "number", "call_sid", "status", "end_reason", "message", "tries", "answered_at", "duration_seconds", "cost_usd",
		"summary", "sentiment", "successful",
	}
	for _, k := range keys {
		header = append(header, inert("data."+k))
	}
	return header
}

func (a *API) resultRow(r store.BatchResult, keys []string) []string {
	w := a.wireRecipient(r)
	row := make([]string, 13, 13+len(keys))
	row[0], row[1], row[3] = strconv.Itoa(w.Row), inert(w.Number), w.Status
	if w.SID != nil {
		row[2] = string(*w.SID)
	}
	if w.EndReason != nil {
		row[4], row[5] = string(w.EndReason.Code), inert(w.EndReason.Message)
	}
	if w.RejectionReason != nil {
		row[5] = inert(*w.RejectionReason)
	}
	row[6] = strconv.Itoa(w.Tries)
	if !w.AnsweredAt.IsZero() {
		row[7] = w.AnsweredAt.UTC().Format(timeLayout)
	}
	row[8], row[9] = strconv.FormatFloat(w.DurationSeconds, 'f', -1, 64), strconv.FormatFloat(w.Cost, 'f', -1, 64)
	if r.Call != nil && r.Call.Analysis != nil {
		analysis := r.Call.Analysis
		row[10], row[11] = inert(analysis.Summary), string(analysis.Sentiment)
		if analysis.Successful != nil {
			row[12] = strconv.FormatBool(*analysis.Successful)
		}
	}
	for _, k := range keys {
		row = append(row, inert(w.Data[k]))
	}
	return row
}

// inert keeps a spreadsheet program from running a cell as a formula: what a caller has said, or a sheet has held, is
// opened on somebody's desk. A telephone number is left as it is.
func inert(cell string) string {
	first, _ := utf8.DecodeRuneInString(cell)
	if cell == "" || !strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) { // the wide ones too: some programs read them alike
		return cell
	}
	if e164, err := talkstack.ParseE164(cell); err == nil && e164 == cell {
		return cell
	}
	return "'" + cell
}
