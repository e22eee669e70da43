package sheet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"talkstack"
)

// Recipient is a row that can be called.
type Recipient struct {
	Row       int            // as Row.Number
	Line      int            // as Row.Line
	Number    string         // E.164
	Variables map[string]any // numbers of a JSON cell are json.Number; a blank cell gives no variable
	TimeZone  string         // IANA name; empty when the row names none
}

// Recipients reads the recipients of a sheet. The column "number" is required; "dynamicVariables" holds a JSON object,
// "timezone" an IANA name; every other column is a variable of that name, over which the JSON cell wins. Names of these
// three are matched without regard to case, and may be written dynamic_variables and time_zone; columns without a name
// are left out.
type Recipients struct {
	sheet    *Sheet
	region   string
	number   int
	json     int // -1 when there is none, as zone
	zone     int
	variable []string // by column; empty: it is no variable
	zones    map[string]bool
}

// NewRecipients reads the recipients of s. Numbers without a country code are those of region (ISO 3166-1, such as US);
// without one they are refused. The error is a talkstack.Error about the header.
func NewRecipients(s *Sheet, region string) (*Recipients, error) {
	r := &Recipients{sheet: s, region: region, number: -1, json: -1, zone: -1, variable: make([]string, len(s.header)), zones: map[string]bool{}}
	for i, name := range s.header {
		column := map[string]*int{
			"number":           &r.number,
			"dynamicvariables": &r.json, "dynamic_variables": &r.json,
			"timezone": &r.zone, "time_zone": &r.zone,
		}[strings.ToLower(name)]
		switch {
		case column != nil && *column >= 0, column == nil && name != "" && slices.Contains(r.variable[:i], name):
			return nil, invalid("The file has two columns %q: remove one, or give it another name.", clip(name))
		case column != nil:
			*column = i
		default:
			r.variable[i] = name
		}
	}
	if r.number < 0 {
		return nil, invalid("The file has no column number: its first row must name the columns, one of them number. It names %s.", listed(s.header))
	}
	return r, nil
}

// Next is the next recipient; errors are those of Sheet.Next, a *RowError also for a row that can not be called.
func (r *Recipients) Next() (Recipient, error) {
	row, err := r.sheet.Next()
	if err != nil {
		return Recipient{}, err
	}
	bad := func(reason string) (Recipient, error) {
		return Recipient{}, &RowError{Number: row.Number, Line: row.Line, Value: clip(strings.TrimSpace(row.Cells[r.number])), Reason: reason}
	}
	to := Recipient{Row: row.Number, Line: row.Line, Variables: map[string]any{}}
	var reason string
	if to.Number, reason = ParseNumber(row.Cells[r.number], r.region); reason != "" {
		return bad(reason)
	}
	for i, name := range r.variable {
		if value := strings.TrimSpace(row.Cells[i]); name != "" && value != "" {
			to.Variables[name] = value
		}
	}
	if r.json >= 0 {
		if reason := addObject(to.Variables, row.Cells[r.json]); reason != "" {
			return bad(reason)
		}
	}
	if r.zone >= 0 {
		to.TimeZone = strings.TrimSpace(row.Cells[r.zone])
		if reason := r.checkZone(to.TimeZone); reason != "" {
			return bad(reason)
		}
	}
	return to, nil
}

// addObject puts the values of a JSON object into variables.
func addObject(variables map[string]any, cell string) (reason string) {
	cell = strings.TrimSpace(cell)
	if cell == "" {
		return ""
	}
	d := json.NewDecoder(strings.NewReader(cell))
	d.UseNumber()
	var object map[string]any
	err := d.Decode(&object)
	if err == nil {
		if _, extra := d.Token(); !errors.Is(extra, io.EOF) {
			err = errors.New("something follows the object")
		}
	}
	switch {
	case err != nil && strings.ContainsAny(cell, "“”„"):
		return `The cell dynamicVariables is no JSON object: it has typographic quotes; use ".`
	case err != nil || object == nil:
		return `The cell dynamicVariables is no JSON object: write it like {"name": "Ada"}, or use a column for each variable.`
	case strings.Contains(cell, `\u0000`):
		return "The cell dynamicVariables holds a NUL character."
	}
	for name, value := range object {
		variables[name] = value
	}
	return ""
}

// checkZone checks a zone's name. Those that are right are remembered: there are some 600 at most.
func (r *Recipients) checkZone(name string) (reason string) {
	if name == "" || r.zones[name] {
		return ""
	}
	if _, err := talkstack.LoadZone(name); err != nil {
		return err.Error()
	}
	r.zones[name] = true
	return ""
}

// listed are the first names of a header, for a message.
func listed(header []string) string {
	names := make([]string, 0, 5)
	for _, name := range header {
		if len(names) == 5 {
			return strings.Join(names, ", ") + " and more"
		}
		if name != "" {
			names = append(names, fmt.Sprintf("%q", clip(name)))
		}
	}
	return strings.Join(names, ", ")
}
