package auth

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"talkstack"
	"talkstack/internal/mail"
	"talkstack/internal/store"
	"talkstack/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// post takes mails, and can refuse them.
type post struct {
	mu     sync.Mutex
	refuse int // so many mails from now on
	mails  chan mail.Message
}

func newPost() *post { return &post{mails: make(chan mail.Message, 100)} }

func (p *post) Send(_ context.Context, m mail.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse > 0 {
		p.refuse--
		return errors.New("421 try again later")
	}
	p.mails <- m
	return nil
}

func onEngines(t *testing.T, test func(t *testing.T, a *Accounts, p *post)) {
	t.Helper()
	storetest.OnEach(t, func(t *testing.T, cfg store.Config) {
		p := newPost()
		a, err := NewAccounts(t.Context(), Config{
			DB: storetest.Open(t, cfg), Mail: p, Log: slog.New(slog.DiscardHandler), Hasher: NewFastHasher(),
		})
		if err != nil {
			t.Fatal(err)
		}
		test(t, a, p)
	})
}

// member is a verified account.
func member(t *testing.T, a *Accounts, email, password string) talkstack.User {
	t.Helper()
	hash, err := a.hasher.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	u, err := a.db.CreateUser(t.Context(), talkstack.User{Email: email, Name: "John", PasswordHash: hash, Verified: true})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestUnknownAccountsCostWhatKnownOnesDo: the same hash function, as often, with the same parameters.
func TestUnknownAccountsCostWhatKnownOnesDo(t *testing.T) {
	onEngines(t, func(t *testing.T, a *Accounts, _ *post) {
		member(t, a, "john@host.example", "right")
		type cost struct {
			time, memory uint32
			threads      uint8
			salt         int
		}
		var costs []cost
		kdf := a.hasher.kdf
		a.hasher.kdf = func(password, salt []byte, time, memory uint32, threads uint8, keyLen uint32) []byte {
			costs = append(costs, cost{time, memory, threads, len(salt)})
			return kdf(password, salt, time, memory, threads, keyLen)
		}
		from := netip.MustParseAddr("192.0.2.1")
		if _, err := a.Login(t.Context(), "john@host.example", "wrong", from); !errors.Is(err, ErrWrongPassword) {
			t.Errorf("known: %v", err)
		}
		known := costs
		costs = nil
		if _, err := a.Login(t.Context(), "nobody@host.example", "wrong", from); !errors.Is(err, ErrUnknownAccount) {
			t.Errorf("unknown: %v", err)
		}
		if len(known) != 1 || !slices.Equal(known, costs) {
			t.Errorf("a known account costs %+v, an unknown one %+v", known, costs)
		}
		costs = nil
		if err := a.ResetPassword(t.Context(), "guess", "new", from); !errors.Is(err, store.ErrBadReset) {
			t.Errorf("reset: %v", err)
		}
		if len(costs) != 0 {
			t.Error("a reset token that is none was paid for with a hash")
		}
	})
}

// TestParallelGuessesGetNoExtra: the limit of a pair holds however the guesses come.
func TestParallelGuessesGetNoExtra(t *testing.T) {
	onEngines(t, func(t *testing.T, a *Accounts, _ *post) {
		member(t, a, "john@host.example", "right")
		var compared, limited atomic.Int64
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				_, err := a.Login(t.Context(), "john@host.example", "wrong", netip.MustParseAddr("2001:db8:1:2::7"))
				switch {
				case errors.Is(err, ErrWrongPassword):
					compared.Add(1)
				case talkstack.ErrorCode(err) == talkstack.CodeLimited:
					limited.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if compared.Load() != 10 || limited.Load() != 30 {
			t.Errorf("%d guesses were compared and %d refused, want 10 and 30", compared.Load(), limited.Load())
		}
		_, err := a.Login(t.Context(), "john@host.example", "right", netip.MustParseAddr("2001:db8:1:2:ffff::8"))
		if e, ok := errors.AsType[*LimitError](err); !ok || e.RetryAfter <= 14*time.Minute || e.RetryAfter > 15*time.Minute {
			t.Errorf("the right one from the same /64: %v", err)
		}
		if _, err := a.Login(t.Context(), "john@host.example", "right", netip.MustParseAddr("2001:db8:1:3::7")); err != nil {
			t.Errorf("from another /64: %v", err)
		}
	})
}

// TestRefreshedTwiceAtOnce: one of two rotations wins, and what it wins is worth nothing.
func TestRefreshedTwiceAtOnce(t *testing.T) {
	onEngines(t, func(t *testing.T, a *Accounts, _ *post) {
		member(t, a, "john@host.example", "right")
		first, err := a.Login(t.Context(), "john@host.example", "right", netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		other, err := a.Login(t.Context(), "john@host.example", "right", netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		won := make(chan Session, 2)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				s, err := a.Refresh(t.Context(), first.Refresh)
				if err == nil {
					won <- s
				} else if talkstack.ErrorCode(err) != talkstack.CodeUnauthenticated {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d of two rotations succeeded, want 1", len(won))
		}
		for what, token := range map[string]string{"the first": first.Access, "the winner's": (<-won).Access} {
			if _, err := a.Authenticate(t.Context(), token, "", netip.Addr{}); talkstack.ErrorCode(err) != talkstack.CodeUnauthenticated {
				t.Errorf("%s access token: %v; want unauthenticated", what, err)
			}
		}
		if c, err := a.Authenticate(t.Context(), other.Access, "", netip.Addr{}); err != nil || c.Session == "" {
			t.Errorf("the other login has ended too: %v", err)
		}
	})
}

// TestResetMailIsWorkedByTheQueue: the job of the transaction reaches the worker, a mail server that is away is asked
// again, and the token of the mail is not in the job.
func TestResetMailIsWorkedByTheQueue(t *testing.T) {
	onEngines(t, func(t *testing.T, a *Accounts, p *post) {
		u := member(t, a, "john@host.example", "old")
		p.refuse = 1
		workers := river.NewWorkers()
		river.AddWorker(workers, NewResetWorker(a, "https://talk.example/"))
		client, closeListener, err := a.db.NewJobWorker(t.Context(), &river.Config{
			Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 4}}, Workers: workers,
			FetchPollInterval: 100 * time.Millisecond, RetryPolicy: atOnce{}, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer closeListener()
		if err := client.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer stop(t, client)
		if err := a.ForgotPassword(t.Context(), "nobody@host.example", netip.Addr{}); err != nil {
			t.Error(err)
		}
		if err := a.ForgotPassword(t.Context(), "John@host.example", netip.Addr{}); err != nil {
			t.Error(err)
		}
		m := <-p.mails
		link := regexp.MustCompile(`https://talk\.example/reset-password\?token=(\S+)`).FindStringSubmatch(m.Text)
		if m.To != u.Email || link == nil || !strings.Contains(m.HTML, link[0]) {
			t.Fatalf("the mail: %+v", m)
		}
		if err := a.ResetPassword(t.Context(), talkstack.Secret(link[1]), "new", netip.Addr{}); err != nil {
			t.Errorf("the token of the mail: %v", err)
		}
		jobs, err := client.JobList(t.Context(), river.NewJobListParams().First(100))
		if err != nil || len(jobs.Jobs) != 2 {
			t.Fatalf("%v, %v", jobs, err)
		}
		for _, j := range jobs.Jobs {
			if strings.Contains(string(j.EncodedArgs), link[1]) || j.MaxAttempts != 6 {
				t.Errorf("job %s, %d attempts", j.EncodedArgs, j.MaxAttempts)
			}
		}
	})
}

// atOnce is a retry policy without pauses.
type atOnce struct{}

func (atOnce) NextRetry(*rivertype.JobRow) time.Time { return time.Now() }

func stop(t *testing.T, client *river.Client[*sql.Tx]) {
	t.Helper()
	if err := client.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// TestResetOfAnAccountThatIsGone: a job of nobody is done, not tried for ever.
func TestResetOfAnAccountThatIsGone(t *testing.T) {
	onEngines(t, func(t *testing.T, a *Accounts, p *post) {
		w := NewResetWorker(a, "https://talk.example")
		for _, id := range []talkstack.UserID{"", talkstack.NewUserID()} {
			if err := w.Work(t.Context(), &river.Job[store.ResetMailJob]{Args: store.ResetMailJob{UserID: id}}); err != nil {
				t.Errorf("%q: %v", id, err)
			}
		}
		if len(p.mails) != 0 {
			t.Error("a mail was sent to nobody")
		}
	})
}
