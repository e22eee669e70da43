package auth

import (
	"fmt"
	"testing"
	"time"
)

func TestThrottle(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	th := newThrottle(limit{3, time.Minute}, func() time.Time { return now })
	for range 3 {
		if after := th.fail("a"); after != 0 {
			t.Errorf("within the limit: wait %v", after)
		}
	}
	now = now.Add(20 * time.Second)
	if after := th.fail("a"); after != 40*time.Second {
		t.Errorf("beyond the limit: wait %v, want what is left of the minute", after)
	}
	if after := th.fail("b"); after != 0 {
		t.Errorf("another key: wait %v", after)
	}
	now = now.Add(40 * time.Second)
	if after := th.fail("a"); after != 0 {
		t.Errorf("a minute later: wait %v", after)
	}
}

// TestThrottleIsBounded: however many addresses a stranger has, memory does not grow, and old keys still count.
func TestThrottleIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	th := newThrottle(limit{3, time.Minute}, func() time.Time { return now })
	for range 3 {
		th.fail("known")
	}
	refused := 0
	for i := range 3 * maxThrottled {
		if th.fail(fmt.Sprint(i)) > 0 {
			refused++
		}
	}
	if len(th.seen) > maxThrottled+1 {
		t.Errorf("%d keys are remembered", len(th.seen))
	}
	if refused == 0 {
		t.Error("keys beyond what fits are not limited at all")
	}
	if th.fail("known") == 0 {
		t.Error("a key that was there before is forgotten")
	}
	now = now.Add(time.Minute)
	if th.fail("new") != 0 || len(th.seen) > maxThrottled/2 {
		t.Errorf("%d keys are remembered when their time is over", len(th.seen))
	}
}
