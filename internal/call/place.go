package call

import (
	"context"

	"talkstack"
)

// Place accepts an outbound call: it is stored as queued and never lost from here on. The number, the project and
// the agent are checked; a placeholder without a value becomes empty and is reported on the call (spec Q44).
func (s *Switchboard) Place(ctx context.Context, p talkstack.Placement) (talkstack.Call, error) {
	to, err := talkstack.ParseE164(p.To)
	if err != nil {
		return talkstack.Call{}, err
	}
	project, err := s.cfg.DB.Project(ctx, p.UserID, p.ProjectID)
	if err != nil {
		return talkstack.Call{}, err
	}
	agentID := p.AgentID
	if agentID == "" {
		agentID = project.ActiveAgent
	}
	if agentID == "" {
		return talkstack.Call{}, talkstack.Errorf(talkstack.CodeInvalid, "agentId is missing, and the project has no active agent to use instead.")
	}
	agent, err := s.cfg.DB.Agent(ctx, p.UserID, agentID)
	if err != nil {
		return talkstack.Call{}, err
	}
	if agent.ProjectID != project.ID {
		return talkstack.Call{}, talkstack.Errorf(talkstack.CodeNotFound, "Agent not found.")
	}
	from, err := s.cfg.DB.CallerNumber(ctx, agent)
	if err != nil {
		return talkstack.Call{}, err
	}
	c := talkstack.Call{
		SID: p.SID, UserID: p.UserID, ProjectID: project.ID,
		AgentID: agent.ID, AgentVersion: agent.Version, Direction: talkstack.Outbound,
		From: from, To: to, DynamicVariables: p.DynamicVariables,
	}
	c.MissingVariables = agent.Placeholders().Missing(variables(c))
	c, err = s.cfg.DB.PlaceCall(ctx, c)
	if err != nil {
		return talkstack.Call{}, err
	}
	s.cfg.Wake()
	return c, nil
}
