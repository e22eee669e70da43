-- name: WebhookURL :one
SELECT webhook_url FROM projects WHERE id = @id AND deleted_at IS NULL;

-- name: LockPendingOfStream :many
SELECT id FROM deliveries WHERE stream = @stream AND state = 'pending' ORDER BY seq /*FOR UPDATE*/ LIMIT 1000;

-- name: InsertDelivery :exec
INSERT INTO deliveries (id, user_id, project_id, stream, seq, lane, event_type, snapshot, body, state, attempts, next_attempt_at,
  last_status, last_error, created_at, give_up_at)
VALUES (@id, @user_id, @project_id, @stream, (SELECT COALESCE(MAX(d.seq), 0) + 1 FROM deliveries d WHERE d.stream = @stream),
  @lane, @event_type, @snapshot, '', 'pending', 0, @next_attempt_at, 0, '', @created_at, @give_up_at);

-- name: InsertLane :exec
INSERT INTO delivery_lanes (project_id, lane, holder, held_until, paused_until, failures, alarm_at)
VALUES (@project_id, @lane, '', @now, @now, 0, @now) ON CONFLICT (project_id, lane) DO NOTHING;

-- name: LockLane :one
SELECT * FROM delivery_lanes WHERE project_id = @project_id AND lane = @lane /*FOR UPDATE*/ LIMIT 1;

-- name: UpdateLane :exec
UPDATE delivery_lanes SET holder = @holder, held_until = @held_until, paused_until = @paused_until, failures = @failures, alarm_at = @alarm_at
WHERE project_id = @project_id AND lane = @lane;

-- name: NextDelivery :one
SELECT * FROM deliveries WHERE project_id = @project_id AND lane = @lane AND state = 'pending' AND next_attempt_at IS NOT NULL
ORDER BY next_attempt_at LIMIT 1;

-- name: Receiver :one
SELECT webhook_url, webhook_secret, webhook_secret_old, webhook_secret_old_until FROM projects WHERE id = @id AND deleted_at IS NULL;

-- name: SetDeliveryBody :execrows
UPDATE deliveries SET body = @body, snapshot = '' WHERE id = @id AND body = '';

-- name: DeliveryBody :one
SELECT body FROM deliveries WHERE id = @id;

-- name: SetAttempt :one
UPDATE deliveries SET state = @state, attempts = attempts + 1, next_attempt_at = @next_attempt_at, last_status = @last_status,
  last_error = @last_error, finished_at = @finished_at
WHERE id = @id AND state = 'pending' RETURNING stream;

-- name: PromoteDelivery :exec
UPDATE deliveries SET next_attempt_at = @now WHERE next_attempt_at IS NULL AND id = (
  SELECT d.id FROM deliveries d WHERE d.stream = @stream AND d.state = 'pending' ORDER BY d.seq LIMIT 1
);

-- name: Delivery :one
SELECT * FROM deliveries WHERE id = @id AND user_id = @user_id;

-- name: LockDelivery :one
SELECT * FROM deliveries WHERE id = @id AND user_id = @user_id /*FOR UPDATE*/ LIMIT 1;

-- name: ReplayDelivery :one
UPDATE deliveries SET state = 'pending', next_attempt_at = @now, give_up_at = @give_up_at, finished_at = NULL WHERE id = @id RETURNING *;

-- name: DeleteOldDeliveries :execrows
DELETE FROM deliveries WHERE id IN (SELECT d.id FROM deliveries d WHERE d.finished_at < @before ORDER BY d.finished_at LIMIT @max_rows);

-- name: ForgottenLanes :many
SELECT DISTINCT d.project_id, d.lane FROM deliveries d
LEFT JOIN delivery_lanes l ON l.project_id = d.project_id AND l.lane = d.lane
WHERE d.state = 'pending' AND d.next_attempt_at < @before
  AND (l.lane IS NULL OR (l.held_until < @before AND l.paused_until < @before AND l.alarm_at < @before))
LIMIT 1000;

-- name: RotateWebhookSecret :one
UPDATE projects SET webhook_secret_old = webhook_secret, webhook_secret_old_until = @until, webhook_secret = @secret, updated_at = @now
WHERE id = @id RETURNING *;
