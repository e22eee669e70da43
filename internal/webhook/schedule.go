package webhook

import (
	"math/rand/v2"
	"net/http"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

// maxRetryAfter bounds how long a receiver's wish puts a message off.
const maxRetryAfter = time.Hour

// maxLanePause is the longest that a lane rests whose receiver can not be reached.
const maxLanePause = time.Minute

// pauses follow the tries of a message, and the last of them all that come after it. With store.DeliveryLimit that makes
// 15 tries in 72 hours.
func pauses() []time.Duration {
	return []time.Duration{
		5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour, 8 * time.Hour, 12 * time.Hour,
	}
}

// randomJitter is a factor from 0.8 to 1.2: messages that failed together do not come back together.
func randomJitter() float64 { return 0.8 + 0.4*rand.Float64() } //nolint:gosec // chance, not a secret

// judge says what becomes of a message and of its lane after an answer.
func (w *Worker) judge(s *store.Sending, a answer) *store.Attempt {
	out := &store.Attempt{ID: s.ID, State: talkstack.DeliveryDelivered, Status: a.status, Error: a.problem}
	if a.problem == "" {
		return out
	}
	unreachable := a.status == 0 || a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable
	if unreachable {
		// The others of the lane would fare the same, and each would wait as long.
		out.LaneFailures = s.LaneFailures + 1
		out.PauseLane = max(min(time.Second<<min(s.LaneFailures, 10), maxLanePause), a.retryAfter)
	}
	now := w.Now()
	if a.status == http.StatusGone || !now.Before(s.GiveUpAt) {
		out.State = talkstack.DeliveryDead
		return out
	}
	steps := pauses()
	pause := time.Duration(float64(steps[min(s.Attempts, len(steps)-1)]) * w.jitter())
	out.State = talkstack.DeliveryPending
	out.NextAttemptAt = now.Add(max(pause, a.retryAfter))
	if out.NextAttemptAt.After(s.GiveUpAt) {
		out.NextAttemptAt = s.GiveUpAt // one last time
	}
	return out
}
