// Package storetest holds what every database of the store must do: one suite that runs on each of them, and a private
// PostgreSQL server for tests. It owns no production code.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/store"
)

// Run runs the conformance suite. open must return a new, migrated and otherwise empty database each time, and close it
// when its test ends. The suite reads and writes through many goroutines.
func Run(t *testing.T, open func(t testing.TB) *store.DB) {
	tests := []struct {
		name string
		run  func(t *testing.T, db *store.DB)
	}{
		{"Users", testUsers},
		{"EmailCodes", testEmailCodes},
		{"EmailCodeTriesAreAtomic", testEmailCodeTries},
		{"RefreshTokens", testRefreshTokens},
		{"RefreshTokenRace", testRefreshTokenRace},
		{"Passwords", testPasswords},
		{"PasswordResets", testPasswordResets},
		{"PasswordResetRace", testPasswordResetRace},
		{"AuditLog", testAuditLog},
		{"AuditFilters", testAuditFilters},
		{"AuditIsBounded", testAuditIsBounded},
		{"APIKeys", testAPIKeys},
		{"Failures", testFailures},
		{"Secrets", testSecrets},
		{"Projects", testProjects},
		{"DeleteProject", testDeleteProject},
		{"DeleteManyWaiting", testDeleteManyWaiting},
		{"DeleteWhileClaimed", testDeleteWhileClaimed},
		{"DeleteCancelsBatches", testDeleteCancelsBatches},
		{"PlaceWhileDeleting", testPlaceWhileDeleting},
		{"NumberRace", testNumberRace},
		{"CatalogueAudit", testCatalogueAudit},
		{"ActiveAgent", testActiveAgent},
		{"Agents", testAgents},
		{"AgentUpdateRace", testAgentUpdateRace},
		{"AgentNumberAndFields", testAgentNumberAndFields},
		{"Numbers", testNumbers},
		{"RouteInbound", testRouteInbound},
		{"PlaceCall", testPlaceCall},
		{"CallLife", testCallLife},
		{"IllegalChanges", testIllegalChanges},
		{"FinishTwice", testFinishTwice},
		{"InboundCalls", testInboundCalls},
		{"InboundLimitRace", testInboundLimitRace},
		{"Hangup", testHangup},
		{"History", testHistory},
		{"HistoryFilters", testHistoryFilters},
		{"HistoryWhileCallsComeIn", testHistoryWhileCallsComeIn},
		{"Usage", testUsage},
		{"ReserveKey", testReserveKey},
		{"ReserveKeyRace", testReserveKeyRace},
		{"Turns", testTurns},
		{"ClaimIsFair", testClaimFairness},
		{"ClaimKeepsLimits", testClaimLimits},
		{"ClaimWaitsForNotBefore", testClaimNotBefore},
		{"BatchLoading", testBatchLoading},
		{"BatchPauseAndCancelRace", testBatchPause},
		{"BatchRetry", testBatchRetry},
		{"AnalysisOrder", testAnalysisOrder},
		{"BatchCompletes", testBatchCompletes},
		{"BatchesTakeTurns", testClaimBatchesTakeTurns},
		{"RedialInterrupted", testRedialInterrupted},
		{"DoNotCall", testDoNotCall},
		{"DoNotCallAfterClaim", testDoNotCallAfterClaim},
		{"BatchEndsWhileLoading", testBatchEndsWhileLoading},
		{"ReapAfterDeath", testReap},
		{"Abandon", testAbandon},
		{"Tenancy", testTenancy},
		{"Times", testTimes},
		{"Texts", testTexts},
		{"BadTexts", testBadTexts},
		{"ReadThenWrite", testReadThenWrite},
		{"Deliveries", testDeliveries},
		{"DeliveriesOfOtherEnds", testDeliveriesOfOtherEnds},
		{"DeliveryOrder", testDeliveryOrder},
		{"DeliveryLease", testDeliveryLease},
		{"DeliveryHandover", testDeliveryHandover},
		{"DeliveryUpkeep", testDeliveryUpkeep},
		{"DeliveryAlarm", testDeliveryAlarm},
		{"DeliveryList", testDeliveryList},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

// OnEach runs a test once for each database, side by side, with the configuration of an empty one of its own, to be
// opened by Open. The package's TestMain must call Main.
func OnEach(t *testing.T, test func(t *testing.T, cfg store.Config)) {
	t.Helper()
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, store.Config{Path: filepath.Join(t.TempDir(), "talkstack.db")})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, store.Config{URL: MigratedPostgreSQL(t)})
	})
}

// OpenSQLite returns a new, migrated SQLite database that is closed with the test.
func OpenSQLite(t testing.TB) *store.DB {
	t.Helper()
	return Open(t, store.Config{Path: filepath.Join(t.TempDir(), "talkstack.db")})
}

// sqliteTemplate is an SQLite file with the schema, made by the first test that needs one.
//
//nolint:gochecknoglobals // one for all tests of a binary: migrating takes longer than most of them
var sqliteTemplate = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "talkstack-sqlite-")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "talkstack.db")
	err = migrateOnce(store.Config{Path: path})
	data, readErr := os.ReadFile(path)
	return data, errors.Join(err, readErr, os.RemoveAll(dir))
})

// copySQLite puts a migrated file where there is none yet.
func copySQLite(t testing.TB, path string) {
	t.Helper()
	if _, err := os.Stat(path); err == nil {
		return
	}
	data, err := sqliteTemplate()
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Open opens and migrates a database that is closed with the test.
func Open(t testing.TB, cfg store.Config) *store.DB {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if cfg.Prices, err = talkstack.ParsePrices("carrier=6/min"); err != nil { // for calls that nobody finishes
		t.Fatal(err)
	}
	if cfg.URL == "" {
		copySQLite(t, cfg.Path)
	}
	db, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db
}

// Account is an account with a project, an agent in it and a number of the agent.
type Account struct {
	User    talkstack.User
	Project talkstack.Project
	Agent   talkstack.Agent
	Number  talkstack.Number
}

//nolint:gochecknoglobals // numbers must differ within a database, and tests share nothing else
var accounts atomic.Int64

// NewAccount stores an account whose project may have so many calls at once.
func NewAccount(t testing.TB, db *store.DB, maxCalls int) Account {
	t.Helper()
	ctx := t.Context()
	n := accounts.Add(1)
	var a Account
	var err error
	if a.User, err = db.CreateUser(ctx, talkstack.User{Email: fmt.Sprintf("owner%d@example.com", n), Name: "Owner", PasswordHash: "hash", Verified: true}); err != nil {
		t.Fatal(err)
	}
	if a.Project, err = db.CreateProject(ctx, talkstack.Project{UserID: a.User.ID, Name: "Clinic", MaxCalls: maxCalls}); err != nil {
		t.Fatal(err)
	}
	e164 := fmt.Sprintf("+1415555%04d", n)
	a.Agent, err = db.CreateAgent(ctx, talkstack.Agent{
		UserID: a.User.ID, ProjectID: a.Project.ID, Name: "Jack", Prompt: "You are Jack.", VoiceID: "heart", Settings: talkstack.DefaultAgentSettings(),
	}, e164)
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := db.NumbersByAgent(ctx, a.User.ID, a.Agent.ID)
	if err != nil || len(numbers) != 1 {
		t.Fatalf("numbers of the new agent: %v, %v", numbers, err)
	}
	a.Number = numbers[0]
	return a
}

// BenchmarkOnEach runs a benchmark on both databases. PostgreSQL runs without fsync, as in tests; SQLite with
// synchronous=FULL.
func BenchmarkOnEach(b *testing.B, run func(b *testing.B, db *store.DB)) {
	b.Helper()
	b.Run("SQLite", func(b *testing.B) { run(b, OpenSQLite(b)) })
	b.Run("PostgreSQL", func(b *testing.B) { run(b, OpenPostgreSQL(b)) })
}

// assign gives a number to an agent.
func assign(
	ctx context.Context, db *store.DB, user talkstack.UserID, project talkstack.ProjectID, agent talkstack.AgentID, e164 string,
) (talkstack.Number, error) {
	return db.AssignNumber(ctx, talkstack.Number{UserID: user, ProjectID: project, AgentID: agent, E164: e164})
}

// Place stores so many queued calls of an account.
func (a Account) Place(t testing.TB, db *store.DB, n int) []talkstack.Call {
	t.Helper()
	out := make([]talkstack.Call, n)
	for i := range out {
		c, err := db.PlaceCall(t.Context(), a.Call())
		if err != nil {
			t.Fatal(err)
		}
		out[i] = c
	}
	return out
}

// Call is an outbound call of the account that is not stored yet.
func (a Account) Call() talkstack.Call {
	return talkstack.Call{
		UserID: a.User.ID, ProjectID: a.Project.ID, AgentID: a.Agent.ID, From: a.Number.E164, To: "+12065550123",
		DynamicVariables: map[string]any{"name": "John"},
	}
}

// Completed is how a conversation ends well.
func Completed() talkstack.Ending {
	return talkstack.Ending{Status: talkstack.StatusCompleted, Reason: talkstack.EndReason{
		Party: talkstack.PartyAgent, Code: talkstack.EndAgentHangup, Message: "The agent hung up.",
	}}
}

// node is a node that the database knows.
func node(t testing.TB, db *store.DB) talkstack.NodeID {
	t.Helper()
	id := talkstack.NewNodeID()
	if err := db.Heartbeat(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	return id
}

func wantCode(t testing.TB, err error, code talkstack.Code) {
	t.Helper()
	if talkstack.ErrorCode(err) != code {
		t.Errorf("error is %q (%v), want code %q", talkstack.ErrorCode(err), err, code)
	}
}

func wantNotHeld(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrNotHeld) {
		t.Errorf("error is %v, want ErrNotHeld", err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// got stops the test at an error and passes the value on.
func got[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

func equal[T any](t testing.TB, what string, have, want T) {
	t.Helper()
	if !reflect.DeepEqual(have, want) {
		t.Errorf("%s:\nhave %+v\nwant %+v", what, have, want)
	}
}

// stored is the call as the database has it now.
func stored(t testing.TB, db *store.DB, sid talkstack.CallSID) talkstack.Call {
	t.Helper()
	return got[talkstack.Call](t)(db.CallBySID(t.Context(), sid))
}

// claimOne claims exactly one call.
func claimOne(t testing.TB, db *store.DB, n talkstack.NodeID) talkstack.Call {
	t.Helper()
	calls := got[[]talkstack.Call](t)(db.Claim(t.Context(), n, 1))
	if len(calls) != 1 {
		t.Fatalf("claimed %d calls, want 1", len(calls))
	}
	return calls[0]
}

// live brings a claimed call to its conversation.
func live(t testing.TB, db *store.DB, c talkstack.Call) {
	t.Helper()
	ctx := t.Context()
	must(t, db.MarkDialing(ctx, c))
	must(t, db.MarkRinging(ctx, c))
	must(t, db.MarkAnswered(ctx, c, time.Now(), ""))
}
