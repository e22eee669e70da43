package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"talkstack"
	"talkstack/client"
	"talkstack/internal/config"
	"talkstack/internal/media"
	"talkstack/internal/media/g711"
	"talkstack/internal/phonetest"
	"talkstack/test/program"
)

// TestBadInput sends the real doors what nobody should send them.
func TestBadInput(t *testing.T) {
	cfg := settings(t, t.TempDir())
	cfg.RTPPorts = config.PortRange{Low: 39900, High: 39911} // few, so that a flood reaches those of the call
	s := start(t, cfg)
	t.Run("requests", func(t *testing.T) { testBadRequests(t, s) })
	t.Run("floods", func(t *testing.T) { testFloods(t, s, cfg.RTPPorts) })
}

func testBadRequests(t *testing.T, s *system) {
	makeCall := func(number string, project, agent any) io.Reader {
		return strings.NewReader(fmt.Sprintf(`{"number":%q,"projectId":%q,"agentId":%q}`, number, project, agent))
	}
	agentPath := "/v1/agents/" + string(s.demo.AgentID)
	before := s.newest(t)
	for _, c := range []struct {
		name, method, path string
		body               io.Reader
		status             int
		says               string // in the message
	}{
		{"oversized", "POST", "/call/makeCall", strings.NewReader(`{"number":"` + strings.Repeat("1", 1<<20) + `"}`), 413, ""},
		{"broken", "POST", "/call/makeCall", strings.NewReader(`{"number":"+1415`), 400, ""},
		{"not an object", "POST", "/call/makeCall", strings.NewReader(`[1,2]`), 400, ""},
		{"nothing", "POST", "/call/makeCall", strings.NewReader(``), 400, ""},
		{"number is not e.164", "POST", "/call/makeCall", makeCall("555-0148", s.demo.ProjectID, s.demo.AgentID), 400, "E.164"},
		{"number is words", "POST", "/call/makeCall", makeCall("call me", s.demo.ProjectID, s.demo.AgentID), 400, "E.164"},
		{"unknown project", "POST", "/call/makeCall", makeCall("+14155550148", talkstack.NewProjectID(), s.demo.AgentID), 404, ""},
		{"unknown agent", "POST", "/call/makeCall", makeCall("+14155550148", s.demo.ProjectID, talkstack.NewAgentID()), 404, ""},
		{"unknown call", "GET", "/v1/calls/" + string(talkstack.NewCallSID()), http.NoBody, 404, ""},
		{"call id that is none", "GET", "/v1/calls/..%2f..%2fetc%2fpasswd", http.NoBody, 404, ""},
		{"unknown voice", "PATCH", agentPath, strings.NewReader(`{"voice_id":"nobody"}`), 400, "voice"},
		{"unknown field", "PATCH", agentPath, strings.NewReader(`{"greting":"Hi"}`), 400, "greting"},
		{"flow that leads nowhere", "PATCH", agentPath, strings.NewReader(`{"flow":{"start":"a","nodes":[{"id":"a","kind":"say","text":"Hi","next":"b"}]}}`), 400, ""},
	} {
		status, answer := s.send(t, c.method, c.path, c.body)
		message, _ := answer["message"].(string)
		if status != c.status || message == "" || !strings.Contains(message, c.says) {
			t.Errorf("%s: %d %v, want %d with a message that holds %q", c.name, status, answer, c.status, c.says)
		}
	}
	if after := s.newest(t); after != before {
		t.Errorf("a refused request has left call %s behind", after)
	}
}

// testFloods talks through a flood of garbage at the ports of the call: its words must come through both ways, and
// nobody who is not a party can end it.
func testFloods(t *testing.T, s *system, ports config.PortRange) {
	flow := &talkstack.Flow{Start: "ready", Nodes: []talkstack.FlowNode{
		ask("ready", "name", "Good morning. Would you like to hear about our famous chocolate cake?", talkstack.FlowSlot{Type: talkstack.SlotYesNo}),
		ask("name", "bye", "The cake is made of butter, sugar and seven eggs. What is your name?", talkstack.FlowSlot{Type: talkstack.SlotName}),
		end("bye", "Goodbye."),
	}}
	var spoken []int16
	agent := s.newAgent(t, "Cake", "You sell cake.", "+15005550140", map[string]any{"flow": flow})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	sent := make(chan int, 1)
	sc := s.play(t, agent, nil, func(callCtx context.Context, line *phonetest.Line) error {
		if err := line.WaitSpeech(callCtx); err != nil { // audio flows: each side knows the other's address
			return err
		}
		calls := s.Phone().Calls()
		callID := calls[len(calls)-1].CallID
		go func() { sent <- s.flood(ctx, t, ports, callID) }()
		if err := listen(callCtx, line, "chocolate|cake"); err != nil {
			return err
		}
		say := func(text string) error {
			pcm, err := line.Voice(callCtx, text)
			if err != nil {
				return err
			}
			// Whole frames, so that both sentences are cut where the line cuts them.
			spoken = append(append(spoken, pcm...), make([]int16, (160-len(pcm)%160)%160)...)
			return line.Say(callCtx, text)
		}
		if err := say("Yes, please."); err != nil {
			return err
		}
		if err := listen(callCtx, line, "name"); err != nil {
			return err
		}
		if err := say("My name is Anna Smith."); err != nil {
			return err
		}
		return untilGone(callCtx, line)
	})
	stop()
	t.Logf("%d messages and packets of garbage were sent into the call", <-sent)
	expect(t, sc.call, talkstack.StatusCompleted, talkstack.PartyAgent, talkstack.EndAgentHangup)
	wantWords(t, "the phone heard", sc.heard(), "good morning", "cake", "butter", "sugar", "eggs", "name")
	wantWords(t, "the caller in the transcript", sc.stored(talkstack.RoleUser), "yes", "smith")
	left := leftChannel(t, program.Download(t, sc.call.Recording))
	// A frame or two may be concealed when the processors are busy with recognition; a stream that was taken over, or
	// mixed with another, would leave hardly any as they were.
	came, all, strange := through(spoken, left)
	t.Logf("of %d frames that the caller sent, %d are in the recording bit by bit; %d loud ones are not his", all, came, strange)
	if came*10 < all*9 || strange*10 > all {
		t.Error("the caller's audio was changed on its way")
	}
	metrics := string(program.Download(t, s.URL()+"/metrics"))
	for _, name := range []string{"sip_malformed_total", "sip_unmatched_total"} {
		if counted := metric(t, metrics, "talkstack_"+name); counted == 0 {
			t.Errorf("%s is 0: what was dropped was not counted", name)
		}
	}
	// The doors still work.
	if answer := s.invite(t, "+15005550999"); !strings.HasPrefix(answer, "SIP/2.0 404 ") {
		t.Errorf("after the floods an INVITE to nobody's number got %q, want 404", answer)
	}
}

// leftChannel is the other party's channel of a recording.
func leftChannel(t testing.TB, recording []byte) []int16 {
	t.Helper()
	wav, err := media.ReadWAV(bytes.NewReader(recording))
	if err != nil {
		t.Fatal(err)
	}
	return wav.Channel(0)
}

// through counts the frames of what was spoken that came over the wire untouched: each is in the channel, bit by bit,
// as G.711 decodes it. Strange are the loud frames of the channel that were never spoken.
func through(spoken, channel []int16) (came, all, strange int) {
	const loud = 2000
	frame := func(pcm []int16) (f [160]int16) {
		copy(f[:], pcm)
		return f
	}
	heard, sent := map[[160]int16]bool{}, map[[160]int16]bool{}
	for rest := channel; len(rest) >= 160; rest = rest[160:] {
		heard[frame(rest)] = true
	}
	for ; len(spoken) > 0; spoken = spoken[min(160, len(spoken)):] {
		var code [160]byte
		f := frame(spoken)
		g711.PCMU.Encode(code[:], f[:])
		g711.PCMU.Decode(f[:], code[:])
		sent[f] = true
		if all++; heard[f] {
			came++
		}
	}
	for f := range heard {
		if !sent[f] && rms(f[:]) > loud {
			strange++
		}
	}
	return came, all, strange
}

// metric reads a counter without labels.
func metric(t testing.TB, metrics, name string) float64 {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(metrics)
	if m == nil {
		t.Fatalf("there is no metric %s", name)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// flood sends garbage to the SIP ports and to every media port until ctx ends, and returns how much it was: random
// bytes, broken SIP, BYEs by somebody who knows the Call-ID but no tag, RTP with foreign streams, and RTCP BYEs.
func (s *system) flood(ctx context.Context, t testing.TB, ports config.PortRange, callID string) int {
	local := netip.MustParseAddr("127.0.0.1")
	sip := []net.Conn{udp(t, s.SIPAddr()), udp(t, s.Phone().Addr())}
	var rtp []net.Conn
	for port := ports.Low; port <= ports.High; port++ {
		rtp = append(rtp, udp(t, netip.AddrPortFrom(local, uint16(port))))
	}
	random := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	sent := 0
	send := func(c net.Conn, b []byte) { // nobody may listen there: that is the point
		if _, err := c.Write(b); err == nil {
			sent++
		}
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for round := 0; ; round++ {
		select {
		case <-ctx.Done():
			return sent
		case <-tick.C:
		}
		for _, c := range sip {
			me := c.LocalAddr().String()
			send(c, noise(1+random.IntN(600)))
			send(c, []byte("INVITE sip:x SIP/2.0\r\nVia: \r\nContent-Length: 99999999\r\n\r\n"))
			send(c, fmt.Appendf(nil, "BYE sip:x@%[1]s SIP/2.0\r\nVia: SIP/2.0/UDP %[2]s;branch=z9hG4bK%[3]d\r\nFrom: <sip:a@%[2]s>;tag=%[3]d\r\n"+
				"To: <sip:b@%[1]s>;tag=%[4]d\r\nCall-ID: %[5]s\r\nCSeq: %[3]d BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
				c.RemoteAddr(), me, round+1, random.Uint32(), callID))
		}
		for _, c := range rtp {
			p := noise(172) // 20 ms of loud noise
			p[0], p[1] = 0x80, 0
			binary.BigEndian.PutUint16(p[2:], uint16(round))
			send(c, p)
			send(c, noise(1+random.IntN(300)))
			bye := []byte{0x81, 203, 0, 1, 0, 0, 0, 0}
			copy(bye[4:], noise(4))
			send(c, bye)
		}
	}
}

// TestTrunkThatRefuses calls through a trunk at whose address nobody listens.
func TestTrunkThatRefuses(t *testing.T) {
	closed := udp(t, netip.MustParseAddrPort("127.0.0.1:9"))
	nobody := closed.LocalAddr().String()
	_ = closed.Close()
	cfg := settings(t, t.TempDir())
	cfg.SIPTrunk = talkstack.Secret("sip:" + nobody)
	s := start(t, cfg)
	made, err := s.api.MakeCall(t.Context(), client.MakeCallRequest{Number: "+14155550148", ProjectID: s.demo.ProjectID, AgentID: s.demo.AgentID})
	if err != nil {
		t.Fatal(err)
	}
	sid := made.CallID
	call := s.wait(t, sid)
	expect(t, call, talkstack.StatusFailed, talkstack.PartyCarrier, talkstack.EndDialFailed)
	if call.EndReason.Message == "" {
		t.Error("the end reason says nothing to people")
	}
}
