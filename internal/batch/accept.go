package batch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"talkstack"
	"talkstack/internal/batch/sheet"
	"talkstack/internal/store"
)

// Placed is a call of a batch, as it is told to who sent the list.
type Placed struct {
	CallID talkstack.CallSID
	To     string
}

// Accept reads a list into a batch and lets it begin. tell is called with the calls of each part once it is stored, in
// the order of the rows, with at least one call the first time: the whole list is never in memory. When Accept fails
// before tell was called, nothing will be dialled and the error says what is wrong with the order or the list. When it
// fails later, the batch stays as it is, loading: the same order again, with the same id and list, goes on with it and
// tells all of its calls; without that it is cancelled in a while. An order whose batch is stored already only tells.
func (b *Batches) Accept(ctx context.Context, o Order, from Source, tell func(talkstack.Batch, []Placed) error) (talkstack.Batch, error) {
	stored, err := b.cfg.DB.Batch(ctx, o.UserID, o.ID)
	switch {
	case talkstack.ErrorCode(err) == talkstack.CodeNotFound:
		if stored, err = b.create(ctx, o, from); err != nil {
			return talkstack.Batch{}, err
		}
	case err != nil:
		return talkstack.Batch{}, err
	}
	if stored.State != talkstack.BatchLoading {
		return stored, b.repeat(ctx, stored, tell)
	}
	if err := b.load(ctx, stored, from, tell); err != nil {
		return stored, err
	}
	if stored, err = b.cfg.DB.FinishLoading(ctx, stored); err != nil {
		return stored, err
	}
	b.cfg.Wake()
	b.cfg.Log.Info("batch accepted", "batch_id", stored.ID, "calls", stored.Queued, "rejected", stored.Rejected)
	return stored, nil
}

// create stores the batch, without its rows, once the order is right and the list can be read to its end.
func (b *Batches) create(ctx context.Context, o Order, from Source) (talkstack.Batch, error) {
	batch, err := b.check(ctx, o)
	if err != nil {
		return talkstack.Batch{}, err
	}
	if batch.Total, err = survey(ctx, from, b.cfg.Region); err != nil {
		return talkstack.Batch{}, err
	}
	return b.cfg.DB.CreateBatch(ctx, batch)
}

// survey counts the rows of a list, and makes sure that one of them can be called and that the list can be read to its
// end: a file that breaks off after 50,000 rows is refused before the first of them is a call.
func survey(ctx context.Context, from Source, region string) (total int, err error) {
	list, err := from.open(region)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, list.close()) }()
	var first *sheet.RowError
	for usable := false; ; total++ {
		if total%1000 == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if usable {
			err = list.skip()
		} else {
			_, err = list.next()
		}
		bad, isRow := errors.AsType[*sheet.RowError](err)
		switch {
		case errors.Is(err, io.EOF) && usable:
			return total, nil
		case errors.Is(err, io.EOF) && first == nil:
			return 0, talkstack.Errorf(talkstack.CodeInvalid, "The list has no rows: nobody can be called.")
		case errors.Is(err, io.EOF):
			return 0, talkstack.Errorf(talkstack.CodeInvalid, "None of the %d rows can be called. Row %d: %s", total, first.Number, first.Reason)
		case isRow:
			if first == nil {
				first = bad
			}
		case err != nil:
			return 0, err
		default:
			usable = true
		}
	}
}

// part is some rows on their way into the store.
type part struct {
	recipients []store.Recipient
	rejections []store.Rejection
}

// load reads the rows of a batch into the store. One goroutine reads and judges them, one stores them.
func (b *Batches) load(ctx context.Context, batch talkstack.Batch, from Source, tell func(talkstack.Batch, []Placed) error) error {
	judge, err := b.newJudge(ctx, batch)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	parts := make(chan part, 1) // the most that is in memory is three parts
	reading := make(chan error, 1)
	go func() {
		defer close(parts)
		reading <- read(ctx, judge, from, parts)
	}()
	storing := b.store(ctx, batch, parts, tell)
	if storing != nil {
		cancel()
	}
	if err := <-reading; storing == nil {
		return err
	}
	return storing
}

// store stores parts until there are no more.
func (b *Batches) store(ctx context.Context, batch talkstack.Batch, parts <-chan part, tell func(talkstack.Batch, []Placed) error) error {
	for p := range parts {
		if err := b.cfg.DB.LoadBatch(ctx, batch, p.recipients, p.rejections); err != nil {
			return err
		}
		if len(p.recipients) == 0 {
			continue
		}
		if err := tell(batch, placed(batch.ID, p.recipients)); err != nil {
			return err
		}
	}
	return nil
}

func placed(id talkstack.BatchID, recipients []store.Recipient) []Placed {
	out := make([]Placed, len(recipients))
	for i, r := range recipients {
		out[i] = Placed{CallID: store.BatchCallSID(id, r.Row), To: r.Number}
	}
	return out
}

// read brings a list into parts.
func read(ctx context.Context, judge *judge, from Source, parts chan<- part) (err error) {
	list, err := from.open(judge.region)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, list.close()) }()
	var p part
	send := func() error {
		select {
		case parts <- p:
			p = part{}
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for {
		to, err := list.next()
		bad, isRow := errors.AsType[*sheet.RowError](err)
		switch {
		case errors.Is(err, io.EOF):
			return send()
		case err != nil && !isRow:
			return err
		case err == nil:
			var recipient store.Recipient
			if recipient, bad = judge.recipient(to); bad == nil {
				p.recipients = append(p.recipients, recipient)
			}
		}
		if bad != nil {
			p.rejections = append(p.rejections, store.Rejection{Row: bad.Number, Number: bad.Value, Reason: bad.Reason})
		}
		if len(p.recipients)+len(p.rejections) == store.MaxLoadRows {
			if err := send(); err != nil {
				return err
			}
		}
	}
}

// judge turns rows of a list into recipients of a batch.
type judge struct {
	batch    talkstack.Batch
	db       *store.DB
	region   string
	wanted   talkstack.Placeholders
	seen     map[uint64]int32     // number → the row it is on first
	openings map[string]time.Time // zones → when they are open first
}

func (b *Batches) newJudge(ctx context.Context, batch talkstack.Batch) (*judge, error) {
	agent, err := b.cfg.DB.AgentVersion(ctx, batch.AgentID, batch.AgentVersion)
	if err != nil {
		return nil, err
	}
	return &judge{
		batch: batch, db: b.cfg.DB, region: b.cfg.Region, wanted: agent.Placeholders(),
		seen: map[uint64]int32{}, openings: map[string]time.Time{},
	}, nil
}

func (j *judge) recipient(to sheet.Recipient) (store.Recipient, *sheet.RowError) {
	bad := func(reason string) (store.Recipient, *sheet.RowError) {
		return store.Recipient{}, &sheet.RowError{Number: to.Row, Line: to.Line, Value: to.Number, Reason: reason}
	}
	digits, err := strconv.ParseUint(to.Number[1:], 10, 64) // E.164 has 15 digits at most
	if err != nil {
		return bad("This is not a phone number: use + and the country code, for example +14155550148.")
	}
	if first, again := j.seen[digits]; again {
		return bad(fmt.Sprintf("The number is on row %d already.", first))
	}
	zones := to.TimeZone
	if zones == "" {
		zones = strings.Join(Zones(to.Number), ",")
	}
	if zones == "" && len(j.batch.Windows) > 0 && j.batch.TimeZone == "" {
		return bad("The time zone of the number is not known, and calls may only be made in calling windows: give it in a column timezone.")
	}
	j.seen[digits] = int32(to.Row) //nolint:gosec // rows are at most sheet.MaxRows
	opening, ok := j.openings[zones]
	if !ok {
		opening = j.db.Opening(j.batch, zones, j.batch.StartAt)
		j.openings[zones] = opening
	}
	return store.Recipient{
		Row: to.Row, Number: to.Number, TimeZone: zones, DynamicVariables: to.Variables, MissingVariables: j.wanted.Missing(to.Variables),
		NotBefore: opening,
	}, nil
}

// repeat tells the calls of a batch that was loaded before.
func (b *Batches) repeat(ctx context.Context, batch talkstack.Batch, tell func(talkstack.Batch, []Placed) error) error {
	if batch.State == talkstack.BatchCancelled && batch.Queued == 0 {
		return talkstack.Errorf(talkstack.CodeConflict, "The batch was cancelled before its list had been read: send it again with another Idempotency-Key.")
	}
	for after := 0; ; {
		calls, err := b.cfg.DB.BatchCalls(ctx, batch.ID, after, store.MaxLoadRows)
		if err != nil || len(calls) == 0 {
			return err
		}
		list := make([]Placed, len(calls))
		for i, c := range calls {
			list[i], after = Placed{CallID: c.SID, To: c.To}, c.BatchRow
		}
		if err := tell(batch, list); err != nil {
			return err
		}
	}
}
