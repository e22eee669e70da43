-- A comment that starts with FOR is a row lock: the wrapper takes its signs away on PostgreSQL. SQLite has one writer
-- and needs none. It stands before LIMIT, because the generator gives a comment at the end to the next query.

-- name: InsertProject :exec
INSERT INTO projects (id, user_id, name, description, active_agent, analysis_schema, webhook_url, webhook_secret, webhook_secret_old,
  webhook_secret_old_until, max_calls, calls_per_second, next_dial_at, last_served_at, redial_interrupted, created_at, updated_at)
VALUES (@id, @user_id, @name, @description, NULL, '[]', @webhook_url, @webhook_secret, '',
  NULL, @max_calls, @calls_per_second, @created_at, @created_at, @redial_interrupted, @created_at, @created_at);

-- name: Project :one
SELECT * FROM projects WHERE id = @id AND user_id = @user_id AND deleted_at IS NULL;

-- name: Projects :many
SELECT * FROM projects WHERE user_id = @user_id AND deleted_at IS NULL ORDER BY created_at, id;

-- name: ProjectPage :many
SELECT * FROM projects WHERE user_id = @user_id AND deleted_at IS NULL
  AND created_at <= @before_at AND (created_at < @before_at OR id < @before_id)
ORDER BY created_at DESC, id DESC LIMIT @max_rows;

-- name: ShareProject :one
SELECT id FROM projects WHERE id = @id AND user_id = @user_id AND deleted_at IS NULL /*FOR KEY SHARE*/ LIMIT 1;

-- name: LockProject :one
SELECT * FROM projects WHERE id = @id AND user_id = @user_id AND deleted_at IS NULL /*FOR UPDATE*/ LIMIT 1;

-- name: UpdateProject :one
UPDATE projects SET next_dial_at = CASE WHEN calls_per_second = @calls_per_second THEN next_dial_at ELSE @now END, name = @name, description = @description, webhook_url = @webhook_url, max_calls = @max_calls,
  calls_per_second = @calls_per_second, redial_interrupted = @redial_interrupted, active_agent = @active_agent, updated_at = @now
WHERE id = @id RETURNING *;

-- name: ClearActiveAgent :execrows
UPDATE projects SET active_agent = NULL, updated_at = @now WHERE id = @id AND active_agent = @agent_id;

-- name: DeleteProject :exec
UPDATE projects SET deleted_at = @now, updated_at = @now, active_agent = NULL WHERE id = @id;

-- name: CountNumbers :one
SELECT COUNT(*) FROM numbers WHERE project_id = @project_id;

-- name: LiveAgentIDs :many
SELECT id FROM agents WHERE project_id = @project_id AND deleted_at IS NULL ORDER BY created_at, id;

-- name: InsertAgent :exec
INSERT INTO agents (id, user_id, project_id, version, created_at, updated_at)
VALUES (@id, @user_id, @project_id, @version, @created_at, @updated_at);

-- name: InsertAgentVersion :exec
INSERT INTO agent_versions (agent_id, version, name, prompt, voice_id, settings, created_at)
VALUES (@agent_id, @version, @name, @prompt, @voice_id, @settings, @created_at);

-- name: Agent :one
SELECT sqlc.embed(a), sqlc.embed(v) FROM agents a JOIN agent_versions v ON v.agent_id = a.id AND v.version = a.version
WHERE a.id = @id AND a.user_id = @user_id AND a.deleted_at IS NULL;

-- name: AgentAtVersion :one
SELECT sqlc.embed(a), sqlc.embed(v) FROM agents a JOIN agent_versions v ON v.agent_id = a.id
WHERE a.id = @id AND v.version = @version;

-- name: Agents :many
SELECT sqlc.embed(a), sqlc.embed(v) FROM agents a JOIN agent_versions v ON v.agent_id = a.id AND v.version = a.version
WHERE a.project_id = @project_id AND a.user_id = @user_id AND a.deleted_at IS NULL
ORDER BY a.created_at, a.id;

-- An empty project or name is any.
-- name: AgentPage :many
SELECT sqlc.embed(a), sqlc.embed(v),
  CAST(COALESCE((SELECT n.e164 FROM numbers n WHERE n.agent_id = a.id ORDER BY n.created_at, n.id LIMIT 1), '') AS TEXT) AS phone_number
FROM agents a JOIN agent_versions v ON v.agent_id = a.id AND v.version = a.version
WHERE a.user_id = @user_id AND a.deleted_at IS NULL
  AND (a.project_id = @project_id OR @project_id = '') AND (v.name = @name OR @name = '')
  AND a.created_at <= @before_at AND (a.created_at < @before_at OR a.id < @before_id)
ORDER BY a.created_at DESC, a.id DESC LIMIT @max_rows;

-- name: AgentVersionPage :many
SELECT v.version, v.name, v.voice_id, v.created_at FROM agent_versions v
WHERE v.agent_id = @agent_id AND v.version < @before_version ORDER BY v.version DESC LIMIT @max_rows;

-- name: ShareAgent :one
SELECT * FROM agents WHERE id = @id AND user_id = @user_id AND deleted_at IS NULL /*FOR KEY SHARE*/ LIMIT 1;

-- name: LockAgent :one
SELECT * FROM agents WHERE id = @id AND user_id = @user_id AND deleted_at IS NULL /*FOR UPDATE*/ LIMIT 1;

-- name: SetAgentVersion :exec
UPDATE agents SET version = @version, updated_at = @now WHERE id = @id;

-- name: DeleteAgent :exec
UPDATE agents SET deleted_at = @now, updated_at = @now WHERE id = @id;

-- name: DeleteAgentsOfProject :exec
UPDATE agents SET deleted_at = @now, updated_at = @now WHERE project_id = @project_id AND deleted_at IS NULL;

-- name: AssignNumber :one
INSERT INTO numbers (id, user_id, project_id, agent_id, e164, status, created_at)
VALUES (@id, @user_id, @project_id, @agent_id, @e164, @status, @created_at)
ON CONFLICT (e164) DO UPDATE SET project_id = excluded.project_id, agent_id = excluded.agent_id
WHERE numbers.user_id = excluded.user_id
RETURNING *;

-- name: LockNumberByE164 :one
SELECT * FROM numbers WHERE e164 = @e164 AND user_id = @user_id /*FOR UPDATE*/ LIMIT 1;

-- name: MoveNumber :one
UPDATE numbers SET project_id = @project_id, agent_id = @agent_id
WHERE id = @id AND user_id = @user_id AND project_id = @from_project RETURNING *;

-- name: DeleteNumber :one
DELETE FROM numbers WHERE id = @id AND user_id = @user_id RETURNING *;

-- name: Number :one
SELECT * FROM numbers WHERE id = @id AND user_id = @user_id;

-- name: NumberByE164 :one
SELECT * FROM numbers WHERE e164 = @e164;

-- name: NumbersByAgent :many
SELECT * FROM numbers WHERE agent_id = @agent_id AND user_id = @user_id ORDER BY created_at, id;

-- name: NumbersByProject :many
SELECT * FROM numbers WHERE project_id = @project_id AND user_id = @user_id ORDER BY created_at, id;

-- An empty project, agent or e164 is any.
-- name: NumberPage :many
SELECT * FROM numbers WHERE user_id = @user_id
  AND (project_id = @project_id OR @project_id = '') AND (agent_id = @agent_id OR @agent_id = '') AND (e164 = @e164 OR @e164 = '')
  AND created_at <= @before_at AND (created_at < @before_at OR id < @before_id)
ORDER BY created_at DESC, id DESC LIMIT @max_rows;

-- name: UnassignAgentNumbers :many
UPDATE numbers SET agent_id = NULL WHERE agent_id = @agent_id RETURNING e164;

-- name: DeleteNumbersOfProject :many
DELETE FROM numbers WHERE project_id = @project_id RETURNING e164;

-- name: AgentForNumber :one
SELECT sqlc.embed(a), sqlc.embed(v) FROM numbers n
JOIN projects p ON p.id = n.project_id
JOIN agents a ON a.id = COALESCE(n.agent_id, p.active_agent)
JOIN agent_versions v ON v.agent_id = a.id AND v.version = a.version
WHERE n.e164 = @e164 AND p.deleted_at IS NULL AND a.deleted_at IS NULL;
