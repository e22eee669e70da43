package store

import (
	"context"
	"time"

	"talkstack"
	"talkstack/internal/store/query"
)

// BatchCalls returns up to limit first calls of a batch in the order of its rows, those after the given row.
func (db *DB) BatchCalls(ctx context.Context, id talkstack.BatchID, afterRow, limit int) ([]talkstack.Call, error) {
	rows, err := db.reader().BatchCalls(ctx, query.BatchCallsParams{BatchID: orNull(id), AfterRow: int64(afterRow), MaxRows: int64(limit)})
	if err != nil {
		return nil, wrap("list the calls of a batch", err)
	}
	return callsOf(rows)
}

// Rejections returns up to limit rows of a batch that could not be called, in their order, those after the given row.
func (db *DB) Rejections(ctx context.Context, id talkstack.BatchID, afterRow, limit int) ([]Rejection, error) {
	rows, err := db.reader().BatchRejections(ctx, query.BatchRejectionsParams{BatchID: id, AfterRow: int64(afterRow), MaxRows: int64(limit)})
	if err != nil {
		return nil, wrap("list the rejected rows of a batch", err)
	}
	out := make([]Rejection, len(rows))
	for i, r := range rows {
		out[i] = Rejection{Row: int(r.BatchRow), Number: r.Number, Reason: r.Reason}
	}
	return out, nil
}

// BatchResult is what has become of one row of a batch: its last call, or why there is none.
type BatchResult struct {
	Row      int
	Call     *talkstack.Call // the last try; nil when the row was rejected
	Cost     float64         // US dollars, of all tries
	Rejected *Rejection
}

// BatchResults returns up to limit rows of a batch in their order, those after the given row, rejected ones included.
func (db *DB) BatchResults(ctx context.Context, id talkstack.BatchID, afterRow, limit int) ([]BatchResult, error) {
	rows, err := db.reader().BatchResults(ctx, query.BatchResultsParams{BatchID: orNull(id), AfterRow: int64(afterRow), MaxRows: int64(limit)})
	if err != nil {
		return nil, wrap("list the results of a batch", err)
	}
	rejections, err := db.Rejections(ctx, id, afterRow, limit)
	if err != nil {
		return nil, err
	}
	out := make([]BatchResult, 0, limit)
	for len(out) < limit && len(rows)+len(rejections) > 0 {
		if len(rows) == 0 || len(rejections) > 0 && int64(rejections[0].Row) < rows[0].Call.BatchRow {
			out = append(out, BatchResult{Row: rejections[0].Row, Rejected: &rejections[0]})
			rejections = rejections[1:]
			continue
		}
		c, err := callOf(rows[0].Call, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, BatchResult{Row: c.BatchRow, Call: &c, Cost: rows[0].AllCost})
		rows = rows[1:]
	}
	return out, nil
}

// etaPeriod is the time whose pace a batch's ETA goes by.
const etaPeriod = 10 * time.Minute

// BatchProgress counts the recipients of a batch by where their last call is.
type BatchProgress struct {
	Waiting    int                          // not dialled yet, those included who are called again
	Retrying   int                          // of those: who are called again
	InProgress int                          // on the phone, or about to be
	Finished   int                          // with a final result
	Results    map[talkstack.CallStatus]int // of those that have finished, by status
	// ETA is when the last recipient has a final result if they go on as fast as in the last ten minutes, or since the
	// batch began. It knows nothing of calling windows that close and tries to come. Zero: nobody finished in that time,
	// or the batch does not run.
	ETA time.Time
}

// BatchProgress counts a batch.
func (db *DB) BatchProgress(ctx context.Context, b talkstack.Batch) (BatchProgress, error) {
	p := BatchProgress{Results: map[talkstack.CallStatus]int{}}
	now := db.now()
	since := now.Add(-etaPeriod)
	if b.StartAt.After(since) {
		since = b.StartAt
	}
	rows, err := db.reader().BatchProgress(ctx, query.BatchProgressParams{BatchID: orNull(b.ID), Since: &since})
	if err != nil {
		return p, wrap("count the calls of a batch", err)
	}
	lately := 0
	for _, r := range rows {
		switch n := int(r.Calls); r.State {
		case talkstack.StateQueued, talkstack.StateHeld:
			p.Waiting += n
		case talkstack.StateClaimed, talkstack.StateDialing, talkstack.StateLive:
			p.InProgress += n
		case talkstack.StateEnded:
			p.Finished += n
			p.Results[r.Status] += n
			lately += int(r.Lately)
		}
	}
	if left := p.Waiting + p.InProgress; b.State == talkstack.BatchRunning && left > 0 && lately > 0 {
		p.ETA = now.Add(time.Duration(float64(now.Sub(since)) / float64(lately) * float64(left)))
	}
	retrying, err := db.reader().CountQueuedRetries(ctx, orNull(b.ID))
	p.Retrying = int(retrying)
	return p, wrap("count the calls of a batch", err)
}
