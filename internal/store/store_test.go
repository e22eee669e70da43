package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"talkstack"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

// lockVariable makes this test binary a process that owns the database at this path until its input ends.
const lockVariable = "TALKSTACK_STORE_TEST_OWNER"

func TestMain(m *testing.M) {
	if path := os.Getenv(lockVariable); path != "" {
		db, err := store.Open(context.Background(), store.Config{Path: path})
		if err != nil {
			os.Exit(1)
		}
		_, _ = os.Stdout.WriteString("open\n")
		_, _ = os.Stdin.Read(make([]byte, 1))
		_ = db.Close()
		os.Exit(0)
	}
	storetest.Main(m)
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.OpenSQLite)
}

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.OpenPostgreSQL)
}

// TestOneProcessOwnsTheFile: a second process is told clearly, may still look, and gets in once the first is killed.
func TestOneProcessOwnsTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "odd ?#% name", "talkstack.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := storetest.Open(t, store.Config{Path: path}).Close(); err != nil {
		t.Fatal(err)
	}

	owner := exec.CommandContext(t.Context(), os.Args[0])
	owner.Env = append(os.Environ(), lockVariable+"="+path)
	in, err := owner.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal("the owner did not open the database")
	}
	_, err = store.Open(t.Context(), store.Config{Path: path})
	if talkstack.ErrorCode(err) != talkstack.CodeUnavailable || !strings.Contains(talkstack.ErrorMessage(err), strconv.Itoa(owner.Process.Pid)) {
		t.Errorf("a second process gets %v", err)
	}
	reader, err := store.Open(t.Context(), store.Config{Path: path, ReadOnly: true})
	if err != nil {
		t.Fatalf("a reader gets %v", err)
	}
	if have, want, err := reader.Schema(t.Context()); err != nil || have != want || have == 0 {
		t.Errorf("a reader sees schema %d of %d, %v", have, want, err)
	}
	if empty, err := reader.Empty(t.Context()); err != nil || !empty {
		t.Errorf("a reader sees %v, %v", empty, err)
	}
	if _, err := reader.CreateUser(t.Context(), talkstack.User{Email: "a@example.com"}); talkstack.ErrorCode(err) != talkstack.CodeUnavailable {
		t.Errorf("a reader writes: %v", err)
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait() // it was killed
	storetest.Open(t, store.Config{Path: path})
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("not a database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		cfg  store.Config
		code talkstack.Code
	}{
		"nothing set":          {store.Config{}, talkstack.CodeInternal},
		"no folder":            {store.Config{Path: filepath.Join(dir, "missing", "a.db")}, talkstack.CodeUnavailable},
		"nothing to look at":   {store.Config{Path: filepath.Join(dir, "a.db"), ReadOnly: true}, talkstack.CodeUnavailable},
		"not a database":       {store.Config{Path: garbage}, talkstack.CodeInternal},
		"nobody listens":       {store.Config{URL: "postgres://a:secret@127.0.0.1:1/x?sslmode=disable"}, talkstack.CodeUnavailable},
		"no such PostgreSQL":   {store.Config{URL: strings.Replace(storetest.PostgreSQL(t), "?", "x?", 1)}, talkstack.CodeUnavailable},
		"not a PostgreSQL URL": {store.Config{URL: "postgres://%zz"}, talkstack.CodeInternal},
	}
	for name, test := range tests {
		db, err := store.Open(t.Context(), test.cfg)
		if db != nil || talkstack.ErrorCode(err) != test.code {
			t.Errorf("%s: %v, want code %q", name, err, test.code)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error holds the password: %v", name, err)
		}
	}
}

func open(t *testing.T, cfg store.Config) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestMigrate(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		if cfg.URL != "" {
			cfg.URL = storetest.PostgreSQL(t) // without the schema
		}
		db := open(t, cfg)
		have, want, err := db.Schema(t.Context())
		if err != nil || have != 0 || want == 0 {
			t.Errorf("empty database has schema %d of %d, %v", have, want, err)
		}
		for range 2 { // the second finds nothing to do
			if err := db.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if have, _, err := db.Schema(t.Context()); err != nil || have != want {
				t.Errorf("migrated database has schema %d of %d, %v", have, want, err)
			}
		}
		storetest.NewAccount(t, db, 1)
		if err := db.Rollback(t.Context()); err != nil { // every step down works, with data in the tables
			t.Fatal(err)
		}
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		storetest.NewAccount(t, db, 1)
	})
}

// TestMigrateTogether: nodes that start at once migrate one after the other.
func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	url := storetest.PostgreSQL(t)
	var wg sync.WaitGroup
	for range 4 {
		db := open(t, store.Config{URL: url, MaxConns: 3})
		wg.Go(func() {
			if err := db.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestNewerSchema: a program must not run on a database that a newer one has made.
func TestNewerSchema(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		db := open(t, cfg)
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := db.Exec(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, TRUE)"); err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(t.Context()); talkstack.ErrorCode(err) != talkstack.CodeUnavailable {
			t.Errorf("migrating a newer database: %v", err)
		}
	})
}

// TestEveryQueryFits prepares each generated query on each database: a placeholder the generator missed, a type or a
// lock that PostgreSQL does not take shows here, not in an incident.
func TestEveryQueryFits(t *testing.T) {
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		db := open(t, cfg)
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		n := 0
		for text := range queries(t) {
			n++
			if strings.Contains(text, "@") {
				t.Errorf("the generator has missed a parameter:\n%s", text)
			}
			if err := db.Prepare(t.Context(), text); err != nil {
				t.Errorf("%v:\n%s", err, text)
			}
		}
		if n < 50 {
			t.Errorf("found %d queries only", n)
		}
	})
}

// queries are the texts of package query.
func queries(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("query/*.sql.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil && strings.HasPrefix(text, "-- name:") {
					out[text] = true
				}
			}
			return true
		})
	}
	return out
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"SELECT ?1, ?22":                    "SELECT $1, $22",
		"SELECT '?1', ?1":                   "SELECT '?1', $1",
		"SELECT 'it''s ?1' WHERE a = ?1":    "SELECT 'it''s ?1' WHERE a = $1",
		"SELECT 1 /*FOR UPDATE*/ LIMIT 1":   "SELECT 1 FOR UPDATE LIMIT 1",
		"SELECT '/*FOR UPDATE*/'":           "SELECT '/*FOR UPDATE*/'",
		"SELECT 1 /* FOR people */ LIMIT 1": "SELECT 1 /* FOR people */ LIMIT 1",
		"SELECT a ? b":                      "SELECT a ? b",
	}
	for text, want := range tests {
		if have := store.Rewrite(text); have != want {
			t.Errorf("%q became %q, want %q", text, have, want)
		}
	}
}

// TestDatabaseAway: when PostgreSQL ends its sessions or is gone, callers are told to come back, and it works again
// when it is back.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	cluster, err := storetest.StartCluster()
	if err != nil {
		t.Fatal(err)
	}
	db := open(t, store.Config{URL: cluster.URL("postgres")})
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := storetest.NewAccount(t, db, 5)
	c := a.Place(t, db, 1)[0]
	cluster.Stop()
	node := talkstack.NewNodeID()
	for name, err := range map[string]error{
		"Ping":      db.Ping(t.Context()),
		"Heartbeat": db.Heartbeat(t.Context(), node),
		"User":      second(db.User(t.Context(), a.User.ID)),
		"PlaceCall": second(db.PlaceCall(t.Context(), a.Call())),
		"Claim":     second(db.Claim(t.Context(), node, 1)),
		"Marking":   db.MarkDialing(t.Context(), c),
		"Finishing": db.FinishCall(t.Context(), c, store.Outcome{Ending: storetest.Completed()}),
	} {
		if talkstack.ErrorCode(err) != talkstack.CodeUnavailable {
			t.Errorf("%s without a database: %v", name, err)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.User(cancelled, a.User.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled look-up: %v", err)
	}
}

// TestSessionsEnd: a restart of PostgreSQL breaks idle connections; the next request must not fail for it for long.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	url := storetest.PostgreSQL(t)
	db := storetest.Open(t, store.Config{URL: url})
	a := storetest.NewAccount(t, db, 5)
	admin, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if _, err := admin.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
		t.Fatal(err)
	}
	for try := 0; ; try++ {
		_, err := db.User(t.Context(), a.User.ID)
		if err == nil {
			break
		}
		if talkstack.ErrorCode(err) != talkstack.CodeUnavailable || try > 20 {
			t.Fatalf("after its sessions were ended: %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
