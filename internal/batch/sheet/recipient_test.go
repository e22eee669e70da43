package sheet_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"talkstack"
	"talkstack/internal/batch/sheet"
)

func TestRecipients(t *testing.T) {
	t.Parallel()
	r, err := sheet.NewRecipients(open(t, []byte(
		"NUMBER ,dynamicVariables,Time_Zone,name,\n"+
			`+1 (415) 555-0101,"{""name"": ""Ada"", ""account"": 12345678901234567890, ""tags"": [1]}",Europe/Berlin,Bob,dropped`+"\n"+
			"+14155550102,,,,\n"+
			"+14155550103,,, Bob ,\n"+
			"\n"+
			"nobody,,,,\n"+
			"+14155550104,[1],,,\n"+
			"+14155550105,{“name”: 1},,,\n"+
			`+14155550106,"{""a"": 1} {}",,,`+"\n"+
			`+14155550107,null,,,`+"\n"+
			`+14155550108,"{""a"": ""\u0000""}",,,`+"\n"+
			"+14155550109,,Berlin,,\n"+
			"+14155550110,,Local,,\n")), "")
	if err != nil {
		t.Fatal(err)
	}
	wanted := []sheet.Recipient{
		{Row: 1, Line: 2, Number: "+14155550101", TimeZone: "Europe/Berlin", Variables: map[string]any{
			"name": "Ada", "account": json.Number("12345678901234567890"), "tags": []any{json.Number("1")},
		}},
		{Row: 2, Line: 3, Number: "+14155550102", Variables: map[string]any{}},
		{Row: 3, Line: 4, Number: "+14155550103", Variables: map[string]any{"name": "Bob"}},
	}
	for _, want := range wanted {
		if got, err := r.Next(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
	for i, says := range []string{
		"not a phone number", "is no JSON object", "typographic quotes", "is no JSON object", "is no JSON object", "NUL",
		"is not a time zone", "is not a time zone",
	} {
		_, err := r.Next()
		bad, ok := errors.AsType[*sheet.RowError](err)
		if !ok || bad.Number != i+4 || bad.Line != i+6 || !strings.Contains(bad.Reason, says) || bad.Value == "" {
			t.Errorf("row %d: got %+v, %v; want %q", i+4, bad, err, says)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("the end is %v", err)
	}
}

func TestHeaderOfRecipients(t *testing.T) {
	t.Parallel()
	for header, says := range map[string]string{
		"phone,name":               `"phone", "name"`,
		"number,Number":            "two columns",
		"number,name,name":         "two columns",
		"number,timezone,timeZone": "two columns",
		"a,b,c,d,e,f,g":            "and more",
	} {
		file := []byte(header + "\n")
		s, err := sheet.Open(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sheet.NewRecipients(s, ""); talkstack.ErrorCode(err) != talkstack.CodeInvalid || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", header, err, says)
		}
	}
}

func TestParseNumber(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, region, want string }{ // want: the number, or a part of the reason
		{"+14155550101", "", "+14155550101"},
		{" +1 (415) 555-0101 ", "", "+14155550101"},
		{"'+14155550101", "", "+14155550101"},
		{"tel:+1-415-555-0101", "", "+14155550101"},
		{"\u202a+1\u00a0415\u2011555\u20110101\u202c", "", "+14155550101"},
		{"+39 06 1234 5678", "", "+390612345678"}, // Italy keeps its zero
		{"+4930901820", "US", "+4930901820"},
		{"4155550101", "US", "+14155550101"},
		{"14155550101", "US", "+14155550101"},
		{"14155550101.0", "US", "+14155550101"},
		{"030/901820", "DE", "+4930901820"},
		{"0049 30 901820", "DE", "+4930901820"},
		{"07911 123456", "GB", "+447911123456"},
		{"4155550101", "", "no country code"},
		{"0014155550101", "", "no country code"},
		{"4.15555E+10", "US", "has shortened the number"},
		{"4,15555e10", "", "has shortened the number"},
		{"1E+11", "US", "has shortened the number"},
		{"", "US", "is missing"},
		{"'", "US", "is missing"},
		{"5550101", "US", "lacks its area code"},
		{"+1415555", "", "too short"},
		{"+1415555010199", "", "too long"},
		{"+14155550101 / +14155550102", "", "does not belong"},
		{strings.Repeat("1", 41), "US", "too long"},
		{"+999123456789", "", "not a phone number"},
		{"+14155550101 ext. 5", "", "extension"},
		{"+14155550101;ext=5", "", "extension"},
		{"1-800-FLOWERS", "US", "does not belong"},
		{"Ada", "US", "does not belong"},
		{"+19005550101", "", "premium-rate"},
		{"+449098790000", "", "premium-rate"},
		{"#REF!", "US", "does not belong"},
		{"-", "US", "not a phone number"},
		{"112", "US", "too short"},
	} {
		got, reason := sheet.ParseNumber(c.in, c.region)
		if strings.HasPrefix(c.want, "+") && (got != c.want || reason != "") ||
			!strings.HasPrefix(c.want, "+") && (got != "" || !strings.Contains(reason, c.want)) {
			t.Errorf("%q in %q: got %q, %q; want %q", c.in, c.region, got, reason, c.want)
		}
	}
	if !sheet.KnownRegion("DE") || sheet.KnownRegion("de") || sheet.KnownRegion("XX") || sheet.KnownRegion("") {
		t.Error("regions are not told apart")
	}
}

func BenchmarkParseNumber(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, reason := sheet.ParseNumber("+1 (415) 555-0101", ""); reason != "" {
			b.Fatal(reason)
		}
	}
}
