package mail

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// outboxFrom is the sender where no server names one.
const outboxFrom = "Talkstack <no-reply@talkstack.localhost>"

// outbox writes each mail as a file that any mail program opens.
type outbox struct {
	dir string
	log *slog.Logger
}

func newOutbox(dir string, log *slog.Logger) (*outbox, error) {
	if dir == "" {
		return nil, errors.New("mail: the outbox needs a folder")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("mail: outbox: %w", err)
	}
	return &outbox{dir: dir, log: log}, nil
}

// Send writes <time>-<id>.eml. A reader never sees half a file: it is renamed into place when it is whole.
func (o *outbox) Send(_ context.Context, m Message) error {
	msg, err := compose(outboxFrom, m)
	if err != nil {
		return err
	}
	data, err := render(msg)
	if err != nil {
		return err
	}
	var id [4]byte
	_, _ = rand.Read(id[:])
	name := time.Now().UTC().Format("20060102T150405.000Z") + "-" + hex.EncodeToString(id[:]) + ".eml"
	path := filepath.Join(o.dir, name)
	if err := writeFile(path, data); err != nil {
		return fmt.Errorf("mail: outbox: %w", err)
	}
	o.log.Info("mail written to the outbox", "to", maskAddress(m.To), "subject", m.Subject, "file", path)
	return nil
}

// writeFile writes a file that only its owner may read, whole or not at all.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".mail-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
