package sip_test

import (
	"context"
	"fmt"

	"talkstack"
	"talkstack/internal/sip"
)

// Two user agents: one takes a call and sends back what it hears, the other calls it.
func Example() {
	ctx := context.Background()
	echo := sip.New(sip.Config{Addr: "127.0.0.1:0"})
	echo.OnInvite(func(ctx context.Context, inv *sip.Invite) {
		leg, err := inv.Answer(ctx)
		if err != nil {
			return // the caller has gone, or speaks none of our codecs
		}
		for {
			frame, err := leg.ReadFrame(ctx)
			if err != nil {
				return // the call is over
			}
			_ = leg.WriteFrame(frame)
		}
	})
	phone := sip.New(sip.Config{Addr: "127.0.0.1:0"})
	for _, ua := range []*sip.UserAgent{echo, phone} {
		if err := ua.Start(ctx); err != nil {
			fmt.Println(err)
			return
		}
		defer ua.Stop(ctx)
	}

	leg, err := phone.Dial(ctx, sip.DialRequest{From: "+14155550100", Target: "sip:echo@" + echo.Addr().String()})
	if err != nil {
		fmt.Println(err) // a *sip.DialError: busy, nobody answered, ...
		return
	}
	frame, _ := leg.ReadFrame(ctx)
	fmt.Println("frames at", frame.Rate, "Hz")
	_ = leg.Hangup(ctx, talkstack.EndReason{Party: talkstack.PartyAgent, Code: talkstack.EndAgentHangup})
	byPeer, reason := leg.Ended()
	fmt.Println("ended by the other side:", byPeer, reason.Code)
	// Output:
	// frames at 8000 Hz
	// ended by the other side: false agent_hangup
}
