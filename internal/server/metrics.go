package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"talkstack"
)

// metrics are what /metrics shows of calls, lines and speech; requests are counted by httpapi. The registry adds the
// prefix talkstack_.
type metrics struct {
	ended   *prometheus.CounterVec
	latency prometheus.Histogram
	stages  *prometheus.HistogramVec
}

// newMetrics registers what is counted here, and the snapshots of the parts that count for themselves.
func newMetrics(s *Server) *metrics {
	buckets := []float64{.1, .2, .3, .4, .5, .6, .7, .8, 1, 1.25, 1.5, 2, 3, 5}
	m := &metrics{
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "calls_ended_total", Help: "Calls that ended, by status and end reason.",
		}, []string{"status", "party", "code"}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "turn_latency_seconds", Help: "End of the caller's speech to the first frame of the answer.", Buckets: buckets,
		}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "turn_stage_seconds", Help: "The same, by consecutive stage of the turn.", Buckets: buckets,
		}, []string{"stage"}),
	}
	s.metrics.MustRegister(m.ended, m.latency, m.stages)
	gauge := func(name, help string, value func() float64) {
		s.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	counter := func(name, help string, value func() int64) {
		s.metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value()) }))
	}
	gauge("calls_live", "Calls on the phone or being dialled.", func() float64 { return float64(s.board.Live()) })
	gauge("rtp_ports_used", "Pairs of RTP ports in use.", func() float64 { return float64(s.ports.Used()) })
	gauge("speech_saturated", "1 while one more call would degrade those that run.", func() float64 {
		if s.speech.engine.Saturated() {
			return 1
		}
		return 0
	})
	gauge("speech_synthesis_queue", "Clauses that wait to be spoken.", func() float64 { return float64(s.speech.engine.Stats().Speaking.Queued) })
	gauge("speech_recognition_queue", "Recognitions that wait.", func() float64 { return float64(s.speech.engine.Stats().Listening.Queued) })
	counter("speech_synthesis_late_total", "Clauses whose synthesis began after somebody waited for it.", func() int64 { return s.speech.engine.Stats().Speaking.Late })
	counter("speech_recognition_late_total", "Recognitions that began late.", func() int64 { return s.speech.engine.Stats().Listening.Late })
	counter("recording_failures_total", "Recordings that broke off, as on a full disk.", s.recordings.Failures)
	counter("sip_invites_in_total", "Calls offered to us by allowed sources.", func() int64 { return s.phones.Stats().InvitesIn })
	counter("sip_invites_out_total", "Calls we dialled.", func() int64 { return s.phones.Stats().InvitesOut })
	counter("sip_refused_total", "SIP messages from sources that may not call.", func() int64 { return s.phones.Stats().Refused })
	counter("sip_malformed_total", "Datagrams and streams that are not SIP.", func() int64 { return s.phones.Stats().Malformed })
	counter("sip_overload_total", "Calls refused because too many were undecided.", func() int64 { return s.phones.Stats().Overload })
	counter("sip_unmatched_total", "Requests for calls that do not exist here: late, or spoofed.", func() int64 { return s.phones.Stats().Unmatched })
	return m
}

// turn counts a turn that answered the caller.
func (m *metrics) turn(t talkstack.Turn) {
	l := t.Latency
	if l == nil {
		return
	}
	m.latency.Observe(l.Total.Seconds())
	m.stages.WithLabelValues("endpointing").Observe(l.Endpointing.Seconds())
	m.stages.WithLabelValues("asr_final").Observe(l.ASRFinal.Seconds())
	m.stages.WithLabelValues("llm_first_token").Observe(l.LLMFirstToken.Seconds())
	m.stages.WithLabelValues("tts_first_byte").Observe(l.TTSFirstByte.Seconds())
	m.stages.WithLabelValues("playout").Observe(l.Playout.Seconds())
}

// end counts the end of a call.
func (m *metrics) end(e talkstack.Ending) {
	m.ended.WithLabelValues(string(e.Status), string(e.Reason.Party), string(e.Reason.Code)).Inc()
}
