package kill

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"talkstack/internal/phonetest"
	"talkstack/internal/store/storetest"
	"talkstack/test/program"
)

// BenchmarkOutboundCalls places calls over the API from several places at once and reports how many a second one node
// brings to their end, from the first request to the last leg's end as the far end saw it. The far end runs on the same
// processors. "busy" is SIP alone; "answered" has media, a recording and a brain for each call, and no speech models.
func BenchmarkOutboundCalls(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgresql"} {
		for _, kind := range []string{"busy", "answered"} {
			b.Run(engine+"/"+kind, func(b *testing.B) {
				behaviour := phonetest.Busy
				if kind == "answered" {
					behaviour = func(ctx context.Context, r *phonetest.Ringing) error {
						line, err := r.Answer(ctx)
						if err != nil {
							return err
						}
						return line.Wait(ctx, 100*time.Millisecond)
					}
				}
				phone := program.Phone(b, deaf(), behaviour)
				var more []string
				if engine == "postgresql" {
					more = append(more, "TALKSTACK_DATABASE_URL="+storetest.PostgreSQL(b))
				}
				n := &node{bin: program.Build(b), env: append(settings(b, "sip:"+phone.Addr().String(), 45000, more...), "TALKSTACK_MAX_CALLS=1000")}
				n.start(b)
				customer := signUp(b, []*node{n}, dataDirs([]*node{n}), 0)
				p := customer.makeProject(b, 0, 1000, "")
				b.ResetTimer()
				var took time.Duration
				placed := 0
				for b.Loop() {
					took += placeAndWait(b, customer, phone, p)
					placed += burst
				}
				b.ReportMetric(float64(placed)/took.Seconds(), "calls/s")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

const burst = 1000

// placeAndWait returns when all of a burst's legs are over.
func placeAndWait(b *testing.B, customer *api, phone *phonetest.Phone, p project) time.Duration {
	b.Helper()
	before, begin := len(phone.Calls()), time.Now()
	const many = 8
	var placers sync.WaitGroup
	for first := range many {
		placers.Go(func() {
			a := customer.copyOf()
			for i := first; i < burst; i += many {
				a.do(b.Context(), b, http.MethodPost, "/call/makeCall", map[string]string{
					"number": fmt.Sprintf("+1206555%04d", i), "projectId": p.ID, "agentId": p.Agent,
				}, nil, nil)
			}
		})
	}
	placers.Wait()
	for {
		over := 0
		var last time.Time
		for _, r := range phone.Calls()[before:] {
			if !r.Ended.IsZero() {
				over++
				if r.Ended.After(last) {
					last = r.Ended
				}
			}
		}
		if over >= burst {
			return last.Sub(begin)
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-b.Context().Done():
			b.Fatal("the benchmark was stopped")
		}
	}
}
