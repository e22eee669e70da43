-- +goose Up
CREATE TABLE calls (
  sid                 TEXT PRIMARY KEY,
  carrier_sid         TEXT NOT NULL,
  user_id             TEXT NOT NULL REFERENCES users (id),
  project_id          TEXT NOT NULL REFERENCES projects (id),
  agent_id            TEXT NOT NULL,
  agent_version       BIGINT NOT NULL,
  direction           TEXT NOT NULL,
  from_number         TEXT NOT NULL,
  to_number           TEXT NOT NULL,
  status              TEXT NOT NULL,
  state               TEXT NOT NULL,
  end_party           TEXT NOT NULL,
  end_code            TEXT NOT NULL, -- empty until ended
  end_message         TEXT NOT NULL,
  dynamic_variables   TEXT NOT NULL,
  missing_variables   TEXT NOT NULL,
  slots               TEXT NOT NULL,
  cost                DOUBLE PRECISION NOT NULL, -- US dollars
  recording           TEXT NOT NULL,
  latency_p50_us      BIGINT NOT NULL, -- of the turns, microseconds, once the call has ended: a page of calls reads no turns
  latency_p95_us      BIGINT NOT NULL,
  latency_turns       BIGINT NOT NULL,
  node                TEXT NOT NULL,
  attempt             BIGINT NOT NULL,
  hangup_requested_at TIMESTAMP, -- somebody wants the call to end; its owner acts
  not_before          TIMESTAMP NOT NULL,
  created_at          TIMESTAMP NOT NULL,
  dialed_at           TIMESTAMP,
  answered_at         TIMESTAMP,
  ended_at            TIMESTAMP,
  FOREIGN KEY (agent_id, agent_version) REFERENCES agent_versions (agent_id, version)
);
CREATE INDEX calls_history ON calls (project_id, created_at DESC, sid DESC);
CREATE INDEX calls_due ON calls (project_id, not_before, sid) WHERE state = 'queued';
CREATE INDEX calls_next ON calls (not_before) WHERE state = 'queued';
CREATE INDEX calls_open ON calls (project_id, node) WHERE state IN ('claimed', 'dialing', 'live');
CREATE INDEX calls_carrier ON calls (carrier_sid) WHERE carrier_sid <> '';

CREATE TABLE turns (
  call_sid    TEXT NOT NULL REFERENCES calls (sid) ON DELETE CASCADE,
  seq         BIGINT NOT NULL,
  role        TEXT NOT NULL,
  text        TEXT NOT NULL,
  start_us    BIGINT NOT NULL, -- microseconds from the start of the call's media
  end_us      BIGINT NOT NULL,
  words       TEXT NOT NULL,
  interrupted BOOLEAN NOT NULL,
  latency     TEXT,
  PRIMARY KEY (call_sid, seq)
);

-- Leases of the running processes. Unused on SQLite, where the file lock proves who lives.
CREATE TABLE nodes (
  id         TEXT PRIMARY KEY,
  started_at TIMESTAMP NOT NULL,
  seen_at    TIMESTAMP NOT NULL
);

-- +goose Down
DROP TABLE nodes;
DROP TABLE turns;
DROP TABLE calls;
