package sip_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"talkstack"
	"talkstack/internal/sip"
)

// limit bounds everything that waits for a peer.
const limit = 30 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// startUA starts a user agent at an IP address that takes calls from every peer, and stops it when the test ends.
func startUA(t *testing.T, ip string, handle func(context.Context, *sip.Invite)) *sip.UserAgent {
	t.Helper()
	ua := sip.New(sip.Config{Addr: ip + ":0", Allow: func(netip.Addr) bool { return true }})
	if handle != nil {
		ua.OnInvite(handle)
	}
	if err := ua.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		ua.Stop(ctx)
	})
	return ua
}

// sipp is one run of SIPp with one call.
type sipp struct {
	t    *testing.T
	port int
	out  bytes.Buffer
	done chan error
	dir  string
}

// startSIPp runs a scenario. With a remote it calls there, without it waits for a call.
func startSIPp(t *testing.T, scenario, remote string, args ...string) *sipp {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("scenarios", scenario+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	return runSIPp(t, file, remote, args...)
}

// refuser is a far end that answers with a code; SIPp has no variables in a status line.
func refuser(t *testing.T, code int, reason string) *sipp {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("scenarios", "refuse.xml"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "refuse.xml")
	text := strings.Replace(string(b), "SIP/2.0 CODE REASON", fmt.Sprintf("SIP/2.0 %d %s", code, reason), 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return runSIPp(t, file, "")
}

func runSIPp(t *testing.T, file, remote string, args ...string) *sipp {
	t.Helper()
	s := &sipp{t: t, port: freePort(t), done: make(chan error, 1), dir: t.TempDir()}
	all := []string{
		"-sf", file, "-i", "127.0.0.1", "-p", strconv.Itoa(s.port), "-mp", strconv.Itoa(freePort(t)), "-m", "1", "-nostdin",
		"-s", "+14155550148", "-trace_err", "-error_file", "errors.log", "-timeout", "25s", "-timeout_error",
	}
	all = append(all, args...)
	if remote != "" {
		all = append(all, remote)
	}
	cmd := exec.CommandContext(within(t), "sipp", all...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, &s.out, &s.out
	cmd.Env = append(os.Environ(), "TERM=dumb")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
	})
	if remote == "" {
		s.listening(args)
	}
	sippRan.Add(1)
	return s
}

// listening waits until the scenario's port is taken.
func (s *sipp) listening(args []string) {
	s.t.Helper()
	network := "udp"
	if strings.Contains(strings.Join(args, " "), "-t t1") {
		network = "tcp"
	}
	for ctx := within(s.t); ; {
		if err := bind(network, s.port); errors.Is(err, syscall.EADDRINUSE) {
			return
		}
		select {
		case <-ctx.Done():
			s.t.Fatal("sipp does not listen")
		case err := <-s.done:
			s.t.Fatalf("sipp ended: %v\n%s", err, s.log())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func bind(network string, port int) error {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	if network == "tcp" {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		return l.Close()
	}
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}

// finished waits for the end of the scenario: every step of it must have come about.
func (s *sipp) finished() {
	s.t.Helper()
	select {
	case err := <-s.done:
		if err != nil {
			s.t.Fatalf("sipp: %v\n%s", err, s.log())
		}
	case <-time.After(limit):
		s.t.Fatalf("sipp does not end\n%s", s.log())
	}
}

func (s *sipp) log() string {
	b, _ := os.ReadFile(filepath.Join(s.dir, "errors.log"))
	if len(b) > 0 {
		return string(b)
	}
	return s.out.String()
}

func (s *sipp) uri() string { return fmt.Sprintf("sip:+14155550148@127.0.0.1:%d", s.port) }

// freePort is a port that was free for UDP and TCP a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
		if bind("udp", port) == nil {
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func agentHangup() talkstack.EndReason {
	return talkstack.EndReason{Party: talkstack.PartyAgent, Code: talkstack.EndAgentHangup}
}

func TestSIPpRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code   int
		reason string
		status talkstack.CallStatus
		end    talkstack.EndCode
	}{
		{486, "Busy", talkstack.StatusBusy, talkstack.EndDialBusy},
		{480, "Unavailable", talkstack.StatusNoAnswer, talkstack.EndDialNoAnswer},
		{603, "Decline", talkstack.StatusFailed, talkstack.EndDialFailed},
		{404, "NotFound", talkstack.StatusFailed, talkstack.EndInvalidDestination},
		{403, "Forbidden", talkstack.StatusFailed, talkstack.EndPermissionDenied},
		{503, "Unavailable", talkstack.StatusFailed, talkstack.EndDialFailed},
	} {
		t.Run(strconv.Itoa(test.code), func(t *testing.T) {
			t.Parallel()
			ua := startUA(t, "127.0.0.1", nil)
			s := refuser(t, test.code, test.reason)
			_, err := ua.Dial(within(t), sip.DialRequest{From: "+14155550100", To: "+14155550148", Target: s.uri()})
			e, ok := errors.AsType[*sip.DialError](err)
			if !ok || e.Status != test.status || e.Reason.Code != test.end || e.SIPCode != test.code {
				t.Errorf("dial: %+v", err)
			}
			s.finished()
		})
	}
}

func TestSIPpNoAnswer(t *testing.T) {
	t.Parallel()
	ua := startUA(t, "127.0.0.1", nil)
	s := startSIPp(t, "no-answer", "")
	rang := false
	_, err := ua.Dial(within(t), sip.DialRequest{From: "1", To: "2", Target: s.uri(), RingTimeout: time.Second, OnRinging: func() { rang = true }})
	e, ok := errors.AsType[*sip.DialError](err)
	if !ok || e.Status != talkstack.StatusNoAnswer || e.Reason.Code != talkstack.EndDialNoAnswer || !rang {
		t.Errorf("dial: %+v, rang %v", err, rang)
	}
	s.finished()
}

func TestSIPpAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, scenario string
		transport      string
		password       talkstack.Secret
	}{
		{"udp", "answer", "u1", ""},
		{"tcp", "answer", "t1", ""},
		{"many 180s", "many-ringing", "u1", ""},
		{"early media in PCMA", "early-media", "u1", ""},
		{"digest 407", "digest-407", "u1", "zanzibar"},
		{"digest 401", "digest-401", "u1", "zanzibar"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ua := startUA(t, "127.0.0.1", nil)
			s := startSIPp(t, test.scenario, "", "-t", test.transport)
			target := s.uri()
			if test.transport == "t1" {
				target += ";transport=tcp"
			}
			early := 0
			leg, err := ua.Dial(within(t), sip.DialRequest{
				From: "+14155550100", To: "+14155550148", Target: target, Credentials: sip.Credentials{User: "bob", Password: test.password},
				OnEarlyMedia: func(l *sip.Leg) {
					if _, err := l.ReadFrame(within(t)); err == nil {
						early++
					}
				},
			})
			if err != nil {
				t.Fatalf("dial: %v\n%s", err, s.log())
			}
			if want := strings.Count(test.scenario, "early"); early != want {
				t.Errorf("%d early frames, want %d", early, want)
			}
			talk(t, leg, 10)
			if err := leg.Hangup(within(t), agentHangup()); err != nil {
				t.Errorf("hangup: %v", err)
			}
			s.finished()
		})
	}
}

// talk sends and reads frames of silence.
func talk(t *testing.T, leg *sip.Leg, frames int) {
	t.Helper()
	for range frames {
		f, err := leg.ReadFrame(within(t))
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		if err := leg.WriteFrame(f); err != nil {
			t.Fatalf("write: %v", err)
		}
	}
}

func TestSIPpAnswersAndHangsUp(t *testing.T) {
	t.Parallel()
	ua := startUA(t, "127.0.0.1", nil)
	s := startSIPp(t, "answer-bye", "")
	leg, err := ua.Dial(within(t), sip.DialRequest{From: "+14155550100", To: "+14155550148", Target: s.uri()})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-leg.Done():
	case <-within(t).Done():
		t.Fatal("the call does not end")
	}
	if byPeer, reason := leg.Ended(); !byPeer || reason.Code != talkstack.EndUserHangup {
		t.Errorf("ended by peer %v, %+v", byPeer, reason)
	}
	s.finished()
}

func TestSIPpRefusesPassword(t *testing.T) {
	t.Parallel()
	ua := startUA(t, "127.0.0.1", nil)
	s := startSIPp(t, "digest-refused", "")
	_, err := ua.Dial(within(t), sip.DialRequest{From: "1", To: "2", Target: s.uri(), Credentials: sip.Credentials{User: "bob", Password: "wrong"}})
	e, ok := errors.AsType[*sip.DialError](err)
	if !ok || e.Status != talkstack.StatusFailed || e.SIPCode != 407 {
		t.Errorf("dial: %+v", err)
	}
	s.finished()
}

// ended is how a handler saw its call.
type ended struct {
	err    error
	byPeer bool
	reason talkstack.EndReason
	digits string
}

// answerer answers and waits for the caller to hang up.
func answerer(results chan<- ended) func(context.Context, *sip.Invite) {
	return func(ctx context.Context, inv *sip.Invite) {
		_ = inv.Ring()
		leg, err := inv.Answer(ctx)
		if err != nil {
			results <- ended{err: err}
			return
		}
		var e ended
		for over := false; !over; {
			select {
			case d := <-leg.Digits():
				e.digits += string(d.Key)
			case <-leg.Done():
				over = true
			}
		}
		e.byPeer, e.reason = leg.Ended()
		results <- e
	}
}

func TestSIPpCalls(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ scenario, transport, digits string }{
		{"caller-bye", "u1", ""},
		{"caller-bye", "t1", ""},
		{"late-ack", "u1", ""},
		{"offerless", "u1", ""},
		{"hold", "u1", ""},
		{"info-digits", "u1", "5#"},
	} {
		t.Run(test.scenario+" "+test.transport, func(t *testing.T) {
			t.Parallel()
			results := make(chan ended, 1)
			ua := startUA(t, "127.0.0.1", answerer(results))
			s := startSIPp(t, test.scenario, ua.Addr().String(), "-t", test.transport)
			s.finished()
			select {
			case e := <-results:
				if e.err != nil || !e.byPeer || e.reason.Code != talkstack.EndUserHangup || e.digits != test.digits {
					t.Errorf("call: %+v", e)
				}
			case <-within(t).Done():
				t.Error("the call does not end")
			}
		})
	}
}

func TestSIPpCallsAndWeHangUp(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"u1", "t1"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			ua := startUA(t, "127.0.0.1", func(ctx context.Context, inv *sip.Invite) {
				leg, err := inv.Answer(ctx)
				if err != nil {
					t.Errorf("answer: %v", err)
					return
				}
				talk(t, leg, 10)
				if err := leg.Hangup(ctx, agentHangup()); err != nil {
					t.Errorf("hangup: %v", err)
				}
			})
			startSIPp(t, "caller-stays", ua.Addr().String(), "-t", transport).finished()
		})
	}
}

func TestSIPpCancels(t *testing.T) {
	t.Parallel()
	causes := make(chan error, 1)
	ua := startUA(t, "127.0.0.1", func(ctx context.Context, inv *sip.Invite) {
		_ = inv.Ring()
		<-ctx.Done()
		causes <- context.Cause(ctx)
	})
	startSIPp(t, "cancel", ua.Addr().String()).finished()
	if err := <-causes; !errors.Is(err, sip.ErrCanceled) {
		t.Errorf("handler ended with %v", err)
	}
}

func TestSIPpIsRefused(t *testing.T) {
	t.Parallel()
	ua := startUA(t, "127.0.0.1", func(_ context.Context, inv *sip.Invite) { _ = inv.Reject(486, "Busy Here", 0) })
	startSIPp(t, "refused-caller", ua.Addr().String()).finished()
}

func TestSIPpAsksOptions(t *testing.T) {
	t.Parallel()
	startSIPp(t, "options", startUA(t, "127.0.0.1", nil).Addr().String()).finished()
}
