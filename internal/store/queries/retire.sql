-- What ends with a project or an agent. An empty agent is any of the project's. The states are written as in the partial
-- indexes, so that a project with a million ended calls is not read through.

-- name: LockOpenBatchesOf :many
SELECT * FROM batches WHERE project_id = @project_id AND (agent_id = @agent_id OR @agent_id = '')
  AND state IN ('loading', 'running', 'paused') ORDER BY id /*FOR NO KEY UPDATE*/ LIMIT 1000000;

-- name: RequestHangupOfClaimed :exec
UPDATE calls SET hangup_requested_at = @now
WHERE project_id = @project_id AND (agent_id = @agent_id OR @agent_id = '') AND batch_id IS NULL
  AND state IN ('claimed', 'dialing', 'live') AND state = 'claimed' AND hangup_requested_at IS NULL;

-- name: LockQueuedCallsOf :many
SELECT * FROM calls WHERE project_id = @project_id AND (agent_id = @agent_id OR @agent_id = '')
  AND state = 'queued' AND batch_id IS NULL ORDER BY sid /*FOR UPDATE*/ LIMIT @max_calls;

-- name: LockHeldCallsOf :many
SELECT * FROM calls WHERE project_id = @project_id AND (agent_id = @agent_id OR @agent_id = '') AND state = 'held'
ORDER BY sid /*FOR UPDATE*/ LIMIT @max_calls;

-- name: HoldQueuedCallsOf :exec
UPDATE calls SET state = 'held'
WHERE project_id = @project_id AND (agent_id = @agent_id OR @agent_id = '') AND state = 'queued' AND batch_id IS NULL;
