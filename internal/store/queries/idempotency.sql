-- name: ReserveKey :execrows
INSERT INTO idempotency_keys (user_id, operation, idempotency_key, digest, resource_id, created_at)
VALUES (@user_id, @operation, @idempotency_key, @digest, @resource_id, @created_at) ON CONFLICT DO NOTHING;

-- name: ReservedKey :one
SELECT digest, resource_id FROM idempotency_keys
WHERE user_id = @user_id AND operation = @operation AND idempotency_key = @idempotency_key;

-- name: RepointKey :exec
UPDATE idempotency_keys SET resource_id = @resource_id
WHERE user_id = @user_id AND operation = @operation AND idempotency_key = @idempotency_key;

-- name: DeleteOldKeys :exec
DELETE FROM idempotency_keys WHERE created_at < @created_before;
