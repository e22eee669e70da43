package e2e

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"talkstack"
	"talkstack/client"
	"talkstack/internal/phonetest"
	"talkstack/internal/provider/local"
	"talkstack/internal/server"
	"talkstack/internal/vad"
	"talkstack/test/program"
)

// carrier is a far end that outlives the server: a phone that answers, says nothing, and hangs up after a while.
func carrier(t testing.TB, talk time.Duration) *phonetest.Phone {
	t.Helper()
	espeak, err := local.OpenEspeak(local.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(espeak.Close)
	speech := phonetest.Speech{
		Speak: espeak.Speak, Voice: espeak.Voices()[0],
		NewDetector: func(int) phonetest.Detector { return vad.NewEnergy() },
	}
	return program.Phone(t, speech, func(ctx context.Context, r *phonetest.Ringing) error {
		line, err := r.Answer(ctx)
		if err != nil {
			return err
		}
		return line.Wait(ctx, talk+time.Duration(rand.Int64N(int64(talk))))
	})
}

// process is the program as its users run it.
type process struct{ *program.Process }

// launch starts the program on a data folder and returns when it is ready.
func launch(t testing.TB, bin, dataDir, trunk string) *process {
	t.Helper()
	return launchWith(t, bin, dataDir, trunk, modelsDir(t))
}

func launchWith(t testing.TB, bin, dataDir, trunk, models string) *process {
	t.Helper()
	return &process{program.Serve(t, bin, []string{
		"TALKSTACK_DATA_DIR=" + dataDir, "TALKSTACK_MODELS_DIR=" + models, "TALKSTACK_HTTP_ADDR=127.0.0.1:0",
		"TALKSTACK_SIP_ADDR=127.0.0.1:0", "TALKSTACK_RTP_PORTS=45000-49999", "TALKSTACK_SIP_TRUNK=" + trunk, "TALKSTACK_DRAIN_LIMIT=30s",
	}, "--dev", "--log-level=warn")}
}

func (p *process) client(t testing.TB, dataDir string) (*client.Client, server.Demo) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dataDir, "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d server.Demo
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	api, err := client.New(p.URL, talkstack.Secret(d.APIKey))
	if err != nil {
		t.Fatal(err)
	}
	return api, d
}

// TestKill kills the program again and again while it has calls in every state. Each accepted call must end, with a
// reason, and the far end must have seen at most one INVITE of each.
func TestKill(t *testing.T) {
	t.Parallel()
	const kills = 6
	const calls = (kills + 1) * talkstack.DefaultProjectMaxCalls // some are left when each kill interrupts as many as run at once
	bin, dataDir := program.Build(t), t.TempDir()
	phone := carrier(t, 1500*time.Millisecond)
	trunk := "sip:" + phone.Addr().String()

	p := launch(t, bin, dataDir, trunk)
	api, demo := p.client(t, dataDir)
	var sids []talkstack.CallSID
	for range calls {
		made, err := api.MakeCall(t.Context(), client.MakeCallRequest{Number: "+14155550148", ProjectID: demo.ProjectID, AgentID: demo.AgentID})
		if err != nil {
			t.Fatal(err)
		}
		sid := made.CallID
		sids = append(sids, sid)
	}
	for range kills {
		select {
		case <-time.After(time.Duration(200+rand.IntN(1500)) * time.Millisecond): // a kill at any moment
		case <-p.Done():
		}
		p.Kill(t)
		p = launch(t, bin, dataDir, trunk)
	}
	api, _ = p.client(t, dataDir)

	endings := map[string]int{}
	ctx, cancel := context.WithTimeout(t.Context(), callLimit)
	defer cancel()
	for _, sid := range sids {
		c, err := api.V1().Watch(ctx, sid, func(client.V1Call) {})
		if err != nil {
			t.Fatalf("call %s is lost in status %s: %v", sid, c.Status, err)
		}
		if c.EndReason == nil {
			t.Fatalf("call %s ended %s without a reason", sid, c.Status)
		}
		endings[string(c.Status)+" "+string(c.EndReason.Code)]++
	}
	dialled := map[string]int{}
	for _, r := range phone.Calls() {
		sid, _, _ := strings.Cut(r.CallID, "-")
		dialled[sid]++
	}
	for _, sid := range sids {
		if n := dialled[string(sid)]; n > 1 {
			t.Errorf("call %s was dialled %d times", sid, n)
		}
	}
	if endings["completed user_hangup"] == 0 || endings["failed interrupted"] == 0 {
		t.Errorf("endings %v: want completed and interrupted calls", endings)
	}
	t.Logf("%d calls, %d kills: %v; %d INVITEs at the far end", calls, kills, endings, len(phone.Calls()))
}

// TestDrain stops the program while a call is live: the call goes on to its own end, and the program exits cleanly.
func TestDrain(t *testing.T) {
	t.Parallel()
	bin, dataDir := program.Build(t), t.TempDir()
	phone := carrier(t, 2*time.Second)
	trunk := "sip:" + phone.Addr().String()
	p := launch(t, bin, dataDir, trunk)
	sid := p.liveCall(t, dataDir)
	p.Signal(t, syscall.SIGTERM)
	if err := p.Wait(); err != nil {
		t.Fatalf("the server did not exit cleanly: %v", err)
	}
	p = launch(t, bin, dataDir, trunk)
	api, _ := p.client(t, dataDir)
	c, err := api.V1().GetCall(t.Context(), sid)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, c, talkstack.StatusCompleted, talkstack.PartyCaller, talkstack.EndUserHangup)
}
