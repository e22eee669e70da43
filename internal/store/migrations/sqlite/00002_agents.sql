-- +goose Up
CREATE TABLE projects (
  id                       TEXT PRIMARY KEY,
  user_id                  TEXT NOT NULL REFERENCES users (id),
  name                     TEXT NOT NULL,
  description              TEXT NOT NULL,
  active_agent             TEXT, -- of agents; no foreign key, because agents already points here
  analysis_schema          TEXT NOT NULL, -- the questions of the post-call analysis, JSON
  webhook_url              TEXT NOT NULL,
  webhook_secret           TEXT NOT NULL, -- whsec_ and base64
  webhook_secret_old       TEXT NOT NULL, -- the one before it: signed with too until the time below; empty: none
  webhook_secret_old_until TIMESTAMP,
  max_calls                BIGINT NOT NULL,
  calls_per_second         DOUBLE PRECISION NOT NULL, -- outbound calls begun; 0: no limit
  next_dial_at             TIMESTAMP NOT NULL, -- the next call may be claimed then: how calls_per_second is kept
  last_served_at           TIMESTAMP NOT NULL, -- when a call of it was last claimed: who waited longest goes first
  redial_interrupted       BIGINT NOT NULL, -- how often a call that a crash of ours cut off is dialled again
  deleted_at               TIMESTAMP,
  created_at               TIMESTAMP NOT NULL,
  updated_at               TIMESTAMP NOT NULL
);
CREATE INDEX projects_owner ON projects (user_id);
CREATE UNIQUE INDEX projects_name ON projects (user_id, name) WHERE deleted_at IS NULL;

CREATE TABLE agents (
  id         TEXT PRIMARY KEY,
  user_id    TEXT NOT NULL REFERENCES users (id),
  project_id TEXT NOT NULL REFERENCES projects (id),
  version    BIGINT NOT NULL, -- the current one, of agent_versions
  deleted_at TIMESTAMP,
  created_at TIMESTAMP NOT NULL,
  updated_at TIMESTAMP NOT NULL
);
CREATE INDEX agents_owner ON agents (user_id, created_at DESC, id DESC);
CREATE INDEX agents_project ON agents (project_id, created_at);

-- What an agent was at each version. Rows never change: calls point at them.
CREATE TABLE agent_versions (
  agent_id   TEXT NOT NULL REFERENCES agents (id),
  version    BIGINT NOT NULL,
  name       TEXT NOT NULL,
  prompt     TEXT NOT NULL,
  voice_id   TEXT NOT NULL,
  settings   TEXT NOT NULL,
  created_at TIMESTAMP NOT NULL,
  PRIMARY KEY (agent_id, version)
);

CREATE TABLE numbers (
  id         TEXT PRIMARY KEY,
  user_id    TEXT NOT NULL REFERENCES users (id),
  project_id TEXT NOT NULL REFERENCES projects (id),
  agent_id   TEXT REFERENCES agents (id),
  e164       TEXT NOT NULL UNIQUE,
  status     TEXT NOT NULL,
  created_at TIMESTAMP NOT NULL
);
CREATE INDEX numbers_owner ON numbers (user_id, created_at DESC, id DESC);
CREATE INDEX numbers_project ON numbers (project_id, created_at);
CREATE INDEX numbers_agent ON numbers (agent_id, created_at);

-- +goose Down
DROP TABLE numbers;
DROP TABLE agent_versions;
DROP TABLE agents;
DROP TABLE projects;
