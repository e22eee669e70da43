package store

import (
	"context"

	"talkstack"
	"talkstack/internal/store/query"
)

// AddDoNotCall puts numbers, in E.164 form, on an account's do-not-call list: from this commit on none of them is dialled,
// whatever was placed before. A number that is on it already keeps its reason. It returns how many are new.
func (db *DB) AddDoNotCall(ctx context.Context, user talkstack.UserID, numbers []string, reason string) (int, error) {
	if err := checkText("reason", reason); err != nil {
		return 0, err
	}
	added := 0
	err := db.transact(ctx, "add to the do-not-call list", func(q *tx) error {
		added = 0
		for _, n := range numbers {
			rows, err := q.AddDoNotCall(ctx, query.AddDoNotCallParams{UserID: user, E164: n, Reason: reason, CreatedAt: db.now()})
			if err != nil {
				return err
			}
			added += int(rows)
		}
		if added == 0 {
			return nil
		}
		return db.audit(ctx, q, user, "do_not_call.add", "do_not_call", auditID(numbers), map[string]any{"numbers": numbers, "reason": reason})
	})
	return added, err
}

// auditID names one number, and no list of them.
func auditID(numbers []string) string {
	if len(numbers) == 1 {
		return numbers[0]
	}
	return ""
}

// DoNotCall returns one number of an account's do-not-call list.
func (db *DB) DoNotCall(ctx context.Context, user talkstack.UserID, e164 string) (talkstack.DoNotCall, error) {
	r, err := db.reader().DoNotCall(ctx, query.DoNotCallParams{UserID: user, E164: e164})
	if err != nil {
		return talkstack.DoNotCall{}, lookup("number on the do-not-call list", err)
	}
	return doNotCallOf(r), nil
}

// DoNotCalls returns up to limit numbers of an account's do-not-call list in their order, those after the given one.
func (db *DB) DoNotCalls(ctx context.Context, user talkstack.UserID, after string, limit int) ([]talkstack.DoNotCall, error) {
	rows, err := db.reader().DoNotCalls(ctx, query.DoNotCallsParams{UserID: user, After: cleanText(after), MaxRows: int64(limit)})
	if err != nil {
		return nil, wrap("list the do-not-call list", err)
	}
	out := make([]talkstack.DoNotCall, len(rows))
	for i, r := range rows {
		out[i] = doNotCallOf(r)
	}
	return out, nil
}

// RemoveDoNotCall takes a number off an account's do-not-call list.
func (db *DB) RemoveDoNotCall(ctx context.Context, user talkstack.UserID, e164 string) error {
	return db.transact(ctx, "remove from the do-not-call list", func(q *tx) error {
		n, err := q.DeleteDoNotCall(ctx, query.DeleteDoNotCallParams{UserID: user, E164: e164})
		if err != nil {
			return lookup("number on the do-not-call list", err)
		}
		if n == 0 {
			return notFound("number on the do-not-call list")
		}
		return db.audit(ctx, q, user, "do_not_call.remove", "do_not_call", e164, nil)
	})
}

func doNotCallOf(r query.DoNotCall) talkstack.DoNotCall {
	return talkstack.DoNotCall{Number: r.E164, Reason: r.Reason, CreatedAt: r.CreatedAt.UTC()}
}
