package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/client"
	"talkstack/internal/phonetest"
	"talkstack/internal/sip"
	"talkstack/test/program"
)

// TestInbound dials the server as a caller does. It has one line, so that the second caller finds it taken.
func TestInbound(t *testing.T) {
	cfg := settings(t, t.TempDir())
	cfg.MaxCalls = 1
	s := start(t, cfg)
	flow := &talkstack.Flow{Start: "date", Nodes: []talkstack.FlowNode{
		ask("date", "name", "On which day would you like to come?", talkstack.FlowSlot{Type: talkstack.SlotDate}),
		ask("name", "bye", "And what is your name?", talkstack.FlowSlot{Type: talkstack.SlotName}),
		end("bye", "We will see you on {{date}}. Goodbye."),
	}}
	s.patchAgent(t, map[string]any{"flow": flow, "greeting": "Hello. On which day would you like to come?"})
	const shared = demoNumber
	// The agent gets another number; the one it had stays with its project.
	s.patchAgent(t, map[string]any{"phone_number": "+15005550120"})

	t.Run("books by speaking", func(t *testing.T) {
		sc := s.dial(t, "+15005550120", phonetest.Appointment)
		expect(t, sc.call, talkstack.StatusCompleted, talkstack.PartyAgent, talkstack.EndAgentHangup)
		if sc.call.Direction != talkstack.Inbound || sc.call.To != "+15005550120" || sc.call.From != callerNumber {
			t.Errorf("the call is %s from %s to %s", sc.call.Direction, sc.call.From, sc.call.To)
		}
		slots, _ := s.object(t, http.MethodGet, "/v1/calls/"+string(sc.sid), nil)["slots"].(map[string]any)
		if want := nextThursday(time.Now()).Format(time.DateOnly); slots["date"] != want || slots["name"] != "Anna Smith" {
			t.Errorf("the slots are %v, want date %s and name Anna Smith", slots, want)
		}
		wantWords(t, "the caller in the transcript", sc.stored(talkstack.RoleUser), "thursday", "smith")
		if wav := program.Download(t, sc.call.Recording); len(wav) < 44+5*8000*4 {
			t.Errorf("the recording has %d bytes, want at least 5 seconds", len(wav))
		}
	})
	t.Run("number without an agent, and a full server", func(t *testing.T) {
		var busy string
		sc := s.dial(t, shared, func(ctx context.Context, line *phonetest.Line) error {
			busy = s.invite(t, demoNumber)
			return listen(ctx, line, "day|come")
		})
		expect(t, sc.call, talkstack.StatusCompleted, talkstack.PartyCaller, talkstack.EndUserHangup)
		if got := s.object(t, http.MethodGet, "/v1/calls/"+string(sc.sid), nil)["agent_id"]; got != string(s.demo.AgentID) {
			t.Errorf("agent %v answered, want the project's active one", got)
		}
		if !strings.HasPrefix(busy, "SIP/2.0 503 ") || !regexp.MustCompile(`(?mi)^Retry-After: *[1-9]\d*\s*$`).MatchString(busy) {
			t.Errorf("the second caller got %q, want 503 with Retry-After", busy)
		}
	})
	t.Run("nobody's number", func(t *testing.T) {
		s.idle(t)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := s.Phone().Dial(ctx, s.uri("+15005550999"), callerNumber)
		if e, ok := errors.AsType[*sip.DialError](err); !ok || e.SIPCode != http.StatusNotFound {
			t.Errorf("the caller got %v, want 404", err)
		}
	})
}

const (
	demoNumber   = "+15005550100"
	callerNumber = "+14155550148"
)

func (s *system) uri(number string) string { return fmt.Sprintf("sip:%s@%s", number, s.SIPAddr()) }

// dial calls a number of the server from the test phone, plays p and waits for the end of the call.
func (s *system) dial(t *testing.T, number string, p party) scene {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callLimit)
	defer cancel()
	before := s.newest(t)
	s.idle(t)
	line, err := s.Phone().Dial(ctx, s.uri(number), callerNumber)
	if err != nil {
		t.Fatal(err)
	}
	err = p(ctx, line)
	line.Hangup()
	if err != nil && !errors.Is(err, phonetest.ErrGone) {
		t.Errorf("the caller: %v", err)
	}
	sid := s.newest(t)
	if sid == before {
		t.Fatal("the call is not in the history")
	}
	return scene{sid: sid, call: s.wait(t, sid), turns: s.transcript(t, sid), said: line.Conversation()}
}

// idle waits until the last line is free: a call leaves it just after its end was stored.
func (s *system) idle(t testing.TB) {
	t.Helper()
	for !strings.Contains(string(program.Download(t, s.URL()+"/metrics")), "\ntalkstack_calls_live 0\n") {
		if t.Context().Err() != nil {
			t.Fatal("a line was not freed")
		}
	}
}

// newest is the latest call in the project's history, empty when there is none.
func (s *system) newest(t testing.TB) talkstack.CallSID {
	t.Helper()
	calls, _, err := s.api.GetCallHistory(t.Context(), client.CallHistoryRequest{ProjectID: s.demo.ProjectID, PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(calls) == 0 {
		return ""
	}
	return calls[0].SID
}

// invite sends a bare INVITE and returns the final response as it came.
func (s *system) invite(t testing.TB, number string) string {
	t.Helper()
	conn := udp(t, s.SIPAddr())
	local := conn.LocalAddr().String()
	id := talkstack.NewCallSID()
	_, err := fmt.Fprintf(conn, "INVITE %[1]s SIP/2.0\r\nVia: SIP/2.0/UDP %[2]s;branch=z9hG4bK%[3]s\r\nMax-Forwards: 70\r\n"+
		"From: <sip:%[4]s@%[2]s>;tag=%[3]s\r\nTo: <%[1]s>\r\nCall-ID: %[3]s\r\nCSeq: 1 INVITE\r\nContact: <sip:%[2]s>\r\nContent-Length: 0\r\n\r\n",
		s.uri(number), local, id, callerNumber)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("no final response to an INVITE: %v", err)
		}
		if response := string(buf[:n]); !strings.HasPrefix(response, "SIP/2.0 1") {
			return response
		}
	}
}

// udp is a socket of a stranger who sends to one address.
func udp(t testing.TB, to netip.AddrPort) net.Conn {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "udp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
