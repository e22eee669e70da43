-- name: UpsertHubSpotConnection :one
INSERT INTO hubspot_connections (user_id, kind, portal_id, access_token, refresh_token, expires_at, call_key, state, last_error, created_at, updated_at)
VALUES (@user_id, @kind, @portal_id, @access_token, @refresh_token, @expires_at, '', 'connected', '', @now, @now)
ON CONFLICT (user_id) DO UPDATE SET
  kind = excluded.kind, portal_id = excluded.portal_id, access_token = excluded.access_token,
  refresh_token = excluded.refresh_token, expires_at = excluded.expires_at, refresh_until = NULL, paused_until = NULL,
  call_key = '', state = 'connected', last_error = '', updated_at = excluded.updated_at
RETURNING *;

-- name: HubSpotConnection :one
SELECT * FROM hubspot_connections WHERE user_id = @user_id;

-- name: DeleteHubSpotConnection :one
DELETE FROM hubspot_connections WHERE user_id = @user_id RETURNING *;

-- name: HubSpotConnectionsOfPortal :many
SELECT * FROM hubspot_connections WHERE portal_id = @portal_id ORDER BY created_at, user_id LIMIT @max_rows;

-- name: ClaimHubSpotRefresh :execrows
UPDATE hubspot_connections SET refresh_until = @refresh_until
WHERE user_id = @user_id AND access_token = @access_token AND (refresh_until IS NULL OR refresh_until <= @now);

-- name: StoreHubSpotTokens :execrows
UPDATE hubspot_connections
SET access_token = @access_token, refresh_token = @refresh_token, expires_at = @expires_at, refresh_until = NULL,
  state = 'connected', last_error = '', updated_at = @now
WHERE user_id = @user_id AND access_token = @old_token;

-- name: EndHubSpotRefresh :exec
UPDATE hubspot_connections SET refresh_until = NULL WHERE user_id = @user_id AND access_token = @access_token;

-- name: PauseHubSpot :exec
UPDATE hubspot_connections SET paused_until = @paused_until
WHERE user_id = @user_id AND (paused_until IS NULL OR paused_until < @paused_until);

-- name: BreakHubSpot :exec
UPDATE hubspot_connections SET state = 'broken', last_error = @last_error, refresh_until = NULL, updated_at = @now
WHERE user_id = @user_id AND access_token = @access_token;

-- name: SetHubSpotCallKey :exec
UPDATE hubspot_connections SET call_key = @call_key WHERE user_id = @user_id AND portal_id = @portal_id;

-- name: InsertHubSpotSync :execrows
INSERT INTO hubspot_syncs (call_sid, user_id, state, portal_id, contact_id, engagement_id, last_error, give_up_at, created_at, updated_at)
VALUES (@call_sid, @user_id, 'pending', '', '', '', '', @give_up_at, @now, @now)
ON CONFLICT (call_sid) DO NOTHING;

-- name: HubSpotSync :one
SELECT * FROM hubspot_syncs WHERE call_sid = @call_sid;

-- name: HubSpotSyncOfUser :one
SELECT * FROM hubspot_syncs WHERE user_id = @user_id AND call_sid = @call_sid;

-- name: HubSpotSyncs :many
SELECT * FROM hubspot_syncs
WHERE user_id = @user_id AND (state = @state OR @state = '')
  AND created_at <= @before_at AND (created_at < @before_at OR call_sid < @before_sid)
ORDER BY created_at DESC, call_sid DESC LIMIT @max_rows;

-- name: PendingHubSpotSyncs :many
SELECT call_sid FROM hubspot_syncs WHERE user_id = @user_id AND state = 'pending' ORDER BY created_at, call_sid;

-- name: CountHubSpotSyncs :many
SELECT state, COUNT(*) AS syncs FROM hubspot_syncs WHERE user_id = @user_id GROUP BY state;

-- name: SetHubSpotSyncContact :execrows
UPDATE hubspot_syncs SET portal_id = @portal_id, contact_id = @contact_id, updated_at = @now
WHERE call_sid = @call_sid AND state = 'pending';

-- name: AttemptHubSpotSync :execrows
UPDATE hubspot_syncs SET attempted_at = @now, updated_at = @now
WHERE call_sid = @call_sid AND state = 'pending' AND (attempted_at IS NULL OR attempted_at <= @settled);

-- name: ForgetHubSpotAttempt :exec
UPDATE hubspot_syncs SET attempted_at = NULL, updated_at = @now WHERE call_sid = @call_sid AND state = 'pending';

-- name: FinishHubSpotSync :exec
UPDATE hubspot_syncs
SET state = 'done', portal_id = @portal_id, contact_id = @contact_id, engagement_id = @engagement_id, last_error = '', updated_at = @now
WHERE call_sid = @call_sid;

-- name: NoteHubSpotError :exec
UPDATE hubspot_syncs SET last_error = @last_error, updated_at = @now WHERE call_sid = @call_sid AND state = 'pending';

-- name: FailHubSpotSync :exec
UPDATE hubspot_syncs SET state = 'failed', last_error = @last_error, updated_at = @now
WHERE call_sid = @call_sid AND state = 'pending';

-- name: FailHubSpotSyncs :execrows
UPDATE hubspot_syncs SET state = 'failed', last_error = @last_error, updated_at = @now
WHERE user_id = @user_id AND state = 'pending';

-- name: RetryHubSpotSync :one
UPDATE hubspot_syncs SET state = 'pending', last_error = '', give_up_at = @give_up_at, updated_at = @now
WHERE user_id = @user_id AND call_sid = @call_sid AND state <> 'done'
RETURNING *;

-- name: HubSpotContact :one
SELECT * FROM hubspot_contacts WHERE user_id = @user_id AND portal_id = @portal_id AND e164 = @e164;

-- name: SetHubSpotContact :exec
INSERT INTO hubspot_contacts (user_id, portal_id, e164, contact_id, attempted_at)
VALUES (@user_id, @portal_id, @e164, @contact_id, @now)
ON CONFLICT (user_id, portal_id, e164) DO UPDATE SET contact_id = excluded.contact_id;

-- name: InsertHubSpotContact :execrows
INSERT INTO hubspot_contacts (user_id, portal_id, e164, contact_id, attempted_at)
VALUES (@user_id, @portal_id, @e164, '', @now)
ON CONFLICT (user_id, portal_id, e164) DO NOTHING;

-- name: AttemptHubSpotContact :execrows
UPDATE hubspot_contacts SET attempted_at = @now
WHERE user_id = @user_id AND portal_id = @portal_id AND e164 = @e164 AND contact_id = '' AND attempted_at <= @settled;

-- name: ForgetHubSpotContact :exec
DELETE FROM hubspot_contacts WHERE user_id = @user_id AND portal_id = @portal_id AND e164 = @e164;
