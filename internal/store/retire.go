package store

import (
	"context"
	"slices"

	"talkstack"
	"talkstack/internal/store/query"
)

// endAtOnce is how many waiting calls are ended in the transaction that deletes what they belong to. More are put on
// hold in it, so that none of them is dialled, and ended by a job: the write lock is not kept for minutes.
const endAtOnce = 200

// DeleteProject deletes one of the user's projects; its name becomes free. With cascade its agents and numbers go too;
// without, having any is a conflict and nothing is deleted. Its batches are cancelled and calls that wait end as failed;
// those in progress go on. Its calls and their agents stay readable.
func (db *DB) DeleteProject(ctx context.Context, user talkstack.UserID, id talkstack.ProjectID, cascade bool) error {
	return db.transact(ctx, "delete a project", func(q *tx) error {
		p, err := projectOf(q.LockProject(ctx, query.LockProjectParams{ID: id, UserID: user})) // no agent, number or call joins from here on
		if err != nil {
			return err
		}
		agents, err := q.LiveAgentIDs(ctx, id)
		if err != nil {
			return err
		}
		if !cascade {
			numbers, err := q.CountNumbers(ctx, id)
			if err != nil {
				return err
			}
			if numbers > 0 || len(agents) > 0 {
				return talkstack.Errorf(talkstack.CodeConflict,
					"The project still has agents or phone numbers: delete them first, or set cascade to true.")
			}
		}
		now := db.now()
		numbers, err := q.DeleteNumbersOfProject(ctx, id)
		if err != nil {
			return err
		}
		slices.Sort(numbers) // RETURNING promises no order
		if err := q.DeleteAgentsOfProject(ctx, query.DeleteAgentsOfProjectParams{ProjectID: id, Now: &now}); err != nil {
			return err
		}
		// Before its calls end: the webhook of a project that is gone is told nothing.
		if err := q.DeleteProject(ctx, query.DeleteProjectParams{ID: id, Now: &now}); err != nil {
			return err
		}
		batches, err := db.retire(ctx, q, id, "", "The project was deleted before the call was dialled.")
		if err != nil {
			return err
		}
		if err := q.ClearActiveProject(ctx, query.ClearActiveProjectParams{ID: user, ProjectID: orNull(id), Now: now}); err != nil {
			return err
		}
		return db.audit(ctx, q, user, "project.delete", "project", string(id), map[string]any{
			"name": p.Name, "agents": agents, "numbers": numbers, "cancelled_batches": batches,
		})
	})
}

// DeleteAgent deletes one of the user's agents. Its numbers stay in the project without an agent, and it stops being the
// project's active one. Its batches are cancelled and calls that wait for it end as failed; those in progress go on.
func (db *DB) DeleteAgent(ctx context.Context, user talkstack.UserID, id talkstack.AgentID) error {
	return db.transact(ctx, "delete an agent", func(q *tx) error {
		r, err := q.Agent(ctx, query.AgentParams{ID: id, UserID: user})
		if err != nil {
			return lookup("agent", err)
		}
		project := r.Agent.ProjectID
		// The project first, as everybody locks them in this order.
		if _, err := q.LockProject(ctx, query.LockProjectParams{ID: project, UserID: user}); err != nil {
			return lookup("agent", err)
		}
		if _, err := q.LockAgent(ctx, query.LockAgentParams{ID: id, UserID: user}); err != nil { // no number or call joins from here on
			return lookup("agent", err)
		}
		now := db.now()
		numbers, err := q.UnassignAgentNumbers(ctx, orNull(id))
		if err != nil {
			return err
		}
		slices.Sort(numbers)
		if _, err := q.ClearActiveAgent(ctx, query.ClearActiveAgentParams{ID: project, AgentID: orNull(id), Now: now}); err != nil {
			return err
		}
		batches, err := db.retire(ctx, q, project, id, "The agent was deleted before the call was dialled.")
		if err != nil {
			return err
		}
		if err := q.DeleteAgent(ctx, query.DeleteAgentParams{ID: id, Now: &now}); err != nil {
			return err
		}
		return db.audit(ctx, q, user, "agent.delete", "agent", string(id), map[string]any{
			"name": r.AgentVersion.Name, "project_id": project, "unassigned_numbers": numbers, "cancelled_batches": batches,
		})
	})
}

// retire cancels the batches and ends the waiting calls of a project, or of one of its agents, whose row the transaction
// has locked: none can join, and none can be claimed meanwhile. It returns the batches; what waits of them is ended by
// their own jobs.
func (db *DB) retire(ctx context.Context, q *tx, project talkstack.ProjectID, agent talkstack.AgentID, why string) ([]talkstack.BatchID, error) {
	batches, err := db.cancelBatches(ctx, q, project, agent)
	if err != nil {
		return nil, err
	}
	// A claimed call shows as queued, and nothing was sent: it is not dialled. Before the queued ones, so that one
	// which is given back at this moment is among either.
	err = q.RequestHangupOfClaimed(ctx, query.RequestHangupOfClaimedParams{ProjectID: project, AgentID: agent, Now: new(db.now())})
	if err != nil {
		return nil, err
	}
	queued, err := q.LockQueuedCallsOf(ctx, query.LockQueuedCallsOfParams{ProjectID: project, AgentID: agent, MaxCalls: endAtOnce})
	if err != nil {
		return nil, err
	}
	if err := db.endWaiting(ctx, q, queued, why); err != nil || len(queued) < endAtOnce {
		return batches, err
	}
	if err := q.HoldQueuedCallsOf(ctx, query.HoldQueuedCallsOfParams{ProjectID: project, AgentID: agent}); err != nil {
		return nil, err
	}
	return batches, db.enqueue(ctx, q, EndCallsJob{ProjectID: project, AgentID: agent, Why: why}, nil)
}

func (db *DB) cancelBatches(ctx context.Context, q *tx, project talkstack.ProjectID, agent talkstack.AgentID) ([]talkstack.BatchID, error) {
	rows, err := q.LockOpenBatchesOf(ctx, query.LockOpenBatchesOfParams{ProjectID: project, AgentID: agent})
	if err != nil {
		return nil, err
	}
	cancelled := make([]talkstack.BatchID, len(rows))
	for i, r := range rows {
		b, err := batchOf(r, nil)
		if err != nil {
			return nil, err
		}
		if err := db.setBatchState(ctx, q, &b, talkstack.BatchCancelled); err != nil {
			return nil, err
		}
		cancelled[i] = b.ID
	}
	return cancelled, nil
}

// endHeld ends up to limit held calls of a project, or of one of its agents.
func (db *DB) endHeld(ctx context.Context, q *tx, project talkstack.ProjectID, agent talkstack.AgentID, why string, limit int) (int, error) {
	held, err := q.LockHeldCallsOf(ctx, query.LockHeldCallsOfParams{ProjectID: project, AgentID: agent, MaxCalls: int64(limit)})
	if err != nil {
		return 0, err
	}
	return len(held), db.endWaiting(ctx, q, held, why)
}

func (db *DB) endWaiting(ctx context.Context, q *tx, rows []query.Call, why string) error {
	for _, r := range rows {
		c, err := callOf(r, nil)
		if err != nil {
			return err
		}
		reason := talkstack.EndReason{Party: talkstack.PartyAgent, Code: talkstack.EndDialFailed, Message: why}
		if err := db.end(ctx, q, &c, reason); err != nil {
			return err
		}
	}
	return nil
}

// EndCalls ends the calls that a deletion has left on hold, some in each transaction. It may be repeated.
func (db *DB) EndCalls(ctx context.Context, j EndCallsJob) error {
	for {
		var ended int
		err := db.transact(ctx, "end the calls of what was deleted", func(q *tx) (err error) {
			ended, err = db.endHeld(ctx, q, j.ProjectID, j.AgentID, j.Why, endAtOnce)
			return err
		})
		if err != nil || ended < endAtOnce {
			return err
		}
	}
}
