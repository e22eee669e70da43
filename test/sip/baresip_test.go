package sip_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"talkstack/internal/media"
	"talkstack/internal/sip"
)

const (
	ourTone   = 1000 // Hz
	peerTone  = 700
	toneTime  = 3 * time.Second
	pureShare = 0.95 // of a second's energy that must be the tone
)

// baresip is a softphone in the second namespace, ruled over its control socket.
type baresip struct {
	t      *testing.T
	dir    string
	cmd    *exec.Cmd
	log    bytes.Buffer
	done   chan struct{}
	conn   net.Conn
	events chan event
}

// event is what baresip tells on its control socket.
type event struct {
	Event bool   `json:"event"`
	Type  string `json:"type"`
	Param string `json:"param"`
	OK    bool   `json:"ok"`
	Data  string `json:"data"`
}

// startBaresip starts one that speaks a codec, plays a tone and keeps what it hears.
func startBaresip(t *testing.T, codec string) *baresip {
	t.Helper()
	b := &baresip{t: t, dir: t.TempDir(), done: make(chan struct{}), events: make(chan event, 1000)}
	b.write("tone.wav", wav(t, tone(peerTone, 0, 20*8000)))
	b.write("contacts", nil)
	b.write("accounts", fmt.Appendf(nil, "<sip:anna@%s>;regint=0;answermode=auto;audio_codecs=%s\n", peerAddr, codec))
	b.write("config", fmt.Appendf(nil, `module_path %[1]s
sip_listen %[2]s:5060
ctrl_tcp_listen %[2]s:4444
cons_listen %[2]s:5555
audio_source aufile,%[3]s/tone.wav
snd_path %[3]s
module g711.so
module aufile.so
module sndfile.so
module cons.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
`, moduleFolder(t), peerAddr, b.dir))
	b.cmd = exec.CommandContext(within(t), "ip", "netns", "exec", os.Getenv(insideVar), "baresip", "-f", b.dir)
	b.cmd.Stdout, b.cmd.Stderr = &b.log, &b.log
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(b.done); _ = b.cmd.Wait() }()
	t.Cleanup(func() { _ = b.cmd.Process.Kill(); <-b.done })
	b.connect()
	baresipRan.Add(1)
	return b
}

func moduleFolder(t *testing.T) string {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/baresip/modules", "/usr/lib/*/baresip/modules", "/usr/local/lib/baresip/modules"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0]
		}
	}
	t.Fatal("baresip's modules are not found: apt-get install -y --no-install-recommends baresip-core")
	return ""
}

func (b *baresip) write(name string, content []byte) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), content, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// connect waits for the control socket and reads events from it.
func (b *baresip) connect() {
	b.t.Helper()
	for ctx := within(b.t); ; {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", peerAddr+":4444")
		if err == nil {
			b.conn = conn
			break
		}
		select {
		case <-b.done:
			b.t.Fatalf("baresip ended\n%s", &b.log)
		case <-ctx.Done():
			b.t.Fatal("baresip does not start")
		case <-time.After(20 * time.Millisecond):
		}
	}
	b.t.Cleanup(func() { _ = b.conn.Close() })
	go func() {
		defer close(b.events)
		r := bufio.NewReader(b.conn)
		for {
			size, err := r.ReadString(':') // a netstring: 12:{"event":...},
			if err != nil {
				return
			}
			n, err := strconv.Atoi(strings.TrimSuffix(size, ":"))
			if err != nil || n > 1<<16 {
				return
			}
			text := make([]byte, n+1)
			if _, err := io.ReadFull(r, text); err != nil {
				return
			}
			var e event
			if json.Unmarshal(text[:n], &e) == nil {
				b.events <- e
			}
		}
	}()
}

func (b *baresip) command(name, params string) {
	b.t.Helper()
	text, err := json.Marshal(map[string]string{"command": name, "params": params})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(b.conn, "%d:%s,", len(text), text); err != nil {
		b.t.Fatal(err)
	}
}

// until waits for an event.
func (b *baresip) until(kind string) event {
	b.t.Helper()
	for deadline := time.After(limit); ; {
		select {
		case e, ok := <-b.events:
			if !ok {
				b.t.Fatalf("baresip ended before %s", kind)
			}
			if e.Type == kind {
				return e
			}
		case <-deadline:
			b.t.Fatalf("no %s from baresip", kind)
		}
	}
}

// heard ends baresip and returns what it heard.
func (b *baresip) heard() []int16 {
	b.t.Helper()
	b.command("quit", "")
	select {
	case <-b.done:
	case <-time.After(limit):
		b.t.Fatal("baresip does not end")
	}
	files, err := filepath.Glob(filepath.Join(b.dir, "dump-*dec*.wav"))
	if err != nil || len(files) == 0 {
		b.t.Fatalf("baresip kept no audio\n%s", &b.log)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		b.t.Fatal(err)
	}
	audio, err := media.ReadWAV(bytes.NewReader(content))
	if err != nil {
		b.t.Fatal(err)
	}
	return audio.Samples
}

func tone(hz float64, from, n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(from+i)/8000))
	}
	return pcm
}

func wav(t *testing.T, pcm []int16) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := media.WriteWAV(&b, &media.Audio{Rate: 8000, Channels: 1, Samples: pcm}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// share is how much of the best second of pcm is the tone, 0 to 1 (Goertzel).
func share(pcm []int16, hz float64) float64 {
	best := 0.0
	for ; len(pcm) >= 8000; pcm = pcm[1000:] {
		w := 2 * math.Cos(2*math.Pi*hz/8000)
		var s1, s2, energy float64
		for _, v := range pcm[:8000] {
			x := float64(v)
			energy += x * x
			s1, s2 = x+w*s1-s2, s1
		}
		if energy > 0 {
			best = max(best, 2*(s1*s1+s2*s2-w*s1*s2)/(8000*energy))
		}
	}
	return best
}

// exchange sends our tone for a while and returns what came meanwhile.
func exchange(t *testing.T, leg *sip.Leg) []int16 {
	t.Helper()
	var heard []int16
	sent := 0
	for range int(toneTime / media.FrameDuration) {
		f, err := leg.ReadFrame(within(t))
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		heard = append(heard, f.Samples()...)
		out := media.NewFrame(8000)
		copy(out.Samples(), tone(ourTone, sent, 160))
		sent += 160
		if err := leg.WriteFrame(out); err != nil {
			t.Fatalf("write: %v", err)
		}
	}
	return heard
}

func checkTones(t *testing.T, b *baresip, weHeard []int16) {
	t.Helper()
	theyHeard := b.heard()
	for _, side := range []struct {
		name        string
		pcm         []int16
		hz, another float64
	}{{"we", weHeard, peerTone, ourTone}, {"baresip", theyHeard, ourTone, peerTone}} {
		got, wrong := share(side.pcm, side.hz), share(side.pcm, side.another)
		t.Logf("%s heard %d samples, %.4f of the best second at %v Hz, %.4f at %v Hz", side.name, len(side.pcm), got, side.hz, wrong, side.another)
		if got < pureShare || wrong > 1-pureShare {
			t.Errorf("%s did not hear the other's tone clearly", side.name)
		}
	}
}

func TestBaresipCalls(t *testing.T) {
	for _, codec := range []string{"PCMU", "PCMA"} {
		t.Run(codec, func(t *testing.T) {
			b := startBaresip(t, codec)
			heard := make(chan []int16, 1)
			ua := startUA(t, ourAddr, func(ctx context.Context, inv *sip.Invite) {
				leg, err := inv.Answer(ctx)
				if err != nil {
					t.Errorf("answer: %v", err)
					return
				}
				heard <- exchange(t, leg)
			})
			b.command("dial", fmt.Sprintf("sip:+14155550100@%s", ua.Addr()))
			select {
			case pcm := <-heard:
				b.until("CALL_CLOSED") // the handler has returned, so the call is hung up
				checkTones(t, b, pcm)
			case <-within(t).Done():
				t.Fatal("no call")
			}
		})
	}
}

func dialBaresip(t *testing.T) *sip.Leg {
	t.Helper()
	leg, err := startUA(t, ourAddr, nil).Dial(within(t), sip.DialRequest{From: "+14155550100", Target: "sip:anna@" + peerAddr})
	if err != nil {
		t.Fatal(err)
	}
	return leg
}

func TestBaresipIsCalled(t *testing.T) {
	for _, codec := range []string{"PCMU", "PCMA"} {
		t.Run(codec, func(t *testing.T) {
			b := startBaresip(t, codec)
			leg := dialBaresip(t)
			heard := exchange(t, leg)
			if err := leg.Hangup(within(t), agentHangup()); err != nil {
				t.Errorf("hangup: %v", err)
			}
			b.until("CALL_CLOSED")
			checkTones(t, b, heard)
		})
	}
}

func TestBaresipHearsDigits(t *testing.T) {
	b := startBaresip(t, "PCMU")
	leg := dialBaresip(t)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	go func() { // the clock of the leg has to run
		for {
			if _, err := leg.ReadFrame(ctx); err != nil {
				return
			}
		}
	}()
	const keys = "1590*#"
	if err := leg.SendDigits(ctx, keys); err != nil {
		t.Fatal(err)
	}
	got := ""
	for range keys {
		got += b.until("CALL_DTMF_START").Param
	}
	if got != keys {
		t.Errorf("baresip heard %q, want %q", got, keys)
	}
	if err := leg.Hangup(ctx, agentHangup()); err != nil {
		t.Errorf("hangup: %v", err)
	}
}

func TestBaresipPressesDigits(t *testing.T) {
	b := startBaresip(t, "PCMA")
	leg := dialBaresip(t)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	go func() {
		for {
			if _, err := leg.ReadFrame(ctx); err != nil {
				return
			}
		}
	}()
	console, err := (&net.Dialer{}).DialContext(ctx, "udp", peerAddr+":5555")
	if err != nil {
		t.Fatal(err)
	}
	defer console.Close()
	for _, key := range "26#8" {
		const release = "\x04"
		if _, err := io.WriteString(console, string(key)+release); err != nil {
			t.Fatal(err)
		}
		select {
		case d := <-leg.Digits():
			if d.Key != byte(key) {
				t.Errorf("heard %c, want %c", d.Key, key)
			}
		case <-ctx.Done():
			t.Fatalf("digit %c was not heard\n%s", key, &b.log)
		}
	}
	// This time the other side hangs up.
	b.command("hangup", "")
	select {
	case <-leg.Done():
	case <-ctx.Done():
		t.Fatal("the call does not end")
	}
	if byPeer, _ := leg.Ended(); !byPeer {
		t.Error("baresip hung up, and it is not said so")
	}
}
