-- name: InsertUser :exec
INSERT INTO users (id, email, name, company_name, password_hash, verified, active_project, created_at, updated_at)
VALUES (@id, @email, @name, @company_name, @password_hash, @verified, @active_project, @created_at, @updated_at);

-- name: User :one
SELECT * FROM users WHERE id = @id;

-- name: UserByEmail :one
SELECT * FROM users WHERE email = @email;

-- name: UserByAPIKey :one
SELECT u.* FROM users u JOIN api_keys k ON k.user_id = u.id WHERE k.digest = @digest;

-- A session is alive as long as its family of refresh tokens is there.
-- name: UserBySession :one
SELECT u.* FROM users u JOIN refresh_families f ON f.user_id = u.id WHERE u.id = @id AND f.id = @session;

-- name: AnyUser :one
SELECT id FROM users LIMIT 1;

-- name: MarkVerified :one
UPDATE users SET verified = TRUE, updated_at = @now WHERE id = @id RETURNING *;

-- name: UpdateUser :one
UPDATE users SET name = @name, company_name = @company_name, updated_at = @now WHERE id = @id RETURNING *;

-- name: UpdatePassword :one
UPDATE users SET password_hash = @password_hash, updated_at = @now WHERE id = @id RETURNING *;

-- name: SetActiveProject :one
UPDATE users SET active_project = @project_id, updated_at = @now WHERE id = @id RETURNING *;

-- name: ClearActiveProject :exec
UPDATE users SET active_project = NULL, updated_at = @now WHERE id = @id AND active_project = @project_id;

-- name: SetEmailCode :exec
INSERT INTO email_codes (user_id, digest, tries, expires_at) VALUES (@user_id, @digest, 0, @expires_at)
ON CONFLICT (user_id) DO UPDATE SET digest = excluded.digest, tries = 0, expires_at = excluded.expires_at;

-- name: TryEmailCode :one
UPDATE email_codes SET tries = tries + 1
WHERE user_id = @user_id AND tries < @max_tries AND expires_at > @now
RETURNING digest;

-- name: DeleteEmailCode :exec
DELETE FROM email_codes WHERE user_id = @user_id;

-- name: InsertPasswordReset :exec
INSERT INTO password_resets (digest, user_id, expires_at) VALUES (@digest, @user_id, @expires_at);

-- name: PasswordReset :one
SELECT * FROM password_resets WHERE digest = @digest;

-- name: TakePasswordReset :one
DELETE FROM password_resets WHERE digest = @digest RETURNING user_id, expires_at;

-- name: DeletePasswordResets :exec
DELETE FROM password_resets WHERE user_id = @user_id;

-- name: InsertRefreshFamily :exec
INSERT INTO refresh_families (id, user_id, expires_at, created_at) VALUES (@id, @user_id, @expires_at, @created_at);

-- name: InsertRefreshToken :exec
INSERT INTO refresh_tokens (digest, family_id, expires_at) VALUES (@digest, @family_id, @expires_at);

-- name: LockRefreshFamily :one
UPDATE refresh_families SET expires_at = @expires_at
WHERE id = (SELECT family_id FROM refresh_tokens WHERE digest = @digest)
RETURNING *;

-- name: RefreshToken :one
SELECT * FROM refresh_tokens WHERE digest = @digest;

-- name: UseRefreshToken :exec
UPDATE refresh_tokens SET used_at = @now WHERE digest = @digest;

-- name: DeleteRefreshFamily :exec
DELETE FROM refresh_families WHERE id = @id;

-- name: DeleteOtherRefreshFamilies :exec
DELETE FROM refresh_families WHERE user_id = @user_id AND id <> @kept;

-- name: DeleteExpiredRefreshFamilies :exec
DELETE FROM refresh_families WHERE user_id = @user_id AND expires_at <= @now;

-- name: SetAPIKey :exec
INSERT INTO api_keys (user_id, digest, created_at) VALUES (@user_id, @digest, @created_at)
ON CONFLICT (user_id) DO UPDATE SET digest = excluded.digest, created_at = excluded.created_at;

-- name: APIKeyTime :one
SELECT created_at FROM api_keys WHERE user_id = @user_id;

-- name: RecordFailure :one
INSERT INTO guess_failures (guess_key, failures, expires_at) VALUES (@guess_key, 1, @expires_at)
ON CONFLICT (guess_key) DO UPDATE SET failures = guess_failures.failures + 1
RETURNING failures, expires_at;

-- name: Failures :one
SELECT failures, expires_at FROM guess_failures WHERE guess_key = @guess_key AND expires_at > @now;

-- name: ClearFailures :exec
DELETE FROM guess_failures WHERE guess_key = @guess_key;

-- name: DeleteExpiredFailures :exec
DELETE FROM guess_failures WHERE expires_at <= @now;

-- name: InsertSecret :exec
INSERT INTO secrets (name, value, created_at) VALUES (@name, @value, @created_at) ON CONFLICT (name) DO NOTHING;

-- name: Secret :one
SELECT value FROM secrets WHERE name = @name;
