package store

import (
	"context"

	"talkstack"
)

// CallerNumber is the number an agent calls from: its own, or one of its project's that no agent has. Without one the
// error is of CodeInvalid.
func (db *DB) CallerNumber(ctx context.Context, agent talkstack.Agent) (string, error) {
	own, err := db.NumbersByAgent(ctx, agent.UserID, agent.ID)
	if err != nil {
		return "", err
	}
	if len(own) > 0 {
		return own[0].E164, nil
	}
	shared, err := db.NumbersByProject(ctx, agent.UserID, agent.ProjectID)
	if err != nil {
		return "", err
	}
	for _, n := range shared {
		if n.AgentID == "" {
			return n.E164, nil
		}
	}
	return "", talkstack.Errorf(talkstack.CodeInvalid, "The agent has no phone number to call from: assign one with POST /phone-number/add-number.")
}
