package main

import (
	"strings"
	"testing"
)

func TestReportCountsLeavesAndShowsWhatMatters(t *testing.T) {
	t.Parallel()
	const stream = `{"Action":"run","Package":"p","Test":"TestGood"}
{"Action":"output","Package":"p","Test":"TestGood","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestGood","Elapsed":0.1}
{"Action":"run","Package":"p","Test":"TestTable"}
{"Action":"run","Package":"p","Test":"TestTable/a"}
{"Action":"pass","Package":"p","Test":"TestTable/a"}
{"Action":"run","Package":"p","Test":"TestTable/b"}
{"Action":"output","Package":"p","Test":"TestTable/b","Output":"b is wrong\n"}
{"Action":"fail","Package":"p","Test":"TestTable/b"}
{"Action":"fail","Package":"p","Test":"TestTable"}
{"Action":"run","Package":"p","Test":"TestPeer"}
{"Action":"output","Package":"p","Test":"TestPeer","Output":"=== RUN   TestPeer\n"}
{"Action":"output","Package":"p","Test":"TestPeer","Output":"--- SKIP: no peer here\n"}
{"Action":"skip","Package":"p","Test":"TestPeer"}
{"Action":"run","Package":"p","Test":"TestLong"}
{"Action":"pass","Package":"p","Test":"TestLong","Elapsed":12.34}
{"Action":"output","Package":"p","Output":"FAIL\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t12.5s\n"}
{"Action":"fail","Package":"p","Elapsed":12.5}
{"Action":"output","Package":"q","Output":"ok  \tq\t0.1s\n"}
{"Action":"pass","Package":"q"}
`
	got, out := count(t, stream)
	if got != "3 passed, 1 failed, 1 skipped" {
		t.Errorf("counted %q", got)
	}
	for _, want := range []string{"b is wrong\n", "--- SKIP: no peer here\n", "--- PASS: TestLong (12.3s)\n", "FAIL\tp\t12.5s\n", "ok  \tq\t0.1s\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
	for _, unwanted := range []string{"noise", "=== RUN"} {
		if strings.Contains(out, unwanted) {
			t.Errorf("output holds %q:\n%s", unwanted, out)
		}
	}
}

func TestReportFailsWhatDidNotBuild(t *testing.T) {
	t.Parallel()
	const stream = `{"Action":"build-output","ImportPath":"p","Output":"x.go:1: broken\n"}
{"Action":"build-fail","ImportPath":"p"}
{"Action":"start","Package":"p"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p","FailedBuild":"p"}
`
	got, out := count(t, stream)
	if got != "0 passed, 1 failed, 0 skipped" || !strings.Contains(out, "x.go:1: broken") || !strings.Contains(out, "[build failed]") {
		t.Errorf("counted %q, showed\n%s", got, out)
	}
}

func TestReportFailsATestWhoseProcessDied(t *testing.T) {
	t.Parallel()
	const stream = `{"Action":"run","Package":"p","Test":"TestTable"}
{"Action":"run","Package":"p","Test":"TestTable/a"}
{"Action":"output","Package":"p","Test":"TestTable/a","Output":"panic: boom\n"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}
`
	got, out := count(t, stream)
	if got != "0 passed, 1 failed, 0 skipped" || !strings.Contains(out, "panic: boom") {
		t.Errorf("counted %q, showed\n%s", got, out)
	}
}

func TestGroupsSplitAtDashes(t *testing.T) {
	t.Parallel()
	got := groups([]string{"--", "-race", "a", "--", "-p=1", "b"})
	if len(got) != 2 || strings.Join(got[0], " ") != "-race a" || strings.Join(got[1], " ") != "-p=1 b" {
		t.Errorf("groups are %q", got)
	}
}

// count feeds a stream to a report and returns its closing line and all that it showed.
func count(t *testing.T, stream string) (closing, all string) {
	t.Helper()
	var out strings.Builder
	r := newReport(&out)
	if err := r.read(strings.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	r.close()
	all = out.String()
	lines := strings.Split(strings.TrimSpace(all), "\n")
	return lines[len(lines)-1], all
}

func TestReportOfNamesWithSlashesAndOfWhatAPackageSays(t *testing.T) {
	t.Parallel()
	const stream = `{"Action":"run","Package":"p","Test":"TestDate"}
{"Action":"run","Package":"p","Test":"TestDate/11/26"}
{"Action":"pass","Package":"p","Test":"TestDate/11/26"}
{"Action":"pass","Package":"p","Test":"TestDate"}
{"Action":"output","Package":"p","Output":"PASS\n"}
{"Action":"output","Package":"p","Output":"peers: sipp 26 ran\n"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}
`
	got, out := count(t, stream)
	if got != "1 passed, 0 failed, 0 skipped" || !strings.Contains(out, "peers: sipp 26 ran") || strings.Contains(out, "PASS\n") {
		t.Errorf("counted %q, showed\n%s", got, out)
	}
}
