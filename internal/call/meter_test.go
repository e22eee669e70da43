package call_test

import (
	"context"
	"iter"
	"maps"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/brain/llm"
	"talkstack/internal/call"
)

// counting is a language model that says goodbye, hangs up, and counts.
type counting struct{ usage talkstack.ChatUsage }

func (c counting) Stream(context.Context, talkstack.ChatRequest) iter.Seq2[talkstack.ChatDelta, error] {
	return func(yield func(talkstack.ChatDelta, error) bool) {
		_ = yield(talkstack.ChatDelta{Text: "Goodbye, café."}, nil) &&
			yield(talkstack.ChatDelta{Usage: &c.usage}, nil) &&
			yield(talkstack.ChatDelta{ToolCall: &talkstack.ToolCall{ID: "1", Name: llm.EndCall, Arguments: "{}"}}, nil)
	}
}

// metered is a fixture whose calls have prices and a language model, and whose fixed sentences are in the cache.
func metered(t *testing.T) *fixture {
	t.Helper()
	f := setUp(t, func(s *talkstack.AgentSettings) { s.Greeting = "" })
	f.cfg.Prices = pricesOf(t, "carrier:+1415=0.6/started-min, carrier_in=0.06/min, asr=0.6/min, llm_input=100/Mtok, llm_output=1000/Mtok, tts=1/kchar")
	f.cfg.NewBrain = func(_ talkstack.Agent, prompt string, _ map[string]any, spent func(talkstack.ChatUsage)) (brain.Brain, string, error) {
		chat := counting{talkstack.ChatUsage{PromptTokens: 120, CompletionTokens: 7}}
		return llm.New(llm.Config{Prompt: prompt, Chat: chat, OnUsage: spent}), "llm", nil
	}
	f.Switchboard = call.New(f.cfg)
	must(t, f.Rehearse(t.Context(), f.agent))
	return f
}

func TestCallIsMeteredAndPriced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := metered(t)
		c := f.claimed(t)
		f.dial = func(context.Context, call.Dialing) (call.Leg, error) { return newLeg(), nil }
		f.Dial(t.Context(), c)
		got := f.stored(t, c.SID)
		wantEnding(t, got, talkstack.StatusCompleted, talkstack.EndAgentHangup)
		connected := got.EndedAt.Sub(got.AnsweredAt)
		want := talkstack.Usage{
			CarrierSeconds: math.Round(connected.Seconds()*1000) / 1000,
			ASRSeconds:     connected.Truncate(20 * time.Millisecond).Seconds(), // every frame of the call was listened to
			LLMInput:       120, LLMOutput: 7, TTSCharacters: 14,
		}
		if got.Usage != want || connected < time.Second {
			t.Errorf("used %+v in %s, want %+v", got.Usage, connected, want)
		}
		parts := map[string]float64{"carrier": 0.6, "asr": talkstack.RoundCost(0.01 * want.ASRSeconds), "llm": 0.019, "tts": 0.014}
		if !maps.Equal(got.CostParts, parts) {
			t.Errorf("it cost %v, want %v", got.CostParts, parts)
		}
		if sum := talkstack.RoundCost(0.633 + parts["asr"]); got.Cost != sum {
			t.Errorf("it cost %v, want %v", got.Cost, sum)
		}
	})
}

// What was spoken ahead for a call that nobody answered was paid for all the same.
func TestUnansweredCallCostsWhatWasMadeForIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setUp(t, func(s *talkstack.AgentSettings) { s.Greeting = "Hello {{counterpart_number}}." })
		f.cfg.Prices = pricesOf(t, "carrier=1/min, tts=1/kchar")
		f.Switchboard = call.New(f.cfg)
		must(t, f.Rehearse(t.Context(), f.agent))
		c := f.claimed(t)
		f.dial = func(context.Context, call.Dialing) (call.Leg, error) {
			synctest.Wait() // the greeting is made while it rings
			return nil, &call.DialError{Ending: talkstack.Ending{Status: talkstack.StatusNoAnswer, Reason: talkstack.EndReason{
				Party: talkstack.PartyCarrier, Code: talkstack.EndDialNoAnswer,
			}}}
		}
		f.Dial(t.Context(), c)
		got := f.stored(t, c.SID)
		if want := (talkstack.Usage{TTSCharacters: int64(len("Hello +14155550148."))}); got.Usage != want || got.Cost != 0.019 {
			t.Errorf("used %+v for %v, want %+v", got.Usage, got.Cost, want)
		}
	})
}

func pricesOf(t testing.TB, prices string) talkstack.Prices {
	t.Helper()
	p, err := talkstack.ParsePrices(prices)
	must(t, err)
	return p
}

func TestIncomingCallHasItsOwnPrice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := metered(t)
		must(t, f.db.Heartbeat(t.Context(), f.node))
		f.Answer(t.Context(), &fakeIncoming{to: number})
		got, err := f.db.Call(t.Context(), f.user, "carrier-1")
		must(t, err)
		if want := talkstack.RoundCost(0.001 * got.Usage.CarrierSeconds); got.CostParts["carrier"] != want || want == 0 {
			t.Errorf("the carrier cost %v, want %v", got.CostParts["carrier"], want)
		}
	})
}
