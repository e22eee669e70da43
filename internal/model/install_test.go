package model

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"talkstack"
)

// fakeNPM puts an npm on the path that "packs" the given files, and counts how often it was asked.
func fakeNPM(t *testing.T, files map[string]string) (asked func() int) {
	t.Helper()
	dir := t.TempDir()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: "package/" + name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "archive"), b.String())
	log := filepath.Join(dir, "log")
	write(t, filepath.Join(dir, "npm"), "#!/bin/sh\necho \"$2\" >> "+log+"\ncp "+filepath.Join(dir, "archive")+" fake-1.0.0.tgz\n")
	if err := os.Chmod(filepath.Join(dir, "npm"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return func() int {
		b, err := os.ReadFile(log)
		if err != nil {
			return 0
		}
		return strings.Count(string(b), "fake@1.0.0")
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func fakeSource(content ...string) source {
	s := source{pkg: "fake", version: "1.0.0", license: "MIT", purpose: "test"}
	for i, c := range content {
		name := string(rune('a' + i))
		s.files = append(s.files, sourceFile{name + ".bin", sum([]byte(c)), asIs, []string{"sub/" + name + ".bin"}})
	}
	return s
}

func TestOnlyWhatIsMissingIsFetched(t *testing.T) {
	asked := fakeNPM(t, map[string]string{"a.bin": "alpha", "b.bin": "beta", "c.bin": "not wanted"})
	dir := t.TempDir()
	s := fakeSource("alpha", "beta")
	ensure := func() {
		t.Helper()
		m, err := readManifest(dir)
		if err != nil {
			t.Fatal(err)
		}
		if missing := m.missing(dir, s); len(missing) > 0 {
			if err := install(t.Context(), dir, m, s, missing, func(string) {}); err != nil {
				t.Fatal(err)
			}
		}
	}
	ensure()
	ensure()
	if asked() != 1 {
		t.Errorf("npm was asked %d times, wanted once", asked())
	}
	b := filepath.Join(dir, "sub", "b.bin")
	if got, err := os.ReadFile(b); err != nil || string(got) != "beta" {
		t.Errorf("b.bin holds %q, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "sub", "c.bin")); err == nil {
		t.Error("a file that is not used was installed")
	}

	write(t, b, "beTa") // same size, damaged
	ensure()
	if got, _ := os.ReadFile(b); string(got) != "beta" || asked() != 2 {
		t.Errorf("after damage b.bin holds %q, npm was asked %d times", got, asked())
	}
	if left, _ := filepath.Glob(filepath.Join(dir, partialPrefix+"*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestAFileThatIsNotTheExpectedOneIsRefused(t *testing.T) {
	fakeNPM(t, map[string]string{"a.bin": "something else"})
	dir := t.TempDir()
	m, err := readManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := fakeSource("alpha")
	err = install(t.Context(), dir, m, s, s.files, func(string) {})
	if talkstack.ErrorCode(err) != talkstack.CodeUnavailable || !strings.Contains(err.Error(), "a.bin") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "sub", "a.bin")); err == nil {
		t.Error("the wrong file was installed")
	}
}

func TestAnInterruptedInstallIsCleanedUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{partialPrefix + "123", filepath.Join("kokoro", "voices")} {
		if err := os.MkdirAll(filepath.Join(dir, path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, partialPrefix+"123", "half.tgz"), "x")
	write(t, filepath.Join(dir, "kokoro", "voices", partialPrefix+"af_heart.bin-7"), "x")
	write(t, filepath.Join(dir, "kokoro", "voices", "af_heart.bin"), "whole")
	if err := removePartial(dir); err != nil {
		t.Fatal(err)
	}
	var left []string
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if !d.IsDir() {
			left = append(left, d.Name())
		}
		return err
	})
	if err != nil || !slices.Equal(left, []string{"af_heart.bin"}) {
		t.Errorf("left: %q, %v", left, err)
	}
}

func TestTwoInstallsWaitForEachOther(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unlock, err := lock(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lock(ctx, dir); err == nil {
		t.Error("a second install got the lock")
	}
	unlock()
	again, err := lock(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestCheckNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	problems, err := Check(dir, false)
	if err != nil || len(problems) < 30 {
		t.Fatalf("%d problems in an empty folder, %v", len(problems), err)
	}
	if err := Error(dir, problems); !strings.Contains(talkstack.ErrorMessage(err), "talkstack models install") {
		t.Errorf("error %v does not say what to do", err)
	}
	if err := Error(dir, nil); err != nil {
		t.Errorf("no problems give the error %v", err)
	}
}

func TestTheInstalledModelsAreWhole(t *testing.T) {
	t.Parallel()
	problems, err := Check(filepath.Join("..", "..", "data", "models"), true)
	if err != nil || len(problems) > 0 {
		t.Fatalf("%v %v (for tests: make models)", problems, err)
	}
	names := map[string]bool{}
	for _, info := range List() {
		for _, f := range info.Files {
			if names[f] {
				t.Errorf("%s is installed twice", f)
			}
			names[f] = true
		}
	}
	if !names["libonnxruntime.so"] || !names["kokoro/kokoro.onnx"] {
		t.Errorf("files %v", names)
	}
}

func TestEverySupportedMachineHasARuntime(t *testing.T) {
	t.Parallel()
	for _, arch := range []string{"amd64", "arm64"} {
		if s := runtimeSource(arch); s.pkg == "" || len(s.files[0].sha256) != 64 {
			t.Errorf("%s: %+v", arch, s)
		}
	}
	if s := runtimeSource("mips"); s.pkg != "" {
		t.Errorf("mips: %+v", s)
	}
	if runtime.GOOS == "linux" && runtime.GOARCH == "amd64" && !supported() {
		t.Error("this machine is not supported")
	}
}
