-- name: InsertAuditEntry :exec
INSERT INTO audit_log (id, user_id, actor, address, action, resource, resource_id, changes, created_at)
VALUES (@id, @user_id, @actor, @address, @action, @resource, @resource_id, @changes, @created_at);

-- An empty action or resource is any.
-- name: AuditLog :many
SELECT * FROM audit_log
WHERE user_id = @user_id AND created_at >= @since AND created_at < @until
  AND created_at <= @before_at AND (created_at < @before_at OR id < @before_id)
  AND (action = @action OR @action = '') AND (resource = @resource OR @resource = '')
ORDER BY created_at DESC, id DESC LIMIT @max_rows;
