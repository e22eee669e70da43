package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// event is one line of `go test -json` (go doc test2json).
type event struct {
	Action     string
	Package    string
	ImportPath string // of build output
	Test       string
	Elapsed    float64 // seconds
	Output     string
}

// slow is how long a passing test may take, in seconds, before it gets a line of its own.
const slow = 5

// report shows and counts tests. A test with subtests is not counted itself, except when it alone failed.
type report struct {
	out                     io.Writer
	packages                map[string]*packageRun
	passed, failed, skipped int
}

// packageRun is what is known of a package that is being tested.
type packageRun struct {
	order    []string // names of tests in the order they began
	tests    map[string]*testRun
	output   strings.Builder // of the package itself
	failures int
}

type testRun struct {
	output   strings.Builder
	outcome  string // empty while it runs
	children int
	failures int // of its subtests
}

func newReport(out io.Writer) *report {
	return &report{out: out, packages: map[string]*packageRun{}}
}

// read takes events until the stream ends. Lines that are no events are shown as they are.
func (r *report) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e.Action == "" {
			fmt.Fprintln(r.out, lines.Text())
			continue
		}
		r.take(e)
	}
	return lines.Err()
}

func (r *report) take(e event) {
	if e.Action == "build-output" {
		fmt.Fprint(r.out, e.Output)
		return
	}
	if e.Package == "" {
		return
	}
	p := r.packages[e.Package]
	if p == nil {
		p = &packageRun{tests: map[string]*testRun{}}
		r.packages[e.Package] = p
	}
	if e.Test == "" {
		r.takePackage(e, p)
		return
	}
	t := p.test(e.Test)
	switch e.Action {
	case "output":
		t.output.WriteString(e.Output)
	case "pass", "fail", "skip":
		t.outcome = e.Action
		r.show(e, t)
		if e.Action == "fail" {
			if parent := p.parent(e.Test); parent != nil {
				parent.failures++
			}
		}
	}
}

// takePackage shows a package's own lines: the one with ok or FAIL, and all of them when it failed.
func (r *report) takePackage(e event, p *packageRun) {
	switch e.Action {
	case "output":
		if line := e.Output; strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "?   \t") || strings.HasPrefix(line, "FAIL\t") {
			p.finish(r)
			fmt.Fprint(r.out, line)
			return
		}
		p.output.WriteString(e.Output)
	case "pass", "fail", "skip":
		p.finish(r)
		if e.Action != "fail" {
			fmt.Fprint(r.out, ownWords(p.output.String()))
		} else {
			fmt.Fprint(r.out, p.output.String())
			if p.failures == 0 { // it did not build, or broke outside of a test
				r.failed++
			}
		}
		delete(r.packages, e.Package)
	}
}

// finish counts a package's tests, once.
func (p *packageRun) finish(r *report) {
	for _, name := range slices.Backward(p.order) { // subtests before what they belong to
		t := p.tests[name]
		if t.outcome == "" { // the process died while it ran
			t.outcome = "fail"
			fmt.Fprintf(r.out, "--- FAIL: %s (it did not end)\n%s", name, t.output.String())
			if parent := p.parent(name); parent != nil {
				parent.failures++
			}
		}
		switch {
		case t.outcome == "fail" && t.failures == 0:
			r.failed++
			p.failures++
		case t.children > 0:
		case t.outcome == "skip":
			r.skipped++
		case t.outcome == "pass":
			r.passed++
		}
	}
	p.order, p.tests = nil, map[string]*testRun{}
}

func (p *packageRun) test(name string) *testRun {
	t := p.tests[name]
	if t == nil {
		t = &testRun{}
		p.tests[name] = t
		p.order = append(p.order, name)
		if parent := p.parent(name); parent != nil {
			parent.children++
		}
	}
	return t
}

// parent is the test that a subtest belongs to, nil when it is none. A subtest's own name may hold slashes ("11/26").
func (p *packageRun) parent(name string) *testRun {
	for i := strings.LastIndexByte(name, '/'); i > 0; i = strings.LastIndexByte(name[:i], '/') {
		if t := p.tests[name[:i]]; t != nil {
			return t
		}
	}
	return nil
}

// show prints what failed, what was skipped, and what took long.
func (r *report) show(e event, t *testRun) {
	switch {
	case e.Action == "fail":
		fmt.Fprint(r.out, withoutMarks(t.output.String()))
	case e.Action == "skip":
		fmt.Fprint(r.out, withoutMarks(t.output.String()))
	case e.Elapsed >= slow && !strings.Contains(e.Test, "/"):
		fmt.Fprintf(r.out, "--- PASS: %s (%.1fs)\n", e.Test, e.Elapsed)
	}
	t.output.Reset()
}

// ownWords is what a package that passed says of itself, such as how many peers it was tested against.
func ownWords(output string) string {
	var b strings.Builder
	for line := range strings.Lines(output) {
		if text := strings.TrimSpace(line); text != "" && text != "PASS" && !strings.HasPrefix(text, "-test.shuffle") && !strings.HasPrefix(text, "testing: warning") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// withoutMarks drops the lines that only say that a test began.
func withoutMarks(output string) string {
	var b strings.Builder
	for line := range strings.Lines(output) {
		if !strings.HasPrefix(line, "=== ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// close prints the counts.
func (r *report) close() {
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
}
