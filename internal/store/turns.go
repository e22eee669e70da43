package store

import (
	"context"
	"time"

	"talkstack"
	"talkstack/internal/store/query"
)

// wordRow and latencyRow are the JSON forms of the turns table. Times are in microseconds, as its columns are.
type wordRow struct {
	Text  string `json:"w"`
	Start int64  `json:"s"`
	End   int64  `json:"e"`
}

type latencyRow struct {
	Endpointing   int64 `json:"endpointing"`
	ASRFinal      int64 `json:"asr_final"`
	LLMFirstToken int64 `json:"llm_first_token"`
	TTSFirstByte  int64 `json:"tts_first_byte"`
	Playout       int64 `json:"playout"`
	Total         int64 `json:"total"`
}

// AddTurn stores a turn of a call. A turn of the same Seq is replaced, so it may be repeated, and a turn may be stored
// when it begins and again when it is over. Characters that no database holds are dropped: the words are a machine's.
func (db *DB) AddTurn(ctx context.Context, sid talkstack.CallSID, t talkstack.Turn) error {
	words := make([]wordRow, 0, len(t.Words))
	for _, w := range t.Words {
		words = append(words, wordRow{Text: cleanText(w.Text), Start: w.Start.Microseconds(), End: w.End.Microseconds()})
	}
	wordsJSON, err := encode("words", words)
	if err != nil {
		return err
	}
	var latency *string
	if l := t.Latency; l != nil {
		text, err := encode("latency", latencyRow{
			Endpointing: l.Endpointing.Microseconds(), ASRFinal: l.ASRFinal.Microseconds(), LLMFirstToken: l.LLMFirstToken.Microseconds(),
			TTSFirstByte: l.TTSFirstByte.Microseconds(), Playout: l.Playout.Microseconds(), Total: l.Total.Microseconds(),
		})
		if err != nil {
			return err
		}
		latency = &text
	}
	err = db.writer().UpsertTurn(ctx, query.UpsertTurnParams{
		CallSID: sid, Seq: int64(t.Seq), Role: t.Role, Text: cleanText(t.Text), StartUS: t.Start.Microseconds(), EndUS: t.End.Microseconds(),
		Words: wordsJSON, Interrupted: t.Interrupted, Latency: latency,
	})
	if err != nil {
		return wrap("store a turn", err)
	}
	db.onChange(sid)
	return nil
}

// Turns returns the turns of one of the user's calls, in the order in which they began.
func (db *DB) Turns(ctx context.Context, user talkstack.UserID, sid string) ([]talkstack.Turn, error) {
	c, err := db.Call(ctx, user, sid)
	if err != nil {
		return nil, err
	}
	return db.TurnsBySID(ctx, c.SID)
}

// TurnsBySID returns the turns of a call whoever owns it, as CallBySID does.
func (db *DB) TurnsBySID(ctx context.Context, sid talkstack.CallSID) ([]talkstack.Turn, error) {
	rows, err := db.reader().Turns(ctx, sid)
	if err != nil {
		return nil, wrap("read turns", err)
	}
	out := make([]talkstack.Turn, 0, len(rows))
	for _, r := range rows {
		t, err := turnOf(r)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func turnOf(r query.Turn) (talkstack.Turn, error) {
	t := talkstack.Turn{
		Seq: int(r.Seq), Role: r.Role, Text: r.Text, Start: micros(r.StartUS), End: micros(r.EndUS), Interrupted: r.Interrupted,
	}
	var words []wordRow
	if err := decode("words", r.Words, &words); err != nil {
		return talkstack.Turn{}, err
	}
	for _, w := range words {
		t.Words = append(t.Words, talkstack.Word{Text: w.Text, Start: micros(w.Start), End: micros(w.End)})
	}
	var err error
	t.Latency, err = latencyOf(r.Latency)
	return t, err
}

func latencyOf(column *string) (*talkstack.TurnLatency, error) {
	if column == nil {
		return nil, nil //nolint:nilnil // not every turn answers somebody
	}
	var l latencyRow
	if err := decode("latency", *column, &l); err != nil {
		return nil, err
	}
	return &talkstack.TurnLatency{
		Endpointing: micros(l.Endpointing), ASRFinal: micros(l.ASRFinal), LLMFirstToken: micros(l.LLMFirstToken),
		TTSFirstByte: micros(l.TTSFirstByte), Playout: micros(l.Playout), Total: micros(l.Total),
	}, nil
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
