-- +goose Up
-- What the ended calls of a project add up to, by the day of UTC on which they ended and by status. A call is counted in the
-- transaction that ends it, so a report reads days instead of calls. On PostgreSQL a day has several rows, so that
-- calls that end together do not queue for one.
CREATE TABLE usage_days (
  user_id         TEXT NOT NULL REFERENCES users (id),
  day             TEXT NOT NULL, -- YYYY-MM-DD
  project_id      TEXT NOT NULL REFERENCES projects (id),
  status          TEXT NOT NULL,
  shard           BIGINT NOT NULL,
  calls           BIGINT NOT NULL,
  answered        BIGINT NOT NULL,
  connected_ms    BIGINT NOT NULL,
  cost_micros     BIGINT NOT NULL, -- millionths of a US dollar
  asr_ms          BIGINT NOT NULL,
  llm_input       BIGINT NOT NULL,
  llm_output      BIGINT NOT NULL,
  tts_characters  BIGINT NOT NULL,
  turns           BIGINT NOT NULL, -- that have a latency
  latency_p50_us  BIGINT NOT NULL, -- sum over the calls of their median, times their turns
  latency_p95_us  BIGINT NOT NULL, -- the same of their 95th percentile
  PRIMARY KEY (user_id, day, project_id, status, shard)
);

-- +goose Down
DROP TABLE usage_days;
