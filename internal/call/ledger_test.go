package call

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"talkstack"
)

// diary is a database that may be away, and what was written to it.
type diary struct {
	mu      sync.Mutex
	away    bool
	written []string
	tries   int
}

func (d *diary) write(what string) func(context.Context) error {
	return func(ctx context.Context) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.tries++
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case d.away:
			return talkstack.Errorf(talkstack.CodeUnavailable, "The database is away.")
		}
		d.written = append(d.written, what)
		return nil
	}
}

// back returns what the database has seen while it was away, and lets it work.
func (d *diary) back() (written []string, tries int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = false
	return d.written, d.tries
}

func TestWritesWaitForTheDatabaseInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{away: true}
		l := newLedger(t.Context(), slog.New(slog.DiscardHandler))
		begin := time.Now()
		for _, what := range []string{"answered", "turn 1", "turn 2"} {
			l.add(what, d.write(what))
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("the call waited %v for the database", took)
		}
		time.Sleep(3 * time.Minute)
		if written, tries := d.back(); len(written) != 0 || tries < 20 {
			t.Fatalf("after 3 minutes without a database: %q written in %d tries, want none, and a try every few seconds", written, tries)
		}
		l.add("end", d.write("end"))
		l.close()
		if want := []string{"answered", "turn 1", "turn 2", "end"}; !slices.Equal(d.written, want) {
			t.Errorf("written %q, want %q", d.written, want)
		}
	})
}

func TestWritesOfALongCallAreNotGivenUpWhileItLasts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		l := newLedger(t.Context(), slog.New(slog.DiscardHandler))
		l.add("answered", d.write("answered"))
		time.Sleep(4 * time.Hour) // the longest call there is
		l.add("turn", d.write("turn"))
		l.add("end", d.write("end"))
		l.close()
		if want := []string{"answered", "turn", "end"}; !slices.Equal(d.written, want) {
			t.Errorf("written %q, want %q", d.written, want)
		}
	})
}

func TestWritesAreGivenUpOnlyAtTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{away: true}
		l := newLedger(t.Context(), slog.New(slog.DiscardHandler))
		l.add("turn", d.write("turn"))
		time.Sleep(time.Hour) // the call itself does not count
		l.add("end", d.write("end"))
		begin := time.Now()
		l.close()
		if took := time.Since(begin); took < storeLimit || took > storeLimit+retryLast {
			t.Errorf("the end of the call was given up after %v, want %v", took, storeLimit)
		}
		if len(d.written) != 0 {
			t.Errorf("written %q to a database that is away", d.written)
		}
	})
}

func TestAWriteThatCannotWorkDoesNotHoldUpTheRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		l := newLedger(t.Context(), slog.New(slog.DiscardHandler))
		begin := time.Now()
		l.add("bad", func(context.Context) error { return errors.New("no such column") })
		l.add("end", d.write("end"))
		l.close()
		if !slices.Equal(d.written, []string{"end"}) || time.Since(begin) != 0 {
			t.Errorf("written %q after %v, want the end at once", d.written, time.Since(begin))
		}
	})
}

// TestWritesHurryWhenTheServerMustStop: a database that stays away holds the stop up for seconds, not minutes.
func TestWritesHurryWhenTheServerMustStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &diary{away: true}
		l := newLedger(t.Context(), slog.New(slog.DiscardHandler))
		hurry, hurryUp := context.WithCancel(t.Context())
		l.hurry = hurry
		l.add("end", d.write("end"))
		begin := time.Now()
		time.AfterFunc(time.Second, hurryUp)
		l.close()
		if took := time.Since(begin); took < 5*time.Second || took > 20*time.Second {
			t.Errorf("the end was tried to be stored for %v", took)
		}
	})
}
