package recording

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/media"
)

// TestAFullDiskStopsTheRecordingAlone writes to the device that is always full: no frame is held up, and the failure
// is counted once, however much follows.
func TestAFullDiskStopsTheRecordingAlone(t *testing.T) {
	t.Parallel()
	s, err := Open(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	w := newWriter(full, 8000, s.log, &s.failed)
	w.wg.Go(w.drain)
	f := media.NewFrame(8000)
	for range 60 * blockFrames { // far more than the backlog holds
		w.Write(&f, &f)
	}
	if err := w.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if n := s.Failures(); n != 1 {
		t.Errorf("%d failures were counted, want 1", n)
	}
}

// TestARecordingThatCannotBeginIsCounted: the alarm must not depend on the moment at which the disk fills up.
func TestARecordingThatCannotBeginIsCounted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	day := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	if err := os.WriteFile(dir+"/2026", nil, 0o600); err != nil { // where the day's folder should be
		t.Fatal(err)
	}
	if _, err := s.Create(Key(talkstack.NewCallSID(), day), 8000); err == nil {
		t.Fatal("a recording began without a folder")
	}
	if n := s.Failures(); n != 1 {
		t.Errorf("%d failures were counted, want 1", n)
	}
}
