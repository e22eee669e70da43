package server

import (
	"context"

	"talkstack/internal/analysis"
	"talkstack/internal/provider/openai"
)

// makeAnalyses joins what analyses calls to the store: the configured language model, or rules alone.
func (s *Server) makeAnalyses(context.Context) error {
	cfg := analysis.Config{DB: s.db, Prices: s.cfg.Prices, Log: s.log.With("part", "analysis")}
	if p, ok := s.cfg.LanguageModel(); ok {
		cfg.Model = openai.New(openai.Config{BaseURL: s.cfg.OpenAIBaseURL, Key: s.cfg.OpenAIAPIKey, Model: p.Model})
	}
	s.analyses = analysis.New(cfg)
	return nil
}
