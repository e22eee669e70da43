package query

import (
	"context"
	"reflect"
	"strings"
)

// SelectCalls runs a query whose text is only known when it is asked: rest is what follows "SELECT <all columns> FROM
// calls ". Its texts must come from the program, and all values through args.
func (q *Queries) SelectCalls(ctx context.Context, rest string, args []any) ([]Call, error) {
	head, _, _ := strings.Cut(callBySID, " FROM calls ") // the columns in the order of Call's fields, as sqlc wrote them
	rows, err := q.db.QueryContext(ctx, head+" FROM calls "+rest, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Call
	for rows.Next() {
		var c Call
		v := reflect.ValueOf(&c).Elem()
		fields := make([]any, v.NumField())
		for i := range fields {
			fields[i] = v.Field(i).Addr().Interface()
		}
		if err := rows.Scan(fields...); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// Count runs a query whose text is only known when it is asked, and that has one number for an answer.
func (q *Queries) Count(ctx context.Context, text string, args []any) (int64, error) {
	var n int64
	err := q.db.QueryRowContext(ctx, text, args...).Scan(&n)
	return n, err
}
