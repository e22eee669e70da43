package call

import (
	"math"
	"sync/atomic"
	"time"

	"talkstack"
	"talkstack/internal/media"
	"talkstack/internal/store"
	"talkstack/internal/voice"
)

// meter counts what one call uses, from its preparation to its end. Its methods may be called from any goroutine.
type meter struct {
	heard      atomic.Int64 // frames given to speech recognition
	characters atomic.Int64 // synthesised
	input      atomic.Int64 // tokens
	output     atomic.Int64
	estimated  atomic.Int64 // of input and output
}

func (m *meter) synthesised(characters int) { m.characters.Add(int64(characters)) }

func (m *meter) thought(u talkstack.ChatUsage) {
	m.input.Add(u.PromptTokens)
	m.output.Add(u.CompletionTokens)
	if u.Estimated {
		m.estimated.Add(u.PromptTokens + u.CompletionTokens)
	}
}

// usage is what was used so far, in a call that was connected for so long.
func (m *meter) usage(connected time.Duration) talkstack.Usage {
	return talkstack.Usage{
		CarrierSeconds: seconds(connected),
		ASRSeconds:     seconds(time.Duration(m.heard.Load()) * media.FrameDuration),
		LLMInput:       m.input.Load(), LLMOutput: m.output.Load(), LLMEstimated: m.estimated.Load(),
		TTSCharacters: m.characters.Load(),
	}
}

// seconds are those of d, to the millisecond.
func seconds(d time.Duration) float64 { return math.Round(max(0, d.Seconds())*1000) / 1000 }

// meteredTranscriber counts the audio that a transcriber is given.
type meteredTranscriber struct {
	voice.Transcriber
	meter *meter
}

func (t meteredTranscriber) Hear(f *media.Frame, speech bool) {
	t.meter.heard.Add(1)
	t.Transcriber.Hear(f, speech)
}

// settle adds to an outcome what the call has used and what that costs. Nothing is used after it: what is spoken ahead
// ends here. answered is zero for a call that was not.
func (s *Switchboard) settle(c talkstack.Call, p *prepared, answered time.Time, o store.Outcome) store.Outcome {
	p.stopAhead()
	if o.EndedAt.IsZero() {
		o.EndedAt = time.Now()
	}
	connected := time.Duration(0)
	if !answered.IsZero() {
		connected = o.EndedAt.Sub(answered)
	}
	o.Usage = p.meter.usage(connected)
	o.CostParts = s.cfg.Prices.Cost(o.Usage, c.Direction, c.Counterpart())
	return o
}
