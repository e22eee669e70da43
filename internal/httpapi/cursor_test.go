package httpapi

import (
	"strings"
	"testing"
	"time"

	"talkstack"
)

func TestCursorsOpenTheirOwnListOnly(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 11, 17, 49, 38, 925_001_000, time.FixedZone("CET", 3600))
	sealed := sealTimeCursor("calls", at, "CA1")
	c, err := openTimeCursor("calls", sealed)
	if err != nil || !c.At.Equal(at) || c.ID != "CA1" {
		t.Errorf("opened: %+v, %v", c, err)
	}
	if c, err := openTimeCursor("calls", ""); err != nil || !c.At.IsZero() || c.ID != "" {
		t.Errorf("an empty cursor is the beginning: %+v, %v", c, err)
	}
	for i := range sealed { // whatever character is changed
		changed := []byte(sealed)
		if changed[i]++; changed[i] == 'Z'+1 {
			changed[i] = 'A'
		}
		if _, err := openTimeCursor("calls", string(changed)); talkstack.ErrorCode(err) != talkstack.CodeInvalid {
			t.Errorf("character %d was changed: %v", i, err)
		}
	}
	for what, cursor := range map[string]string{
		"another list's": sealTimeCursor("batches", at, "CA1"), "of more values": sealCursor("calls", "a", "b", "c"),
		"of no time": sealCursor("calls", "yesterday", "CA1"), "padded": sealed + "=", "cut": sealed[:8], "no base64": "äöü",
		"of the zero time": sealCursor("calls", "0001-01-01T00:00:00Z", ""),
	} {
		if _, err := openTimeCursor("calls", cursor); talkstack.ErrorCode(err) != talkstack.CodeInvalid {
			t.Errorf("a cursor %s: %v; want invalid", what, err)
		}
	}
}

func TestPagesSayWhetherThereIsAnother(t *testing.T) {
	t.Parallel()
	wire, cursor := func(s string) string { return strings.ToUpper(s) }, func(s string) string { return "after " + s }
	if p := pageOf([]string{"a", "b"}, 2, wire, cursor); p.NextCursor != nil || strings.Join(p.Data, "") != "AB" {
		t.Errorf("the last page: %+v", p)
	}
	if p := pageOf([]string{"a", "b", "c"}, 2, wire, cursor); p.NextCursor == nil || *p.NextCursor != "after b" || strings.Join(p.Data, "") != "AB" {
		t.Errorf("a page before it: %+v", p)
	}
	if p := pageOf(nil, 2, wire, cursor); p.Data == nil || p.NextCursor != nil {
		t.Errorf("an empty list: %+v", p)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(sealTimeCursor("calls", time.Unix(1_800_000_000, 1000), "CA1"))
	f.Add(sealCursor("calls", "a"))
	f.Add("AAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := openTimeCursor("calls", s)
		if err != nil {
			if talkstack.ErrorCode(err) != talkstack.CodeInvalid {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if s != "" && sealTimeCursor("calls", c.At, c.ID) != s {
			t.Errorf("%q opens as %+v, which is sealed differently", s, c)
		}
	})
}
