-- name: InsertBatch :execrows
INSERT INTO batches (id, user_id, project_id, agent_id, agent_version, from_number, name, state, total, queued, rejected,
  calls_per_second, next_dial_at, windows, time_zone, retry, start_at, loaded_at, created_at)
VALUES (@id, @user_id, @project_id, @agent_id, @agent_version, @from_number, @name, 'loading', @total, 0, 0,
  @calls_per_second, @start_at, @windows, @time_zone, @retry, @start_at, @created_at, @created_at) ON CONFLICT DO NOTHING;

-- name: Batch :one
SELECT * FROM batches WHERE id = @id AND user_id = @user_id;

-- name: BatchByID :one
SELECT * FROM batches WHERE id = @id;

-- name: LockBatch :one
SELECT * FROM batches WHERE id = @id /*FOR NO KEY UPDATE*/ LIMIT 1;

-- name: Batches :many
SELECT * FROM batches WHERE user_id = @user_id
  AND (created_at < @before_at OR created_at = @before_at AND id < @before_id)
  AND (CAST(@project_id AS TEXT) = '' OR project_id = @project_id)
  AND (CAST(@state AS TEXT) = '' OR state = @state)
ORDER BY created_at DESC, id DESC LIMIT @max_rows;

-- name: TouchBatch :exec
UPDATE batches SET loaded_at = @now WHERE id = @id;

-- name: InsertRejection :exec
INSERT INTO batch_rejections (batch_id, batch_row, number, reason) VALUES (@batch_id, @batch_row, @number, @reason) ON CONFLICT DO NOTHING;

-- name: CountBatchCalls :one
SELECT COUNT(*) FROM calls WHERE batch_id = @batch_id AND try = 1;

-- name: CountRejections :one
SELECT COUNT(*) FROM batch_rejections WHERE batch_id = @batch_id;

-- name: FinishLoading :exec
UPDATE batches SET state = 'running', queued = @queued, rejected = @rejected, total = @total, loaded_at = @now WHERE id = @id;

-- name: SetBatchState :exec
UPDATE batches SET state = @state, completed_at = @completed_at WHERE id = @id;

-- name: UpdateBatch :exec
UPDATE batches SET name = @name, calls_per_second = @calls_per_second, windows = @windows, time_zone = @time_zone, retry = @retry,
  next_dial_at = @next_dial_at WHERE id = @id;

-- name: BatchCalls :many
SELECT * FROM calls WHERE batch_id = @batch_id AND try = 1 AND batch_row > @after_row ORDER BY batch_row LIMIT @max_rows;

-- name: BatchResults :many
SELECT sqlc.embed(c), CAST((SELECT COALESCE(SUM(t.cost), 0) FROM calls t WHERE t.batch_id = c.batch_id AND t.batch_row = c.batch_row) AS DOUBLE PRECISION) AS all_cost
FROM calls c WHERE c.batch_id = @batch_id AND c.batch_row > @after_row AND c.superseded = FALSE ORDER BY c.batch_row LIMIT @max_rows;

-- name: BatchRejections :many
SELECT * FROM batch_rejections WHERE batch_id = @batch_id AND batch_row > @after_row ORDER BY batch_row LIMIT @max_rows;

-- name: BatchProgress :many
SELECT state, status, COUNT(*) AS calls, CAST(COALESCE(SUM(CASE WHEN ended_at > @since THEN 1 ELSE 0 END), 0) AS BIGINT) AS lately
FROM calls WHERE batch_id = @batch_id AND superseded = FALSE GROUP BY state, status ORDER BY state, status;

-- name: CountQueuedRetries :one
SELECT COUNT(*) FROM calls WHERE batch_id = @batch_id AND superseded = FALSE AND state = 'queued' AND try > 1;

-- name: SomeOpenBatchCalls :many
SELECT sid FROM calls WHERE batch_id = @batch_id AND superseded = FALSE AND state IN ('queued', 'claimed', 'dialing', 'live') LIMIT @max_rows;

-- name: LockQueuedBatchCalls :many
SELECT * FROM calls WHERE batch_id = @batch_id AND state = 'queued' ORDER BY not_before, batch_row, sid /*FOR UPDATE SKIP LOCKED*/ LIMIT @max_rows;

-- name: WaitingBatchCalls :many
SELECT sid, batch_row, time_zone, not_before FROM calls
WHERE batch_id = @batch_id AND try = 1 AND state = 'queued' AND batch_row > @after_row ORDER BY batch_row /*FOR UPDATE SKIP LOCKED*/ LIMIT @max_rows;

-- name: TriesOfRow :many
SELECT status, end_code FROM calls WHERE batch_id = @batch_id AND batch_row = @batch_row AND state = 'ended' ORDER BY try;

-- name: Supersede :exec
UPDATE calls SET superseded = TRUE WHERE sid = @sid;

-- name: CrashPolicy :one
SELECT CAST(COALESCE(MAX(redial_interrupted), 0) AS BIGINT) AS times FROM projects WHERE id = @id AND deleted_at IS NULL;

-- name: RequeueClaimedOfBatch :exec
UPDATE calls SET state = 'queued', node = '' WHERE batch_id = @batch_id AND superseded = FALSE AND state = 'claimed';
