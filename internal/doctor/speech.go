package doctor

import (
	"context"
	"io"
	"net/http"
	"os/exec"
	"strings"

	"talkstack/internal/config"
	"talkstack/internal/model"
	"talkstack/internal/onnx"
)

func (e *examination) models(context.Context) Finding {
	dir := e.cfg.ModelsPath()
	if !onnx.Built {
		return limited("build with cgo and without the tag noonnx", "this binary is built without local speech; callers cannot be heard")
	}
	const advice = "run `talkstack models install`; without the models the server starts, but agents cannot hear"
	problems, err := model.Check(dir, true)
	switch {
	case err != nil:
		return notReady(advice, "%s: %v", dir, err)
	case len(problems) > 1:
		return notReady(advice, "%s: %s, and %d more", dir, problems[0], len(problems)-1)
	case len(problems) == 1:
		return notReady(advice, "%s: %s", dir, problems[0])
	}
	return ready("%s: all files have the right checksum", dir)
}

func (e *examination) espeak(ctx context.Context) Finding {
	path, err := exec.LookPath("espeak-ng")
	if err != nil {
		return notReady("install it: apt-get install espeak-ng", "not found; agents cannot speak without it")
	}
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return notReady("reinstall it: apt-get install --reinstall espeak-ng", "%s does not run: %v", path, err)
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(out)), "  ")
	return ready("%s", version)
}

// brain says what decides the agent's words.
func (e *examination) brain(ctx context.Context) Finding {
	if model, ok := e.cfg.LanguageModel(); ok {
		return e.openAI(ctx, model)
	}
	return ready("flow: no language model; an agent follows its flow, or answers from its prompt")
}

func (e *examination) openAI(ctx context.Context, link config.Provider) Finding {
	base := openAIBase(e.cfg.OpenAIBaseURL)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/models", http.NoBody)
	if err != nil {
		return notReady("check OPENAI_BASE_URL", "%s: %v", link, err)
	}
	if e.cfg.OpenAIAPIKey != "" {
		req.Header.Set("Authorization", "Bearer "+e.cfg.OpenAIAPIKey.Reveal())
	}
	resp, err := e.http.Do(req)
	if err != nil {
		return notReady("check OPENAI_BASE_URL and that the server is running", "%s: nothing answers at %s", link, base)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	switch {
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return notReady("check OPENAI_API_KEY", "%s: %s refuses the key", link, base)
	case resp.StatusCode >= http.StatusInternalServerError:
		return notReady("look at that server's own log", "%s: %s answers %s", link, base, resp.Status)
	}
	return ready("%s at %s", link, base)
}

// openAIBase is the endpoint's address, which ends in /v1 whether that was written or not.
func openAIBase(base string) string {
	if base == "" {
		return "https://api.openai.com/v1"
	}
	base = strings.TrimRight(base, "/")
	if !strings.HasSuffix(base, "/v1") {
		base += "/v1"
	}
	return base
}
