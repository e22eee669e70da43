package model

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"talkstack"
)

const manifestName = "manifest.json"

// manifest says what is installed in a models folder.
type manifest struct {
	Recipes  int             `json:"recipes"`  // recipeVersion of the program that wrote it
	Platform string          `json:"platform"` // GOOS/GOARCH
	VNNI     bool            `json:"vnni"`     // which rewrite of Kokoro; false: floating point
	Files    []manifestEntry `json:"files"`
}

// manifestEntry is one installed file.
type manifestEntry struct {
	Name   string `json:"name"` // slash-separated, in the models folder
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Source string `json:"source"` // package@version and the SHA-256 of the file it was made from
}

func (m *manifest) entry(name string) *manifestEntry {
	for i := range m.Files {
		if m.Files[i].Name == name {
			return &m.Files[i]
		}
	}
	return nil
}

func (m *manifest) put(e manifestEntry) {
	if old := m.entry(e.Name); old != nil {
		*old = e
		return
	}
	m.Files = append(m.Files, e)
}

// readManifest reads the manifest of dir; an empty one when there is none or it is of no use here.
func readManifest(dir string) (*manifest, error) {
	fresh := &manifest{Recipes: recipeVersion, Platform: runtime.GOOS + "/" + runtime.GOARCH, VNNI: hasVNNI()}
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return nil, fmt.Errorf("model: read manifest: %w", err)
	}
	var m manifest
	if json.Unmarshal(b, &m) != nil || m.Recipes != fresh.Recipes || m.Platform != fresh.Platform || m.VNNI != fresh.VNNI {
		return fresh, nil //nolint:nilerr // broken, or of another program or machine: everything is made anew
	}
	return &m, nil
}

func (m *manifest) write(dir string) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("model: write manifest: %w", err)
	}
	return writeFile(filepath.Join(dir, manifestName), append(b, '\n'))
}

// Problem is one thing that is wrong with a models folder.
type Problem struct {
	File    string // slash-separated, in the models folder
	Message string // "is missing"
}

func (p Problem) String() string { return p.File + " " + p.Message }

// Check looks for what is missing or wrong in a models folder: existence and sizes, and with full the SHA-256 of each
// file too (a fraction of a second). No problems: the models are ready. The error says that the folder cannot be read.
func Check(dir string, full bool) ([]Problem, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	var problems []Problem
	for _, s := range sources(runtime.GOARCH) {
		for _, f := range s.files {
			for _, name := range f.to {
				if p := m.check(dir, name, f.origin(s), full); p != "" {
					problems = append(problems, Problem{name, p})
				}
			}
		}
	}
	return problems, nil
}

// Error is what to tell a user about problems, nil when there are none.
func Error(dir string, problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	what := problems[0].String()
	if n := len(problems) - 1; n > 0 {
		what += fmt.Sprintf(" (and %d more)", n)
	}
	return talkstack.Errorf(talkstack.CodeUnavailable, "The speech models in %s are not ready: %s. Run `talkstack models install`.", dir, what)
}

func (f sourceFile) origin(s source) string { return s.spec() + " " + string(f.make) + " " + f.sha256 }

// check says what is wrong with an installed file, empty when nothing is.
func (m *manifest) check(dir, name, origin string, full bool) string {
	info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return "is missing"
	}
	if err != nil {
		return "cannot be read"
	}
	e := m.entry(name)
	switch {
	case e == nil || e.Source != origin:
		return "is not of this version"
	case info.Size() != e.Size:
		return "has the wrong size"
	}
	if full {
		sum, err := fileSum(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return "cannot be read"
		}
		if sum != e.SHA256 {
			return "is damaged"
		}
	}
	return ""
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// writeFile writes a file so that it is there as a whole or not at all, even after a power cut.
func writeFile(path string, b []byte) error {
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), partialPrefix+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("model: write %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}

// hasVNNI reports whether the processor multiplies bytes fast, as the integer rewrite of Kokoro needs to be worth it.
// On arm64 the dot product instructions are the like.
func hasVNNI() bool {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "flags", "Features":
			for flag := range strings.FieldsSeq(value) {
				switch flag {
				case "avx512_vnni", "avx_vnni", "asimddp":
					return true
				}
			}
			return false
		}
	}
	return false
}
