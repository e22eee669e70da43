-- name: AddDoNotCall :execrows
INSERT INTO do_not_call (user_id, e164, reason, created_at) VALUES (@user_id, @e164, @reason, @created_at)
ON CONFLICT (user_id, e164) DO NOTHING;

-- name: DoNotCall :one
SELECT * FROM do_not_call WHERE user_id = @user_id AND e164 = @e164;

-- name: DoNotCalls :many
SELECT * FROM do_not_call WHERE user_id = @user_id AND e164 > @after ORDER BY e164 LIMIT @max_rows;

-- name: DeleteDoNotCall :execrows
DELETE FROM do_not_call WHERE user_id = @user_id AND e164 = @e164;
