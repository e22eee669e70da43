package server

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"code.dny.dev/ssrf"

	"talkstack"
	"talkstack/internal/brain"
	"talkstack/internal/brain/flow"
	"talkstack/internal/brain/llm"
	"talkstack/internal/brain/retrieval"
	"talkstack/internal/provider/openai"
)

// newBrains returns what makes the brain of a call: the agent's flow if it has one, else the language model if one is
// configured, else retrieval from the prompt.
func (s *Server) newBrains() func(talkstack.Agent, string, map[string]any, func(talkstack.ChatUsage)) (brain.Brain, string, error) {
	out := outsideClient(s.cfg.PrivateWebhooks())
	var chat *openai.Client
	if p, ok := s.cfg.LanguageModel(); ok {
		chat = openai.New(openai.Config{BaseURL: s.cfg.OpenAIBaseURL, Key: s.cfg.OpenAIAPIKey, Model: p.Model})
	}
	return func(agent talkstack.Agent, prompt string, vars map[string]any, spent func(talkstack.ChatUsage)) (brain.Brain, string, error) {
		caller, _ := vars["counterpart_number"].(string)
		log := s.log.With(slog.String("agent_id", string(agent.ID)))
		switch {
		case agent.Settings.Flow != nil:
			return flow.New(flow.Config{
				Flow: agent.Settings.Flow, Variables: vars, Caller: caller, Now: time.Now, HTTP: out, Log: log,
			}), "flow", nil
		case chat != nil:
			return llm.New(llm.Config{Prompt: prompt, Chat: chat, OnUsage: spent, Log: log}), "llm " + chat.Model(), nil
		default:
			return retrieval.New(retrieval.Config{Prompt: prompt, Caller: caller}), "retrieval", nil
		}
	}
}

// brainName says which brain agents without a flow have, for people.
func (s *Server) brainName() string {
	if p, ok := s.cfg.LanguageModel(); ok {
		return "language model " + p.String() + "; agents with a flow follow it"
	}
	return "no language model: agents follow their flow, or answer from their prompt"
}

// outsideClient makes requests that agents cause. Addresses of private networks are refused after name resolution
// unless they are allowed, proxies are not used, and redirects are not followed.
func outsideClient(private bool) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if !private {
		dialer.Control = ssrf.New().Safe
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 30 * time.Second,
			MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
