package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"talkstack"
	"talkstack/internal/auth"
	"talkstack/internal/brain/flow"
)

// Demo is the demo account of development mode, as it is kept in a file that only its owner can read. The file is
// written before the account, so that a start that is killed in between goes on where it was.
type Demo struct {
	Email     string              `json:"email"`
	Password  string              `json:"password"`
	APIKey    string              `json:"api_key"`
	UserID    talkstack.UserID    `json:"user_id"`
	ProjectID talkstack.ProjectID `json:"project_id"`
	AgentID   talkstack.AgentID   `json:"agent_id"`
	Number    string              `json:"number"`
	Complete  bool                `json:"complete"` // every row of it is stored
}

const (
	demoFile   = "demo.json"
	demoEmail  = "demo@talkstack.example"
	demoNumber = "+15005550100"
	demoPrompt = `You are Heart, the friendly receptionist of the Talkstack demo clinic. You are talking to {{name}}.
The clinic is open from Monday to Friday, nine in the morning to five in the afternoon. It is at 12 Main Street.
You book appointments: ask for the day, the time and the name, and confirm them.`
)

// prepareDemo makes the demo account on an empty database, or reads the one that is there.
func (s *Server) prepareDemo(ctx context.Context) error {
	if !s.cfg.Dev {
		return nil
	}
	path := filepath.Join(s.cfg.DataDir, demoFile)
	d, err := readDemo(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("demo account: %w", err)
	}
	there, err := s.hasDemo(ctx, d)
	if err != nil {
		return err
	}
	if !there {
		empty, err := s.db.Empty(ctx)
		if err != nil || !empty { // somebody's own data: no demo account in it
			return err
		}
		if d == nil {
			d = newDemo()
		}
		d.Complete = false // the file may be of a database that is gone
	}
	if !d.Complete {
		if err := errors.Join(writeDemo(path, d), s.createDemo(ctx, d)); err != nil {
			return fmt.Errorf("demo account: %w", err)
		}
		d.Complete = true
		if err := writeDemo(path, d); err != nil {
			return fmt.Errorf("demo account: %w", err)
		}
	}
	s.demo = d
	return s.rehearseDemo(ctx)
}

// hasDemo reports whether this database has the account of a demo file.
func (s *Server) hasDemo(ctx context.Context, d *Demo) (bool, error) {
	if d == nil {
		return false, nil
	}
	_, err := s.db.User(ctx, d.UserID)
	if talkstack.ErrorCode(err) == talkstack.CodeNotFound {
		return false, nil
	}
	return err == nil, err
}

// rehearseDemo speaks the demo agent's sentences ahead while nobody waits: a newcomer's first call is as quick as any.
func (s *Server) rehearseDemo(ctx context.Context) error {
	agent, err := s.db.Agent(ctx, s.demo.UserID, s.demo.AgentID)
	if talkstack.ErrorCode(err) == talkstack.CodeNotFound {
		return nil // its owner has deleted it
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.board.Rehearse(ctx, agent); err != nil {
			s.log.Warn("the demo agent was not rehearsed", "error", err)
		}
	}()
	s.onStop(func(context.Context) {
		cancel()
		<-done
	})
	return nil
}

func newDemo() *Demo {
	return &Demo{
		Email: demoEmail, Password: rand.Text(), APIKey: auth.NewAPIKey().Reveal(), UserID: talkstack.NewUserID(),
		ProjectID: talkstack.NewProjectID(), AgentID: talkstack.NewAgentID(), Number: demoNumber,
	}
}

// createDemo stores what is not there yet, so it may be run again after it was killed at any step.
func (s *Server) createDemo(ctx context.Context, d *Demo) error {
	hash, err := auth.NewHasher().Hash(ctx, d.Password)
	if err != nil {
		return err
	}
	settings := talkstack.DefaultAgentSettings()
	settings.Greeting = flow.DemoGreeting
	settings.Flow = flow.Demo()
	agent := talkstack.Agent{
		ID: d.AgentID, UserID: d.UserID, ProjectID: d.ProjectID, Name: "Heart", Prompt: demoPrompt,
		VoiceID: s.speech.Voices()[0].ID, Settings: settings,
	}
	steps := []func() error{
		func() error {
			return unlessThere(func() error { _, err := s.db.User(ctx, d.UserID); return err }, func() error {
				_, err := s.db.CreateUser(ctx, talkstack.User{ID: d.UserID, Email: d.Email, Name: "Demo", PasswordHash: hash, Verified: true})
				return err
			})
		},
		func() error { return s.db.SetAPIKey(ctx, d.UserID, auth.Digest(talkstack.Secret(d.APIKey))) },
		func() error {
			return unlessThere(func() error { _, err := s.db.Project(ctx, d.UserID, d.ProjectID); return err }, func() error {
				_, err := s.db.CreateProject(ctx, talkstack.Project{
					ID: d.ProjectID, UserID: d.UserID, Name: "Demo", Description: "Made by development mode.", MaxCalls: talkstack.DefaultProjectMaxCalls,
				})
				return err
			})
		},
		func() error {
			return unlessThere(func() error { _, err := s.db.Agent(ctx, d.UserID, d.AgentID); return err }, func() error {
				_, err := s.db.CreateAgent(ctx, agent, d.Number)
				return err
			})
		},
		func() error { _, err := s.db.SetActiveAgent(ctx, d.UserID, d.ProjectID, d.AgentID); return err },
		func() error { _, _, err := s.db.SetActiveProject(ctx, d.UserID, d.ProjectID); return err },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// unlessThere creates what a look-up does not find.
func unlessThere(find, create func() error) error {
	err := find()
	if talkstack.ErrorCode(err) == talkstack.CodeNotFound {
		return create()
	}
	return err
}

func readDemo(path string) (*Demo, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var d Demo
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return &d, nil
}

func writeDemo(path string, d *Demo) error {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil { // synced before it is renamed: never empty after a power cut
		return err
	}
	return os.Rename(part, path)
}

// welcome prints where everything is.
func (s *Server) welcome(out io.Writer) {
	url := s.cfg.PublicURL
	if url == "" {
		url = s.URL()
	}
	_, _ = fmt.Fprintf(out, welcomeText, s.version, url, url, s.phones.Addr(), s.carrierName(), s.brainName(), s.hearing())
	if d := s.demo; d != nil {
		_, _ = fmt.Fprintf(out, demoText, d.Email, d.Password, d.APIKey, url, d.APIKey, d.ProjectID, d.AgentID, url, d.APIKey)
	}
}
