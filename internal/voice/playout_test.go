package voice

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"talkstack/internal/media"
)

func TestReplyIsMadeAheadButNotWithoutBound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPlayout(testRate)
		s := p.newSpeech()
		p.play(s)
		s.begin("a very long clause")
		written := atomic.Int64{}
		go func() {
			for range 300 { // 30 s
				if s.write(t.Context(), make([]int16, testRate/10)) != nil {
					return
				}
				written.Add(1)
			}
		}()
		synctest.Wait()
		if got := written.Load(); got != 100 {
			t.Errorf("%d tenths of a second were made ahead", got)
		}
		for at := time.Duration(0); at < time.Second; at += media.FrameDuration {
			p.Next(at)
			synctest.Wait()
		}
		if got := written.Load(); got != 110 {
			t.Errorf("after one second, %d were made", got)
		}
		p.cut()
		synctest.Wait()
	})
}

func TestPlayoutJoinsClausesWithAPause(t *testing.T) {
	t.Parallel()
	p := NewPlayout(testRate)
	s := p.newSpeech()
	p.play(s)
	one, two := sine(400, 1000, 8000), sine(600, 1000, 8000)
	for i := range one {
		one[i] |= 1 << 8
		two[i] |= 1 << 8
	}
	for _, c := range []struct {
		text string
		pcm  []int16
	}{{"One.", one}, {"Two.", two}} {
		s.begin(c.text)
		if err := s.write(t.Context(), c.pcm); err != nil {
			t.Fatal(err)
		}
		s.done()
	}
	s.close()
	var sent []int16
	at := time.Duration(0)
	for ; !p.progress().finished; at += media.FrameDuration {
		f := p.Next(at)
		sent = append(sent, f.Samples()...)
	}
	gap := p.samples(pauseAfter("One."))
	want := slices.Concat(one, make([]int16, gap), two)
	if !slices.Equal(sent[:len(want)], want) {
		t.Error("the clauses were not sent one after the other with a pause")
	}
	if end, want := p.progress().end, time.Duration(len(want))*time.Second/testRate; end != want {
		t.Errorf("the end is %s, want %s", end, want)
	}
}

func TestPlayoutDoesNotAllocate(t *testing.T) {
	p := NewPlayout(testRate)
	s := p.newSpeech()
	p.play(s)
	s.begin("words")
	if err := s.write(t.Context(), make([]int16, testRate*9)); err != nil {
		t.Fatal(err)
	}
	at := time.Duration(0)
	if n := testing.AllocsPerRun(400, func() { p.Next(at); at += media.FrameDuration }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkPlayoutNext(b *testing.B) {
	p := NewPlayout(testRate)
	pcm := make([]int16, testRate*9)
	at := time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		if at%(9*time.Second) == 0 {
			b.StopTimer()
			s := p.newSpeech()
			p.play(s)
			s.begin("words")
			_ = s.write(b.Context(), pcm)
			s.done()
			b.StartTimer()
		}
		p.Next(at)
		at += media.FrameDuration
	}
}
