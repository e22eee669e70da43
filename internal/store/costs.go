package store

import (
	"context"
	"math"

	"talkstack"
	"talkstack/internal/store/query"
)

// priceUnfinished gives a call that ends without an outcome what is known of its usage: how long it was connected. What
// its process counted besides has died with it.
func (db *DB) priceUnfinished(ctx context.Context, q *tx, c *talkstack.Call) error {
	if c.AnsweredAt.IsZero() {
		return nil
	}
	o := Outcome{Usage: talkstack.Usage{CarrierSeconds: math.Round(c.Duration(c.EndedAt).Seconds()*1000) / 1000}}
	o.CostParts = db.prices.Cost(o.Usage, c.Direction, c.Counterpart())
	used, parts, cost, err := encodeCost(o)
	if err != nil {
		return err
	}
	return q.SetUsage(ctx, query.SetUsageParams{SID: c.SID, Usage: used, Cost: cost, CostParts: parts})
}
