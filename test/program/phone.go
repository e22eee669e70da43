package program

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"talkstack/internal/media/rtp"
	"talkstack/internal/phonetest"
)

// Phone is the far end of all calls, until the test ends: whatever number is called, it behaves in the same way.
func Phone(t testing.TB, speech phonetest.Speech, behaviour phonetest.Behaviour) *phonetest.Phone {
	t.Helper()
	phone := phonetest.New(phonetest.Config{
		Addr: "127.0.0.1:0", Ports: rtp.NewPorts(40000, 44999), Log: slog.New(slog.DiscardHandler), Speech: speech,
	})
	phone.On("", behaviour)
	if err := phone.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		phone.Stop(ctx)
	})
	return phone
}
