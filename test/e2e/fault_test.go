package e2e

import (
	"errors"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"talkstack"
	"talkstack/client"
	"talkstack/test/program"
)

// TestSecondSignal: the first SIGTERM lets the live call go on, the second ends the program at once; the next start
// reports the call as interrupted.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	bin, dataDir := program.Build(t), t.TempDir()
	phone := carrier(t, time.Minute)
	trunk := "sip:" + phone.Addr().String()
	p := launch(t, bin, dataDir, trunk)
	sid := p.liveCall(t, dataDir)
	p.Signal(t, syscall.SIGTERM)
	if c := p.afterSignal(t, dataDir, sid); c.Status != talkstack.StatusInProgress {
		t.Fatalf("after the first signal the call is %s, want it to go on", c.Status)
	}
	begin := time.Now()
	p.Signal(t, syscall.SIGTERM)
	err := p.Wait()
	t.Logf("the second signal ended the program after %v", time.Since(begin))
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != 128+int(syscall.SIGTERM) {
		t.Errorf("the program ended with %v, want exit code 143", err)
	}
	p = launch(t, bin, dataDir, trunk)
	api, _ := p.client(t, dataDir)
	c, err := api.V1().Watch(t.Context(), sid, func(client.V1Call) {})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, c, talkstack.StatusFailed, talkstack.PartyPlatform, talkstack.EndInterrupted)
	if c.EndReason.Message == "" {
		t.Error("the end reason says nothing to people")
	}
}

// liveCall places a call and returns when it is answered.
func (p *process) liveCall(t testing.TB, dataDir string) talkstack.CallSID {
	t.Helper()
	api, demo := p.client(t, dataDir)
	made, err := api.MakeCall(t.Context(), client.MakeCallRequest{Number: "+14155550148", ProjectID: demo.ProjectID, AgentID: demo.AgentID})
	if err != nil {
		t.Fatal(err)
	}
	sid := made.CallID
	for c := (client.V1Call{}); c.Status != talkstack.StatusInProgress; {
		if c, err = api.V1().GetCall(t.Context(), sid); err != nil || c.Status.Final() {
			t.Fatalf("call is %s: %v", c.Status, err)
		}
	}
	return sid
}

// afterSignal reads a call once the program has taken a signal, which its /readyz shows.
func (p *process) afterSignal(t testing.TB, dataDir string, sid talkstack.CallSID) client.V1Call {
	t.Helper()
	for status(t, p.URL+"/readyz") == 200 {
		if t.Context().Err() != nil {
			t.Fatal("the program goes on as if there had been no signal")
		}
	}
	api, _ := p.client(t, dataDir)
	c, err := api.V1().GetCall(t.Context(), sid)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTrunkThatVanishes kills the far end in mid-call, so that no BYE ever comes: the call must end by itself within
// the promised minute.
func TestTrunkThatVanishes(t *testing.T) {
	t.Parallel()
	const promised = 60 * time.Second
	bin, dataDir := program.Build(t), t.TempDir()
	far, addr := launchPhone(t, bin)
	p := launch(t, bin, dataDir, "sip:"+addr)
	api, demo := p.client(t, dataDir)
	s := &system{api: api, demo: &demo, url: p.URL}
	s.patchAgent(t, map[string]any{"silence_limit_ms": 300_000})
	sid := p.liveCall(t, dataDir)
	begin := time.Now()
	if err := far.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c, err := api.V1().Watch(t.Context(), sid, func(client.V1Call) {})
	if err != nil {
		t.Fatal(err)
	}
	if c.Status != talkstack.StatusFailed || c.EndReason == nil || c.EndReason.Party != talkstack.PartyCarrier {
		t.Errorf("the call ended %s, %+v, want failed by the carrier", c.Status, c.EndReason)
	}
	if took := time.Since(begin); took > promised {
		t.Errorf("the call ended after %v, want at most %v", took, promised)
	} else {
		t.Logf("the call ended after %v: %+v", took, c.EndReason)
	}
}
