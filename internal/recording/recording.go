// Package recording keeps the audio of calls: stereo WAV files on the local disk, the other party on the left and
// the agent on the right, both on one sample clock. It owns the files' names and form; it does not decide which
// calls are recorded, who may hear them, or for how long they are kept.
package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"time"

	"talkstack"
)

// Store is a folder of recordings.
type Store struct {
	root   *os.Root
	log    *slog.Logger
	failed atomic.Int64
}

// Open makes the folder when it is missing. The Root keeps keys from ever naming a file outside it.
func Open(dir string, log *slog.Logger) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("recording: make folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("recording: open folder: %w", err)
	}
	return &Store{root: root, log: log}, nil
}

// Close frees the folder. Writers that are open go on.
func (s *Store) Close() error { return s.root.Close() }

// Failures counts the recordings that broke off since the start, for the alarm.
func (s *Store) Failures() int64 { return s.failed.Load() }

// Key is the name of a call's recording. It is known before the first sample, so that it can be stored first.
func Key(sid talkstack.CallSID, day time.Time) string {
	return day.UTC().Format("2006/01/02/") + string(sid) + ".wav"
}

func validKey(key string) bool {
	return regexp.MustCompile(`^\d{4}/\d{2}/\d{2}/CA[0-9a-f]{32}\.wav$`).MatchString(key)
}

// Open opens a recording to be read, with its size in bytes. An unknown key is not_found.
func (s *Store) Open(_ context.Context, key string) (io.ReadSeekCloser, int64, error) {
	if !validKey(key) {
		return nil, 0, talkstack.Errorf(talkstack.CodeNotFound, "There is no such recording.")
	}
	f, err := s.root.Open(filepath.FromSlash(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, talkstack.Errorf(talkstack.CodeNotFound, "There is no such recording.")
	}
	if err != nil {
		return nil, 0, fmt.Errorf("recording: open: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, 0, fmt.Errorf("recording: stat: %w", err)
	}
	return f, info.Size(), nil
}

// Create begins a recording at the given sample rate. When it cannot, as on a full disk, that is counted as a failure
// and no file is left behind.
func (s *Store) Create(key string, rate int) (*Writer, error) {
	if !validKey(key) {
		return nil, fmt.Errorf("recording: bad key %q", key)
	}
	w, err := s.create(filepath.FromSlash(key), rate)
	if err != nil {
		s.failed.Add(1)
		return nil, err
	}
	return w, nil
}

func (s *Store) create(name string, rate int) (*Writer, error) {
	if err := s.root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, fmt.Errorf("recording: make folder: %w", err)
	}
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("recording: create: %w", err)
	}
	w := newWriter(f, rate, s.log, &s.failed)
	if err := w.writeHeader(0); err != nil {
		_ = f.Close()
		_ = s.root.Remove(name) // a file without a header is nothing
		return nil, fmt.Errorf("recording: write header: %w", err)
	}
	w.wg.Go(w.drain)
	return w, nil
}
