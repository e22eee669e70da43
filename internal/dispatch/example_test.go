package dispatch_test

import (
	"context"
	"fmt"

	"talkstack"
	"talkstack/internal/dispatch"
	"talkstack/internal/store"
)

func Example() {
	ctx := context.Background()
	db, err := store.Open(ctx, store.Config{Path: "data/talkstack.db"})
	if err != nil {
		fmt.Println(err)
		return
	}
	d := dispatch.New(dispatch.Config{DB: db, Node: talkstack.NewNodeID(), Capacity: func() int { return 10 },
		Dial: func(ctx context.Context, c talkstack.Call) {
			if err := db.MarkDialing(ctx, c); err != nil {
				return // not ours any more: nothing may be sent
			}
			// Send the INVITE. Here the line is busy.
			_ = db.FinishCall(ctx, c, store.Outcome{Ending: talkstack.Ending{
				Status: talkstack.StatusBusy, Reason: talkstack.EndReason{Party: talkstack.PartyCarrier, Code: talkstack.EndDialBusy},
			}})
		},
	})
	if err := d.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	d.Wake() // after each call that is placed
	d.Stop(ctx)
}
