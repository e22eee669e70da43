-- +goose Up
CREATE TABLE users (
  id             TEXT PRIMARY KEY,
  email          TEXT NOT NULL UNIQUE, -- lower case
  name           TEXT NOT NULL,
  company_name   TEXT NOT NULL,
  password_hash  TEXT NOT NULL,
  verified       BOOLEAN NOT NULL,
  active_project TEXT, -- of projects; no foreign key, because projects already points here
  created_at     TIMESTAMPTZ NOT NULL,
  updated_at     TIMESTAMPTZ NOT NULL
);

CREATE TABLE email_codes (
  user_id    TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  digest     TEXT NOT NULL,
  tries      BIGINT NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE password_resets (
  digest     TEXT PRIMARY KEY,
  user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX password_resets_user ON password_resets (user_id);

-- A family is all refresh tokens that came from one login by rotation. Its row is what concurrent rotations queue on.
CREATE TABLE refresh_families (
  id         TEXT PRIMARY KEY,
  user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  expires_at TIMESTAMPTZ NOT NULL, -- of its newest token
  created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX refresh_families_user ON refresh_families (user_id, expires_at);

CREATE TABLE refresh_tokens (
  digest     TEXT PRIMARY KEY,
  family_id  TEXT NOT NULL REFERENCES refresh_families (id) ON DELETE CASCADE,
  expires_at TIMESTAMPTZ NOT NULL,
  used_at    TIMESTAMPTZ -- rotated: using it again ends the family
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);

CREATE TABLE api_keys (
  user_id    TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  digest     TEXT NOT NULL UNIQUE,
  created_at TIMESTAMPTZ NOT NULL
);

-- Failed guesses by key: an account or a network address.
CREATE TABLE guess_failures (
  guess_key  TEXT PRIMARY KEY,
  failures   BIGINT NOT NULL,
  expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX guess_failures_expiry ON guess_failures (expires_at);

-- Random keys of the installation, made at first use.
CREATE TABLE secrets (
  name       TEXT PRIMARY KEY,
  value      BYTEA NOT NULL,
  created_at TIMESTAMPTZ NOT NULL
);

-- +goose Down
DROP TABLE secrets;
DROP TABLE guess_failures;
DROP TABLE api_keys;
DROP TABLE refresh_tokens;
DROP TABLE refresh_families;
DROP TABLE password_resets;
DROP TABLE email_codes;
DROP TABLE users;
