package talkstack_test

import (
	"bufio"
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// module is the path of this module.
const module = "talkstack"

// allowedImports is the direction of dependencies: package → what it may import of ours, besides the vocabulary at the
// root, which all may. An entry covers the packages below it that have none of their own; a package may import what is
// below its own entry too. From the top of the program to its foundations:
func allowedImports() map[string][]string {
	return map[string][]string{
		"cmd/talkstack": {"client", "internal"},
		"client":        {},
		"test":          {"client", "internal"},
		"scripts":       {},

		"internal/server":   {"internal"}, // builds and joins all the rest
		"internal/httpapi":  {"internal/dispatch", "internal/call", "internal/recording", "internal/event", "internal/batch", "internal/analysis", "internal/hubspot", "internal/webhook", "internal/auth", "internal/store", "internal/media", "internal/telemetry"},
		"internal/dispatch": {"internal/call", "internal/event", "internal/store"},

		// The live side.
		"internal/call":      {"internal/voice", "internal/vad", "internal/recording", "internal/brain", "internal/event", "internal/auth", "internal/store", "internal/media"},
		"internal/voice":     {"internal/vad", "internal/brain", "internal/event", "internal/media"},
		"internal/vad":       {"internal/onnx", "internal/media"},
		"internal/recording": {"internal/media"},
		"internal/brain":     {},
		"internal/event":     {"internal/store"},

		// The durable side.
		"internal/jobs":        {"internal/store"},
		"internal/webhook":     {"internal/store"},
		"internal/analysis":    {"internal/brain/spoken", "internal/store"},
		"internal/hubspot":     {"internal/store"},
		"internal/batch":       {"internal/batch/sheet", "internal/store"},
		"internal/batch/sheet": {},
		"internal/auth":        {"internal/store", "internal/mail"},
		"internal/store":       {},

		"internal/media": {},

		"internal/httpapi/httpapitest": {"internal/httpapi", "internal/analysis", "internal/hubspot", "internal/batch", "internal/auth", "internal/store", "internal/mail", "internal/media", "internal/telemetry"},

		// Beside the column, under server. They return concrete types and know nothing of calls.
		"internal/sip":            {"internal/media"},
		"internal/provider":       {"internal/media"},
		"internal/provider/local": {"internal/media", "internal/onnx", "internal/model"},
		"internal/phonetest":      {"internal/sip", "internal/media", "internal/provider"},
		"internal/doctor":         {"internal/config", "internal/model", "internal/onnx", "internal/sip", "internal/store"},
		"internal/mail":           {},
		"internal/model":          {},
		"internal/onnx":           {},
		"internal/config":         {},
		"internal/telemetry":      {},
	}
}

func TestDependenciesPointDownward(t *testing.T) {
	t.Parallel()
	allowed := allowedImports()
	for dir, files := range goPackages(t) {
		imports := importsOf(files)
		if dir == "." {
			for _, imp := range imports {
				if first, _, _ := strings.Cut(imp, "/"); strings.Contains(first, ".") || first == module {
					t.Errorf("the root package imports %s: the vocabulary uses the standard library alone", imp)
				}
			}
			continue
		}
		entry, ok := entryOf(dir, allowed)
		if !ok {
			t.Errorf("%s is not in the table of allowed imports: decide where it stands", dir)
			continue
		}
		for _, imp := range imports {
			ours, is := strings.CutPrefix(imp, module+"/")
			if !is || isBelow(ours, entry) || slices.ContainsFunc(allowed[entry], func(a string) bool { return isBelow(ours, a) }) {
				continue
			}
			t.Errorf("%s imports %s, which is above or beside it; it may import %v", dir, ours, allowed[entry])
		}
	}
}

func TestTableOfImportsHasNoCycle(t *testing.T) {
	t.Parallel()
	allowed := allowedImports()
	var visit func(entry string, above []string)
	visit = func(entry string, above []string) {
		if slices.Contains(above, entry) {
			t.Fatalf("%v leads back to %s", above, entry)
		}
		for other := range allowed {
			if other != entry && slices.ContainsFunc(allowed[entry], func(a string) bool { return a != "internal" && isBelow(other, a) }) {
				visit(other, append(slices.Clone(above), entry))
			}
		}
	}
	for entry := range allowed {
		visit(entry, nil)
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	t.Parallel()
	for dir, files := range goPackages(t) {
		var comment string
		for _, f := range files {
			if isGenerated(f.text) {
				comment = "generated"
			}
			if f.syntax.Doc != nil {
				comment = f.syntax.Doc.Text()
				if want := regexp.MustCompile(`^(Package|Command) ` + commentName(dir, f.syntax) + `\b`); !want.MatchString(comment) {
					t.Errorf("%s: the package comment must begin with %q, not %.40q", f.name, want, comment)
				}
			}
		}
		if comment == "" {
			t.Errorf("%s has no package comment that says what it owns", dir)
		}
	}
}

// commentName is the name in a package comment: that of the package, of a command its folder's.
func commentName(dir string, f *ast.File) string {
	if f.Name.Name == "main" {
		return path.Base(dir)
	}
	return f.Name.Name
}

func TestNoFileIsTooLongToRead(t *testing.T) {
	t.Parallel()
	const limit = 700
	for _, f := range projectFiles(t) {
		if n := bytes.Count(f.text, []byte("\n")); path.Ext(f.name) == ".go" && n > limit && !isGenerated(f.text) {
			t.Errorf("%s has %d lines: split it below %d", f.name, n, limit)
		}
	}
}

// Nothing may depend on the machine it was written on, nor name where packages come from: those are a machine's settings.
func TestNothingNamesOneMachine(t *testing.T) {
	t.Parallel()
	var patterns []string
	for _, folder := range []string{"work", "root", "farm", "home", "Users"} {
		patterns = append(patterns, `(^|[\s"'=:(])/`+folder+`/`)
	}
	patterns = append(patterns, `registry\.npmjs`, `proxy\.golang`, `deb\.debian`)
	forbidden := regexp.MustCompile(`(?m)` + strings.Join(patterns, "|"))
	for _, f := range projectFiles(t) {
		if m := forbidden.Find(f.text); m != nil && f.name != "arch_test.go" {
			t.Errorf("%s names %q", f.name, strings.TrimSpace(string(m)))
		}
	}
}

// A test waits for events. In a testing/synctest bubble a sleep moves virtual time, and costs none.
func TestNoTestSleepsInRealTime(t *testing.T) {
	t.Parallel()
	sleep := regexp.MustCompile(`\btime\.Sleep\(`)
	for _, f := range projectFiles(t) {
		if strings.HasSuffix(f.name, "_test.go") && sleep.Match(f.text) && !bytes.Contains(f.text, []byte("\t\"testing/synctest\"\n")) {
			t.Errorf("%s sleeps in real time: wait for an event, or use testing/synctest", f.name)
		}
	}
}

func TestLinksInDocumentsResolve(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	checked := 0
	for _, f := range projectFiles(t) {
		if path.Ext(f.name) != ".md" {
			continue
		}
		for _, m := range link.FindAllSubmatch(f.text, -1) {
			target, anchor, _ := strings.Cut(string(m[1]), "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			checked++
			name := f.name
			if target != "" {
				name = path.Join(path.Dir(f.name), target)
			}
			text, err := os.ReadFile(filepath.FromSlash(name))
			if info, statErr := os.Stat(filepath.FromSlash(name)); statErr != nil {
				t.Errorf("%s links to %s, which is not there", f.name, target)
			} else if anchor != "" && (info.IsDir() || err != nil || !hasHeading(text, anchor)) {
				t.Errorf("%s links to %s#%s, which has no such heading", f.name, target, anchor)
			}
		}
	}
	if checked == 0 {
		t.Error("no link was found at all")
	}
}

func TestNothingIsLeftUnfinished(t *testing.T) {
	t.Parallel()
	unfinished := regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)
	for _, f := range projectFiles(t) {
		if m := unfinished.Find(f.text); m != nil && f.name != "arch_test.go" {
			t.Errorf("%s holds %s: finish it, or write down what is missing where users read it", f.name, m)
		}
	}
}

// hasHeading reports whether a document has a heading with this anchor.
func hasHeading(text []byte, anchor string) bool {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if title, ok := strings.CutPrefix(strings.TrimLeft(lines.Text(), "#"), " "); ok && strings.HasPrefix(lines.Text(), "#") && slug(title) == anchor {
			return true
		}
	}
	return false
}

// slug is a heading's anchor: lower case, hyphens for spaces, no punctuation.
func slug(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		case r == ' ':
			return '-'
		}
		return -1
	}, strings.TrimSpace(title))
}

// entryOf finds the table's entry of a package: its own, or the nearest above it.
func entryOf(dir string, table map[string][]string) (string, bool) {
	for d := dir; d != "."; d = path.Dir(d) {
		if _, ok := table[d]; ok {
			return d, true
		}
	}
	return "", false
}

// isBelow reports whether a package is the given one or below it.
func isBelow(dir, top string) bool { return dir == top || strings.HasPrefix(dir, top+"/") }

type goFile struct {
	projectFile
	syntax *ast.File
}

// goPackages parses every package of the module, without its tests.
func goPackages(t *testing.T) map[string][]goFile {
	t.Helper()
	packages := map[string][]goFile{}
	for _, f := range projectFiles(t) {
		if path.Ext(f.name) != ".go" || strings.HasSuffix(f.name, "_test.go") {
			continue
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), f.name, f.text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("parse: %v", err)
			continue
		}
		packages[path.Dir(f.name)] = append(packages[path.Dir(f.name)], goFile{f, syntax})
	}
	if len(packages) < 10 {
		t.Fatalf("only %d packages were found", len(packages))
	}
	return packages
}

func importsOf(files []goFile) []string {
	var all []string
	for _, f := range files {
		for _, spec := range f.syntax.Imports {
			if name, err := strconv.Unquote(spec.Path.Value); err == nil {
				all = append(all, name)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func isGenerated(text []byte) bool {
	head, _, _ := bytes.Cut(text, []byte("\npackage "))
	return bytes.Contains(head, []byte("Code generated ")) && bytes.Contains(head, []byte("DO NOT EDIT."))
}

type projectFile struct {
	name string // slash-separated, from the root of the repository
	text []byte
}

// projectFiles reads the project's own text files: not what was built, fetched or recorded.
func projectFiles(t *testing.T) []projectFile {
	t.Helper()
	var files []projectFile
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if d.IsDir() {
			if slices.Contains([]string{".git", "bin", "build", "data", "node_modules"}, name) || path.Base(name) == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if slices.Contains([]string{"go.sum", "internal/httpapi/docs/scalar.js"}, name) {
			return nil
		}
		text, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			return err
		}
		if !bytes.ContainsRune(text, 0) {
			files = append(files, projectFile{name, text})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
