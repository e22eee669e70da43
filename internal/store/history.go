package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"talkstack"
	"talkstack/internal/store/query"
)

// MaxPageSize is the most calls that one page of the history holds.
const MaxPageSize = 1000

// CallFilter says which calls are wanted. Zero fields want all.
type CallFilter struct {
	ProjectID     talkstack.ProjectID
	AgentID       talkstack.AgentID
	BatchID       talkstack.BatchID
	Status        talkstack.CallStatus
	Direction     talkstack.Direction
	To, From      string    // the whole number
	CreatedFrom   time.Time // at this instant or later
	CreatedBefore time.Time // before it
	EndedFrom     time.Time // at this instant or later: calls that have ended
	EndedBefore   time.Time // before it: calls that have ended
}

// CallHistory returns one page of the calls of the user's project that f wants, newest first, and whether there are more
// after it. Pages count from 0. A size outside 1 to MaxPageSize is CodeInvalid. A page costs more the deeper it is; Calls
// does not.
func (db *DB) CallHistory(ctx context.Context, user talkstack.UserID, f CallFilter, page, size int) ([]talkstack.Call, bool, error) {
	if page < 0 || page > 1<<31 || size < 1 || size > MaxPageSize {
		return nil, false, talkstack.Errorf(talkstack.CodeInvalid, "The page must not be negative, and its size must be from 1 to %d.", MaxPageSize)
	}
	if _, err := db.Project(ctx, user, f.ProjectID); err != nil {
		return nil, false, err
	}
	h := history{db: db, user: user, filter: f, limit: size + 1, skip: page * size} // one more tells whether there are more
	calls, err := h.read(ctx)
	if err != nil {
		return nil, false, err
	}
	more := len(calls) > size
	return calls[:min(len(calls), size)], more, nil
}

// Calls returns up to limit of the user's calls that f wants, newest first, from behind the cursor on. Calls that come in
// meanwhile move nothing. Somebody else's project, agent or batch has no calls.
func (db *DB) Calls(ctx context.Context, user talkstack.UserID, f CallFilter, after Cursor, limit int) ([]talkstack.Call, error) {
	h := history{db: db, user: user, filter: f, after: after, limit: limit}
	return h.read(ctx)
}

const (
	// fewCalls is how many calls are sorted rather than looked for: so many cost a few milliseconds.
	fewCalls = 2000
	// manyProjects is how many projects are looked through one by one for what has no index for a whole account.
	manyProjects = 100
	// clockSkew is how far the clocks of two nodes may be apart: one stores a call, another its end.
	clockSkew = time.Hour
)

// history is one reading of stored calls. Each filter has an index in the order of the answer, but for the time of the
// end; with several filters, the one that leaves few calls leads.
type history struct {
	db     *DB
	user   talkstack.UserID
	filter CallFilter
	after  Cursor
	limit  int
	skip   int
	args   []any
}

// arg adds a value to the statement and returns its placeholder.
func (h *history) arg(v any) string {
	switch x := v.(type) {
	case time.Time:
		v = x.UTC().Truncate(time.Microsecond)
	case talkstack.ProjectID:
		v = string(x)
	case talkstack.UserID:
		v = string(x)
	}
	h.args = append(h.args, v)
	return "?" + strconv.Itoa(len(h.args))
}

// lead is a filter that an index serves.
type lead struct {
	column  string // that the filter is about
	value   string // it must have; empty for the end
	scoped  bool   // the index begins with the project
	indexed bool   // there is one
	ordered bool   // it has the order of the answer
}

// leads are the filters that can lead, the likeliest to leave few calls first.
func (h *history) leads() []lead {
	f := &h.filter
	all := []lead{
		{"to_number", cleanText(f.To), true, true, true},
		{"batch_id", cleanText(string(f.BatchID)), false, true, true},
		{"agent_id", cleanText(string(f.AgentID)), false, true, true},
		{"from_number", cleanText(f.From), true, true, true},
		{"status", cleanText(string(f.Status)), true, true, true},
		{"direction", cleanText(string(f.Direction)), true, f.Direction == talkstack.Inbound, f.Direction == talkstack.Inbound},
	}
	wanted := all[:0]
	for _, l := range all {
		if l.value != "" {
			wanted = append(wanted, l)
		}
	}
	if !f.EndedFrom.IsZero() || !f.EndedBefore.IsZero() {
		wanted = append(wanted, lead{column: "ended_at", scoped: true, indexed: true})
	}
	return wanted
}

// test is the condition of a filter. One that does not lead is written so that no index is used for it.
func (h *history) test(l lead, leads bool) string {
	var text string
	switch l.column {
	case "ended_at":
		text = "ended_at IS NOT NULL"
		if t := h.filter.EndedFrom; !t.IsZero() {
			text += " AND ended_at >= " + h.arg(t)
		}
		if t := h.filter.EndedBefore; !t.IsZero() {
			text += " AND ended_at < " + h.arg(t)
		}
	case "direction": // as a literal: so the database sees that the index of incoming calls will do
		text = "direction = 'outbound'"
		if l.value == string(talkstack.Inbound) {
			text = "direction = 'inbound'"
		}
	default:
		text = l.column + " = " + h.arg(l.value)
	}
	if leads {
		return text
	}
	return "(" + text + ") IS TRUE"
}

// times are the conditions on when a call was created. Every index with the answer's order serves them.
func (h *history) times() string {
	text := "TRUE"
	if t := h.filter.CreatedFrom; !t.IsZero() {
		text += " AND created_at >= " + h.arg(t)
	}
	before := h.filter.CreatedBefore
	if t := h.filter.EndedBefore; !t.IsZero() && (before.IsZero() || t.Add(clockSkew).Before(before)) {
		before = t.Add(clockSkew) // what was created later has not ended by then
	}
	if !before.IsZero() {
		text += " AND created_at < " + h.arg(before)
	}
	if !h.after.At.IsZero() {
		text += " AND (created_at, sid) < (" + h.arg(h.after.At) + ", " + h.arg(cleanText(h.after.ID)) + ")"
	}
	return text
}

const newestFirst = " ORDER BY created_at DESC, sid DESC"

// read chooses a way and goes it.
func (h *history) read(ctx context.Context) ([]talkstack.Call, error) {
	rest, err := h.statement(ctx)
	if err != nil || rest == "" {
		return nil, wrap("read the call history", err)
	}
	rows, err := h.queries().SelectCalls(ctx, h.text(rest), h.values())
	if err != nil {
		return nil, wrap("read the call history", err)
	}
	return callsOf(rows)
}

// statement is what follows "SELECT … FROM calls"; empty when there can be no calls.
func (h *history) statement(ctx context.Context) (string, error) {
	leads := h.leads()
	first, few, err := h.choose(ctx, leads)
	if err != nil {
		return "", err
	}
	projects := []talkstack.ProjectID{h.filter.ProjectID}
	if h.filter.ProjectID == "" && first >= 0 && leads[first].scoped {
		if projects, err = h.db.reader().ProjectsOfUser(ctx, query.ProjectsOfUserParams{UserID: h.user, MaxProjects: manyProjects + 1}); err != nil {
			return "", err
		}
		switch {
		case len(projects) == 0:
			return "", nil
		case len(projects) > manyProjects:
			first, projects = -1, []talkstack.ProjectID{""}
		}
	}
	h.args = nil
	var page string
	if len(projects) == 1 {
		page = h.page(leads, first, few, projects[0])
	} else {
		parts := make([]string, len(projects))
		for i, p := range projects {
			parts[i] = fmt.Sprintf("SELECT * FROM (%s) AS p%d", h.page(leads, first, few, p), i)
		}
		page = "SELECT sid, created_at FROM (" + strings.Join(parts, " UNION ALL ") + ") AS u" + newestFirst + " LIMIT " + h.arg(int64(h.limit))
	}
	// whole rows are fetched for the page alone
	return "WHERE sid IN (SELECT sid FROM (" + page + ") AS page) AND (user_id = " + h.arg(h.user) + ") IS TRUE" + newestFirst, nil
}

// choose returns which filter leads, -1 for none, and whether it leaves few calls. Among several, the first that does leads.
func (h *history) choose(ctx context.Context, leads []lead) (first int, few bool, err error) {
	first = -1
	for i, l := range leads {
		if l.ordered && first < 0 {
			first = i
		}
		if !l.indexed || len(leads) == 1 && l.ordered || l.scoped && h.filter.ProjectID == "" {
			continue // nothing to choose, or nothing to count in
		}
		h.args = nil
		count := "SELECT COUNT(*) FROM (SELECT 1 FROM calls WHERE " + h.scope(l, h.filter.ProjectID) + h.test(l, true) + " LIMIT " + strconv.Itoa(fewCalls+1) + ") AS n"
		n, err := h.queries().Count(ctx, h.text(count), h.values())
		if err != nil {
			return 0, false, err
		}
		if n <= fewCalls {
			return i, true, nil
		}
	}
	return first, false, nil
}

// scope is whose calls are looked through: what the index of the filter that leads begins with.
func (h *history) scope(l lead, project talkstack.ProjectID) string {
	switch {
	case !l.scoped:
		return ""
	case project != "":
		return "project_id = " + h.arg(project) + " AND "
	}
	return "user_id = " + h.arg(h.user) + " AND "
}

// page is the statement that finds the page's calls.
func (h *history) page(leads []lead, first int, few bool, project talkstack.ProjectID) string {
	by := lead{scoped: true}
	if first >= 0 {
		by = leads[first]
	}
	text := h.scope(by, project)
	for i, l := range leads {
		text += h.test(l, i == first) + " AND "
	}
	if project != "" && !by.scoped {
		text += "(project_id = " + h.arg(project) + ") IS TRUE AND "
	}
	text = "SELECT sid, created_at FROM calls WHERE " + text + h.times()
	if few { // sorted after they are found: the database must not look for them in the order of the answer
		text = "WITH found AS MATERIALIZED (" + text + ") SELECT sid, created_at FROM found"
	}
	text += newestFirst + " LIMIT " + h.arg(int64(h.limit))
	if h.skip > 0 {
		text += " OFFSET " + h.arg(int64(h.skip))
	}
	return text
}

// queries run statements that are not generated, and text fits them to the database. They are not remembered as the
// generated ones are: there are many.
func (h *history) queries() *query.Queries { return query.New(h.db.read) }

func (h *history) text(s string) string {
	if h.db.engine == PostgreSQL {
		return rewrite(s)
	}
	return s
}

// values are the arguments of the statement. PostgreSQL is told to plan for these very ones: a status that few calls have
// wants another way than one that most have, and a prepared statement knows only the average.
func (h *history) values() []any {
	if h.db.engine == PostgreSQL {
		return append([]any{pgx.QueryExecModeExec}, h.args...)
	}
	return h.args
}
