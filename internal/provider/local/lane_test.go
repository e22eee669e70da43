package local

import (
	"context"
	"slices"
	"testing"
	"time"
)

// laneStory is a lane of one worker whose jobs are told when to end.
type laneStory struct {
	lane  *lane
	begun chan string
}

func newLaneStory(t *testing.T) *laneStory {
	t.Helper()
	s := &laneStory{lane: newLane(1), begun: make(chan string, 16)}
	t.Cleanup(s.lane.close)
	return s
}

// add queues a job that lasts until release is closed or it is broken off.
func (s *laneStory) add(t *testing.T, name string, ahead bool, release <-chan struct{}) *job {
	t.Helper()
	j := &job{ctx: t.Context(), deadline: time.Now(), ahead: ahead}
	if ahead {
		j.deadline = j.deadline.Add(aheadSlack)
	}
	j.run = func(ctx context.Context) time.Duration {
		s.begun <- name
		select {
		case <-release:
			return time.Second
		case <-ctx.Done():
			return 0
		}
	}
	s.lane.submit(j)
	return j
}

func (s *laneStory) wants(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for range want {
		got = append(got, <-s.begun)
	}
	if !slices.Equal(got, want) {
		t.Errorf("begun %q, wanted %q", got, want)
	}
}

func TestSpeechForNobodyGivesWay(t *testing.T) {
	t.Parallel()
	s := newLaneStory(t)
	never, at := make(chan struct{}), make(chan struct{})
	close(at)
	ahead := s.add(t, "ahead", true, never)
	s.wants(t, "ahead")
	answer := s.add(t, "answer", false, at)
	<-answer.done
	s.wants(t, "answer", "ahead") // broken off, and begun anew
	select {
	case <-ahead.done:
		t.Error("what was broken off counts as made")
	default:
	}
	close(never)
	<-ahead.done
	if got := s.lane.snapshot(); got.Jobs != 2 || got.Running != 0 || got.Queued != 0 || got.Backlog != 0 {
		t.Errorf("left over: %+v", got)
	}
}

func TestSpeechThatIsWaitedForAfterAllHurries(t *testing.T) {
	t.Parallel()
	s := newLaneStory(t)
	hold, at := make(chan struct{}), make(chan struct{})
	close(at)
	s.add(t, "first", true, hold)
	s.wants(t, "first")
	s.add(t, "second", true, hold)
	third := s.add(t, "third", true, at)
	s.lane.hurry(third, time.Second)
	<-third.done
	s.wants(t, "third")
	close(hold)
}

func TestHurriedSpeechThatRunsDoesNotGiveWay(t *testing.T) {
	t.Parallel()
	s := newLaneStory(t)
	hold, at := make(chan struct{}), make(chan struct{})
	close(at)
	first := s.add(t, "first", true, hold)
	s.wants(t, "first")
	s.lane.hurry(first, time.Second)
	second := s.add(t, "second", false, at)
	close(hold)
	<-first.done
	<-second.done
	s.wants(t, "second") // and first was not begun twice
}
