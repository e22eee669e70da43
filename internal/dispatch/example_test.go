package dispatch_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"talkstack"
	"talkstack/internal/dispatch"
	"talkstack/internal/store"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "talkstack-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(ctx, store.Config{Path: filepath.Join(dir, "talkstack.db"), Log: log})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	placed, err := place(ctx, db)
	if err != nil {
		fmt.Println(err)
		return
	}

	over := make(chan struct{})
	d := dispatch.New(dispatch.Config{
		DB: db, Node: talkstack.NewNodeID(), Capacity: func() int { return 10 }, Log: log,
		Dial: func(ctx context.Context, c talkstack.Call) {
			defer close(over)
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
	<-over
	d.Stop(ctx)
	c, err := db.CallBySID(ctx, placed.SID)
	fmt.Println(c.State, c.Status, c.Attempt, err)
	// Output: ended busy 1 <nil>
}

// place makes an account with an agent, and a call of it.
func place(ctx context.Context, db *store.DB) (talkstack.Call, error) {
	if err := db.Migrate(ctx); err != nil {
		return talkstack.Call{}, err
	}
	u, err := db.CreateUser(ctx, talkstack.User{Email: "ada@example.com", Name: "Ada"})
	if err != nil {
		return talkstack.Call{}, err
	}
	p, err := db.CreateProject(ctx, talkstack.Project{UserID: u.ID, Name: "Clinic"})
	if err != nil {
		return talkstack.Call{}, err
	}
	a, err := db.CreateAgent(ctx, talkstack.Agent{UserID: u.ID, ProjectID: p.ID, Name: "Jack", Settings: talkstack.DefaultAgentSettings()}, "+14155550148")
	if err != nil {
		return talkstack.Call{}, err
	}
	return db.PlaceCall(ctx, talkstack.Call{UserID: u.ID, ProjectID: p.ID, AgentID: a.ID, From: "+14155550148", To: "+12065550123"})
}
