-- name: InsertCall :exec
INSERT INTO calls (
  sid, carrier_sid, user_id, project_id, agent_id, agent_version, direction, from_number, to_number, status, state,
  end_party, end_code, end_message, dynamic_variables, missing_variables, slots, cost, cost_parts, usage, analysis, recording,
  latency_p50_us, latency_p95_us, latency_turns, node, attempt, batch_id, batch_row, time_zone, try, retry_of, superseded,
  not_before, created_at, answered_at
) VALUES (
  @sid, @carrier_sid, @user_id, @project_id, @agent_id, @agent_version, @direction, @from_number, @to_number, @status, @state,
  '', '', '', @dynamic_variables, @missing_variables, '{}', 0, '{}', '{}', '', '', 0, 0, 0, @node, @attempt,
  @batch_id, @batch_row, @time_zone, @try, @retry_of, FALSE,
  @not_before, @created_at, @answered_at
);

-- name: CallBySID :one
SELECT * FROM calls WHERE sid = @sid;

-- name: Call :one
SELECT * FROM calls WHERE sid = @sid AND user_id = @user_id;

-- name: CallByCarrierSID :one
SELECT * FROM calls WHERE carrier_sid = @carrier_sid AND carrier_sid <> '' AND user_id = @user_id
ORDER BY created_at DESC, sid DESC LIMIT 1;

-- name: LockCall :one
SELECT * FROM calls WHERE sid = @sid /*FOR UPDATE*/ LIMIT 1;

-- name: NextDue :one
-- The bound says nothing: without one, SQLite reads all calls instead of its index.
SELECT not_before FROM calls WHERE state = 'queued' AND batch_id IS NULL AND not_before > @since ORDER BY not_before LIMIT 1;

-- name: NextBatchDues :many
SELECT b.next_dial_at, d.not_before FROM batches b JOIN calls d ON d.sid = (
  SELECT h.sid FROM calls h WHERE h.batch_id = b.id AND h.state = 'queued' ORDER BY h.not_before, h.batch_row, h.sid LIMIT 1
) WHERE b.state = 'running';

-- name: LockDueProjects :many
-- Not EXISTS: with OR between two, PostgreSQL reads all due calls, or all calls. ORDER BY as in calls_due makes it take that index.
SELECT p.id, p.max_calls, p.calls_per_second, p.next_dial_at FROM projects p
WHERE (p.calls_per_second <= 0 OR p.next_dial_at <= @now)
  AND COALESCE(
    (SELECT c.not_before FROM calls c WHERE c.project_id = p.id AND c.state = 'queued' AND c.batch_id IS NULL AND c.not_before <= @now
      ORDER BY c.not_before, c.sid LIMIT 1),
    (SELECT b.next_dial_at FROM batches b WHERE b.project_id = p.id AND b.state = 'running' AND b.next_dial_at <= @now
      AND (SELECT d.not_before FROM calls d WHERE d.batch_id = b.id AND d.state = 'queued' ORDER BY d.not_before LIMIT 1) <= @now
      ORDER BY b.next_dial_at LIMIT 1)) IS NOT NULL
  AND (SELECT COUNT(*) FROM calls o WHERE o.project_id = p.id AND o.state IN ('claimed', 'dialing', 'live')) < p.max_calls
ORDER BY p.last_served_at, p.id /*FOR NO KEY UPDATE OF p SKIP LOCKED*/ LIMIT @max_projects;

-- name: CountOpenCalls :one
SELECT COUNT(*) FROM calls WHERE project_id = @project_id AND state IN ('claimed', 'dialing', 'live');

-- name: ClaimCalls :many
UPDATE calls SET state = 'claimed', node = @node, attempt = attempt + 1
WHERE state = 'queued' AND sid IN (
  SELECT d.sid FROM calls d WHERE d.project_id = @project_id AND d.state = 'queued' AND d.batch_id IS NULL AND d.not_before <= @now
  ORDER BY d.not_before, d.sid LIMIT @max_calls
) RETURNING *;

-- name: LockDueBatches :many
SELECT b.* FROM batches b WHERE b.project_id = @project_id AND b.state = 'running' AND b.next_dial_at <= @now
  AND (SELECT d.not_before FROM calls d WHERE d.batch_id = b.id AND d.state = 'queued' ORDER BY d.not_before LIMIT 1) <= @now
ORDER BY b.next_dial_at, b.id /*FOR NO KEY UPDATE OF b*/ LIMIT @max_batches;

-- name: LockDueBatchCalls :many
SELECT c.sid, c.time_zone FROM calls c WHERE c.batch_id = @batch_id AND c.state = 'queued' AND c.not_before <= @now
ORDER BY c.not_before, c.batch_row, c.sid /*FOR UPDATE SKIP LOCKED*/ LIMIT @max_calls;

-- name: ClaimCall :one
UPDATE calls SET state = 'claimed', node = @node, attempt = attempt + 1 WHERE sid = @sid AND state = 'queued' RETURNING *;

-- name: PostponeCall :exec
UPDATE calls SET not_before = @not_before WHERE sid = @sid AND state = 'queued';

-- name: SetBatchNextDial :exec
UPDATE batches SET next_dial_at = @next_dial_at WHERE id = @id;

-- name: MarkServed :exec
UPDATE projects SET last_served_at = @now, next_dial_at = @next_dial_at WHERE id = @id;

-- name: LockProjectForInbound :one
SELECT max_calls FROM projects WHERE id = @id AND deleted_at IS NULL /*FOR NO KEY UPDATE*/ LIMIT 1;

-- name: MarkDialing :one
UPDATE calls SET state = 'dialing', status = 'initiated', carrier_sid = @carrier_sid, dialed_at = @now
WHERE sid = @sid AND node = @node AND attempt = @attempt AND state = 'claimed' AND hangup_requested_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM do_not_call d WHERE d.user_id = calls.user_id AND d.e164 = calls.to_number) RETURNING *;

-- name: MarkRinging :one
UPDATE calls SET status = 'ringing'
WHERE sid = @sid AND node = @node AND attempt = @attempt AND state = 'dialing' AND status = 'initiated' RETURNING *;

-- name: StillRings :one
SELECT sid FROM calls WHERE sid = @sid AND node = @node AND attempt = @attempt AND state = 'dialing' AND status = 'ringing';

-- name: MarkAnswered :one
UPDATE calls SET state = 'live', status = 'in-progress', answered_at = @answered_at, recording = @recording
WHERE sid = @sid AND node = @node AND attempt = @attempt AND state IN ('dialing', 'live') AND status IN ('initiated', 'ringing') RETURNING *;

-- name: FinishCall :one
UPDATE calls SET state = 'ended', status = @status, end_party = @end_party, end_code = @end_code, end_message = @end_message,
  slots = @slots, missing_variables = @missing_variables, cost = @cost, cost_parts = @cost_parts, usage = @usage, ended_at = @ended_at,
  latency_p50_us = @latency_p50_us, latency_p95_us = @latency_p95_us, latency_turns = @latency_turns
WHERE sid = @sid RETURNING *;

-- name: EndCall :one
UPDATE calls SET state = 'ended', status = @status, end_party = @end_party, end_code = @end_code, end_message = @end_message,
  ended_at = @ended_at, latency_p50_us = @latency_p50_us, latency_p95_us = @latency_p95_us, latency_turns = @latency_turns
WHERE sid = @sid RETURNING *;

-- name: RequestHangup :exec
UPDATE calls SET hangup_requested_at = @now WHERE sid = @sid AND hangup_requested_at IS NULL;

-- name: OpenCallsOfNode :many
SELECT sid, node, attempt, state, status, direction, hangup_requested_at FROM calls
WHERE state IN ('claimed', 'dialing', 'live') AND node = @node;

-- name: LockOrphanedCalls :many
SELECT c.* FROM calls c WHERE c.state IN ('claimed', 'dialing', 'live') AND c.node <> @node
  AND NOT EXISTS (SELECT 1 FROM nodes n WHERE n.id = c.node) ORDER BY c.sid /*FOR UPDATE OF c SKIP LOCKED*/ LIMIT @max_calls;

-- name: RequeueCall :exec
UPDATE calls SET state = 'queued', node = '', not_before = @not_before WHERE sid = @sid;

-- name: UpsertTurn :exec
INSERT INTO turns (call_sid, seq, role, text, start_us, end_us, words, interrupted, latency)
VALUES (@call_sid, @seq, @role, @text, @start_us, @end_us, @words, @interrupted, @latency)
ON CONFLICT (call_sid, seq) DO UPDATE SET role = excluded.role, text = excluded.text, start_us = excluded.start_us,
  end_us = excluded.end_us, words = excluded.words, interrupted = excluded.interrupted, latency = excluded.latency;

-- name: Turns :many
SELECT * FROM turns WHERE call_sid = @call_sid ORDER BY seq;

-- name: TurnTimes :many
SELECT end_us, latency FROM turns WHERE call_sid = @call_sid ORDER BY seq;

-- name: UpsertNode :exec
INSERT INTO nodes (id, started_at, seen_at) VALUES (@id, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at;

-- name: ShareNode :one
SELECT id FROM nodes WHERE id = @id /*FOR KEY SHARE*/ LIMIT 1;

-- name: LockDeadNodes :many
SELECT id FROM nodes WHERE seen_at < @seen_before ORDER BY id /*FOR UPDATE SKIP LOCKED*/ LIMIT 100;

-- name: DeleteNode :exec
DELETE FROM nodes WHERE id = @id;
