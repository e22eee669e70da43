//go:build unix

package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"talkstack/internal/store"
)

// startLimit bounds making and starting a cluster; it takes about two seconds.
const startLimit = 2 * time.Minute

// installHint tells how to get what the tests need.
const installHint = "install it with: apt-get install postgresql"

// Cluster is a private PostgreSQL server that listens on loopback and lives in a temporary folder.
type Cluster struct {
	dir  string
	port int
	cmd  *exec.Cmd
	exit chan struct{} // closed when the server has ended
	log  *bytes.Buffer
}

// shared is the cluster of this test binary, started by the first test that wants one.
type shared struct {
	once    sync.Once
	cluster *Cluster
	err     error

	migrate  sync.Once // makes the database that others are copied from
	noSchema error
}

//nolint:gochecknoglobals // one server for all tests of a binary: starting it takes longer than all of them
var server shared

// Main runs a package's tests and then stops the PostgreSQL server they have used, if any. Call it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	if server.cluster != nil {
		server.cluster.Stop()
	}
	os.Exit(code)
}

// PostgreSQL returns the URL of an empty database of its own for this test, on a server that all tests of the binary
// share. Without PostgreSQL on the machine the test fails. The package's TestMain must call Main.
func PostgreSQL(t testing.TB) string {
	t.Helper()
	return createDatabase(t, "template1")
}

// MigratedPostgreSQL returns the URL of a database with the schema, copied from one that was migrated once: that is
// many times faster than migrating each.
func MigratedPostgreSQL(t testing.TB) string {
	t.Helper()
	const template = "migrated"
	server.migrate.Do(func() {
		if server.noSchema = server.start(); server.noSchema != nil {
			return
		}
		if server.noSchema = server.cluster.exec("CREATE DATABASE " + template); server.noSchema != nil {
			return
		}
		server.noSchema = migrateOnce(store.Config{URL: server.cluster.URL(template)})
	})
	if server.noSchema != nil {
		t.Fatal(server.noSchema)
	}
	return createDatabase(t, template)
}

// migrateOnce brings an empty database to the schema.
func migrateOnce(cfg store.Config) error {
	ctx := context.Background()
	cfg.Log = slog.New(slog.DiscardHandler)
	db, err := store.Open(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(db.Migrate(ctx), db.Close())
}

func (s *shared) start() error {
	s.once.Do(func() { s.cluster, s.err = StartCluster() })
	return s.err
}

func createDatabase(t testing.TB, template string) string {
	t.Helper()
	if err := server.start(); err != nil {
		t.Fatal(err)
	}
	var b [6]byte
	_, _ = rand.Read(b[:])
	name := "t" + hex.EncodeToString(b[:])
	if err := server.cluster.exec("CREATE DATABASE " + name + " TEMPLATE " + template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.cluster.exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return server.cluster.URL(name)
}

// OpenPostgreSQL returns a new, migrated PostgreSQL database that is closed with the test.
func OpenPostgreSQL(t testing.TB) *store.DB {
	t.Helper()
	return Open(t, store.Config{URL: MigratedPostgreSQL(t)})
}

// StartCluster makes a cluster and starts its server. Nothing in it outlives Stop, so it is not synced to disk.
func StartCluster() (*Cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	account, err := serverAccount()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "talkstack-postgresql-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, exit: make(chan struct{}), log: &bytes.Buffer{}}
	if err := c.start(bin, account); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return c, nil
}

func (c *Cluster) start(bin string, account *syscall.Credential) error {
	if account != nil {
		if err := os.Chown(c.dir, int(account.Uid), int(account.Gid)); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	data := filepath.Join(c.dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"),
		"-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
	run(initdb, c.dir, account)
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("storetest: initdb: %w\n%s", err, out)
	}
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	c.port = port
	c.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(port), //nolint:noctx // Stop ends it
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200",
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "timezone=Asia/Kathmandu")
	run(c.cmd, c.dir, account)
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	if err := c.cmd.Start(); err != nil {
		return fmt.Errorf("storetest: start postgres: %w", err)
	}
	go func() {
		_ = c.cmd.Wait() // how it ended shows in its log
		close(c.exit)
	}()
	return c.waitUntilUp(ctx)
}

// run gives a command its folder and its account. Linux ends the server with the tests, however these end.
func run(cmd *exec.Cmd, dir string, account *syscall.Credential) {
	cmd.Dir = dir
	cmd.SysProcAttr = sysProcAttr(account)
}

func (c *Cluster) waitUntilUp(ctx context.Context) error {
	for {
		err := c.exec("SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-c.exit:
			return fmt.Errorf("storetest: postgres ended at once:\n%s", c.log)
		case <-ctx.Done():
			c.Stop()
			return fmt.Errorf("storetest: postgres does not answer: %w\n%s", err, c.log)
		case <-time.After(50 * time.Millisecond): // the server tells nobody when it is ready
		}
	}
}

// URL is the address of one of the cluster's databases.
func (c *Cluster) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", c.port, database)
}

func (c *Cluster) exec(statement string) error {
	db, err := sql.Open("pgx", c.URL("postgres"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	_, err = db.ExecContext(ctx, statement)
	return errors.Join(err, db.Close())
}

// Stop ends the server and removes the cluster.
func (c *Cluster) Stop() {
	_ = c.cmd.Process.Signal(syscall.SIGINT) // fast shutdown: ends sessions, PostgreSQL manual section 19.5
	select {
	case <-c.exit:
	case <-time.After(10 * time.Second):
		_ = c.cmd.Process.Signal(syscall.SIGQUIT)
		<-c.exit
	}
	_ = os.RemoveAll(c.dir)
}

// binaries finds the folder of the server's programs: Debian keeps them out of the PATH.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is well formed
	if len(found) == 0 {
		return "", errors.New("storetest: PostgreSQL is not on this machine; " + installHint)
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

func version(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return n
}

// serverAccount is who the server runs as: PostgreSQL refuses to be root.
func serverAccount() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, fmt.Errorf("storetest: PostgreSQL does not run as root, and %s has no account postgres or nobody; %s", runtime.GOOS, installHint)
}

func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}
