-- +goose Up
-- Webhook messages, one row each from the transaction in which the event became true. The messages of a stream are
-- delivered in the order of seq: only the first that is pending has a time for its next attempt, the others wait for it.
CREATE TABLE deliveries (
  id              TEXT PRIMARY KEY, -- the webhook-id: the same on every try
  user_id         TEXT NOT NULL REFERENCES users (id),
  project_id      TEXT NOT NULL REFERENCES projects (id),
  stream          TEXT NOT NULL, -- sid of the call, or the delivery's own id
  seq             BIGINT NOT NULL,
  lane            BIGINT NOT NULL, -- of the project's: all of a stream are in one
  event_type      TEXT NOT NULL,
  snapshot        TEXT NOT NULL, -- the call as it was, JSON; empty for no call, and once the body is there
  body            TEXT NOT NULL, -- as sent; empty until the first try
  state           TEXT NOT NULL, -- pending, delivered, dead
  attempts        BIGINT NOT NULL,
  next_attempt_at TIMESTAMPTZ, -- NULL: none, or not before the message ahead is finished
  last_status     BIGINT NOT NULL, -- HTTP status of the last answer, 0: none came
  last_error      TEXT NOT NULL,
  created_at      TIMESTAMPTZ NOT NULL,
  give_up_at      TIMESTAMPTZ NOT NULL,
  finished_at     TIMESTAMPTZ
);
CREATE INDEX deliveries_stream ON deliveries (stream, seq);
CREATE INDEX deliveries_project ON deliveries (project_id, created_at DESC, id DESC);
CREATE INDEX deliveries_owner ON deliveries (user_id, created_at DESC, id DESC);
CREATE INDEX deliveries_due ON deliveries (project_id, lane, next_attempt_at) WHERE state = 'pending';
CREATE INDEX deliveries_old ON deliveries (finished_at) WHERE finished_at IS NOT NULL;

-- The lanes of a project's webhook messages. A lane has one sender at a time: so streams keep their order, and a receiver
-- that is slow keeps no more senders busy than the project has lanes.
CREATE TABLE delivery_lanes (
  project_id   TEXT NOT NULL REFERENCES projects (id),
  lane         BIGINT NOT NULL,
  holder       TEXT NOT NULL, -- empty: nobody
  held_until   TIMESTAMPTZ NOT NULL,
  paused_until TIMESTAMPTZ NOT NULL, -- the receiver could not be reached, or asked for time
  failures     BIGINT NOT NULL, -- how often in a row
  alarm_at     TIMESTAMPTZ NOT NULL, -- when a job is due that looks at the lane; past: none is known
  PRIMARY KEY (project_id, lane)
);

-- Analyses by what was asked: the same questions are answered from here.
CREATE TABLE analyses (
  call_sid   TEXT NOT NULL REFERENCES calls (sid) ON DELETE CASCADE,
  digest     TEXT NOT NULL, -- of the questions and of who answers them
  result     TEXT NOT NULL, -- JSON
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (call_sid, digest)
);

CREATE TABLE do_not_call (
  user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  e164       TEXT NOT NULL,
  reason     TEXT NOT NULL,
  created_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (user_id, e164)
);

-- What a creating request with an Idempotency-Key makes: the id is reserved before the thing is made, so that a repeat
-- after a crash finds it or makes the same one.
CREATE TABLE idempotency_keys (
  user_id         TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  operation       TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  digest          TEXT NOT NULL, -- of the request
  resource_id     TEXT NOT NULL,
  created_at      TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (user_id, operation, idempotency_key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- Changes of an account: who, what, when. Rows never change.
CREATE TABLE audit_log (
  id          TEXT PRIMARY KEY,
  user_id     TEXT NOT NULL REFERENCES users (id),
  actor       TEXT NOT NULL, -- token, api_key, link, system
  address     TEXT NOT NULL, -- of the network, empty for system
  action      TEXT NOT NULL, -- "agent.update"
  resource    TEXT NOT NULL, -- "agent"
  resource_id TEXT NOT NULL,
  changes     TEXT NOT NULL, -- JSON: field -> what it became; secrets are not told
  created_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX audit_log_owner ON audit_log (user_id, created_at DESC, id DESC);

-- The HubSpot portal an account is connected to.
CREATE TABLE hubspot_connections (
  user_id        TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  kind           TEXT NOT NULL, -- oauth, private_app
  portal_id      TEXT NOT NULL,
  access_token   TEXT NOT NULL,
  refresh_token  TEXT NOT NULL, -- empty with a private app's token
  expires_at     TIMESTAMPTZ, -- of the access token; NULL: never
  refresh_until  TIMESTAMPTZ, -- somebody is getting a new access token, until then at most
  paused_until   TIMESTAMPTZ, -- HubSpot has asked for a pause
  call_key       TEXT NOT NULL, -- whether the portal's calls have our unique property: yes, no, empty: not known yet
  state          TEXT NOT NULL, -- connected, broken
  last_error     TEXT NOT NULL,
  created_at     TIMESTAMPTZ NOT NULL,
  updated_at     TIMESTAMPTZ NOT NULL
);
CREATE INDEX hubspot_connections_portal ON hubspot_connections (portal_id);

-- One row for each call that has to be written to HubSpot.
CREATE TABLE hubspot_syncs (
  call_sid      TEXT PRIMARY KEY REFERENCES calls (sid) ON DELETE CASCADE,
  user_id       TEXT NOT NULL REFERENCES users (id),
  state         TEXT NOT NULL, -- pending, done, failed
  portal_id     TEXT NOT NULL, -- that was written to; empty: none yet
  contact_id    TEXT NOT NULL,
  engagement_id TEXT NOT NULL,
  attempted_at  TIMESTAMPTZ, -- when a call without a unique property was last about to be created
  last_error    TEXT NOT NULL,
  give_up_at    TIMESTAMPTZ NOT NULL,
  created_at    TIMESTAMPTZ NOT NULL,
  updated_at    TIMESTAMPTZ NOT NULL
);
CREATE INDEX hubspot_syncs_owner ON hubspot_syncs (user_id, created_at DESC, call_sid DESC);
CREATE INDEX hubspot_syncs_pending ON hubspot_syncs (user_id) WHERE state = 'pending';

-- The contact of each number in a portal. The row is there before the contact is created: a search does not find a new
-- contact at once, so two calls, or a try after a crash, would otherwise make two of it.
CREATE TABLE hubspot_contacts (
  user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  portal_id    TEXT NOT NULL,
  e164         TEXT NOT NULL,
  contact_id   TEXT NOT NULL, -- empty: being created
  attempted_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (user_id, portal_id, e164)
);

-- +goose Down
DROP TABLE hubspot_contacts;
DROP TABLE hubspot_syncs;
DROP TABLE hubspot_connections;
DROP TABLE audit_log;
DROP TABLE idempotency_keys;
DROP TABLE do_not_call;
DROP TABLE analyses;
DROP TABLE delivery_lanes;
DROP TABLE deliveries;
