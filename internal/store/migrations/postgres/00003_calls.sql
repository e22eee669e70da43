-- +goose Up
-- Batches of outbound calls from a sheet. Their rows are calls.
CREATE TABLE batches (
  id               TEXT PRIMARY KEY,
  user_id          TEXT NOT NULL REFERENCES users (id),
  project_id       TEXT NOT NULL REFERENCES projects (id),
  agent_id         TEXT NOT NULL,
  agent_version    BIGINT NOT NULL, -- that speaks in all calls of the batch
  from_number      TEXT NOT NULL,
  name             TEXT NOT NULL, -- of the sheet's file, or what its owner calls it
  state            TEXT NOT NULL, -- loading, running, paused, completed, cancelled; calls are claimed while it is running
  total            BIGINT NOT NULL, -- rows of the sheet
  queued           BIGINT NOT NULL, -- rows that became calls
  rejected         BIGINT NOT NULL, -- rows that did not
  calls_per_second DOUBLE PRECISION NOT NULL, -- calls begun; 0: only the project's limit counts
  next_dial_at     TIMESTAMPTZ NOT NULL, -- the next call may be claimed then: how calls_per_second and the windows are kept, and turns are taken
  windows          TEXT NOT NULL, -- when calls may begin, JSON; none: always
  time_zone        TEXT NOT NULL, -- of the windows, IANA; empty: each number's own
  retry            TEXT NOT NULL, -- when a recipient is called again, JSON
  start_at         TIMESTAMPTZ NOT NULL, -- no call begins before
  loaded_at        TIMESTAMPTZ NOT NULL, -- when rows were last stored
  created_at       TIMESTAMPTZ NOT NULL,
  completed_at     TIMESTAMPTZ, -- or cancelled
  FOREIGN KEY (agent_id, agent_version) REFERENCES agent_versions (agent_id, version)
);
CREATE INDEX batches_owner ON batches (user_id, created_at DESC, id DESC);
CREATE INDEX batches_open ON batches (project_id, state) WHERE state IN ('loading', 'running', 'paused');

-- Rows of a sheet that can not be called.
CREATE TABLE batch_rejections (
  batch_id  TEXT NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
  batch_row BIGINT NOT NULL,
  number    TEXT NOT NULL, -- as it was written
  reason    TEXT NOT NULL,
  PRIMARY KEY (batch_id, batch_row)
);

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
  dynamic_variables   TEXT NOT NULL, -- JSON; JSONB would write 1e3 as 1000, and refuse large exponents
  missing_variables   JSONB NOT NULL,
  slots               JSONB NOT NULL,
  cost                DOUBLE PRECISION NOT NULL, -- US dollars
  cost_parts          TEXT NOT NULL, -- JSON: part -> US dollars
  usage               TEXT NOT NULL, -- what it used of carrier and providers, JSON
  analysis            TEXT NOT NULL, -- by the project's questions, JSON; empty until it is there
  recording           TEXT NOT NULL,
  latency_p50_us      BIGINT NOT NULL, -- of the turns, microseconds, once the call has ended: a page of calls reads no turns
  latency_p95_us      BIGINT NOT NULL,
  latency_turns       BIGINT NOT NULL,
  node                TEXT NOT NULL,
  attempt             BIGINT NOT NULL,
  batch_id            TEXT REFERENCES batches (id), -- NULL: not of a batch
  batch_row           BIGINT NOT NULL, -- of the sheet, from 1 for the first below the header
  time_zone           TEXT NOT NULL, -- the recipient's, IANA; several, by commas, where the number's prefix allows several
  try                 BIGINT NOT NULL, -- 1, or more for a recipient who is called again
  retry_of            TEXT NOT NULL, -- sid of the try before
  superseded          BOOLEAN NOT NULL, -- another try follows
  hangup_requested_at TIMESTAMPTZ, -- somebody wants the call to end; its owner acts
  not_before          TIMESTAMPTZ NOT NULL,
  created_at          TIMESTAMPTZ NOT NULL,
  dialed_at           TIMESTAMPTZ,
  answered_at         TIMESTAMPTZ,
  ended_at            TIMESTAMPTZ,
  FOREIGN KEY (agent_id, agent_version) REFERENCES agent_versions (agent_id, version)
);
CREATE INDEX calls_history ON calls (project_id, created_at DESC, sid DESC, ended_at); -- the end too: a filter on it reads no rows
CREATE INDEX calls_to ON calls (project_id, to_number, created_at DESC, sid DESC);
CREATE INDEX calls_from ON calls (project_id, from_number, created_at DESC, sid DESC);
CREATE INDEX calls_status ON calls (project_id, status, created_at DESC, sid DESC);
CREATE INDEX calls_inbound ON calls (project_id, created_at DESC, sid DESC) WHERE direction = 'inbound';
CREATE INDEX calls_agent ON calls (agent_id, created_at DESC, sid DESC);
CREATE INDEX calls_ended ON calls (project_id, ended_at, created_at, sid) WHERE ended_at IS NOT NULL;
CREATE INDEX calls_owner ON calls (user_id, created_at DESC, sid DESC);
CREATE INDEX calls_batch_history ON calls (batch_id, created_at DESC, sid DESC) WHERE batch_id IS NOT NULL;
CREATE INDEX calls_batch ON calls (batch_id, batch_row, try) WHERE batch_id IS NOT NULL;
CREATE INDEX calls_batch_progress ON calls (batch_id, superseded, state, status, ended_at) WHERE batch_id IS NOT NULL;
CREATE INDEX calls_batch_due ON calls (batch_id, not_before, batch_row, sid) WHERE state = 'queued' AND batch_id IS NOT NULL;
CREATE INDEX calls_due ON calls (project_id, not_before, sid) WHERE state = 'queued' AND batch_id IS NULL;
CREATE INDEX calls_held ON calls (project_id, sid) WHERE state = 'held';
CREATE INDEX calls_next ON calls (not_before) WHERE state = 'queued' AND batch_id IS NULL;
CREATE INDEX calls_open ON calls (project_id, node) WHERE state IN ('claimed', 'dialing', 'live');
CREATE INDEX calls_carrier ON calls (carrier_sid) WHERE carrier_sid <> '';

CREATE TABLE turns (
  call_sid    TEXT NOT NULL REFERENCES calls (sid) ON DELETE CASCADE,
  seq         BIGINT NOT NULL,
  role        TEXT NOT NULL,
  text        TEXT NOT NULL,
  start_us    BIGINT NOT NULL, -- microseconds from the start of the call's media
  end_us      BIGINT NOT NULL,
  words       JSONB NOT NULL,
  interrupted BOOLEAN NOT NULL,
  latency     JSONB,
  PRIMARY KEY (call_sid, seq)
);

-- Leases of the running processes. Unused on SQLite, where the file lock proves who lives.
CREATE TABLE nodes (
  id         TEXT PRIMARY KEY,
  started_at TIMESTAMPTZ NOT NULL,
  seen_at    TIMESTAMPTZ NOT NULL
);

-- +goose Down
DROP TABLE nodes;
DROP TABLE turns;
DROP TABLE calls;
DROP TABLE batch_rejections;
DROP TABLE batches;
