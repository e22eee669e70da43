-- name: AddUsage :exec
INSERT INTO usage_days (
  user_id, day, project_id, status, shard, calls, answered, connected_ms, cost_micros, asr_ms, llm_input, llm_output,
  tts_characters, turns, latency_p50_us, latency_p95_us
) VALUES (
  @user_id, @day, @project_id, @status, @shard, @calls, @answered, @connected_ms, @cost_micros, @asr_ms, @llm_input, @llm_output,
  @tts_characters, @turns, @latency_p50_us, @latency_p95_us
) ON CONFLICT (user_id, day, project_id, status, shard) DO UPDATE SET
  calls = usage_days.calls + excluded.calls, answered = usage_days.answered + excluded.answered,
  connected_ms = usage_days.connected_ms + excluded.connected_ms, cost_micros = usage_days.cost_micros + excluded.cost_micros,
  asr_ms = usage_days.asr_ms + excluded.asr_ms, llm_input = usage_days.llm_input + excluded.llm_input,
  llm_output = usage_days.llm_output + excluded.llm_output, tts_characters = usage_days.tts_characters + excluded.tts_characters,
  turns = usage_days.turns + excluded.turns, latency_p50_us = usage_days.latency_p50_us + excluded.latency_p50_us,
  latency_p95_us = usage_days.latency_p95_us + excluded.latency_p95_us;

-- name: UsageDays :many
SELECT day, project_id, status, CAST(SUM(calls) AS BIGINT) AS calls, CAST(SUM(answered) AS BIGINT) AS answered,
  CAST(SUM(connected_ms) AS BIGINT) AS connected_ms, CAST(SUM(cost_micros) AS BIGINT) AS cost_micros,
  CAST(SUM(asr_ms) AS BIGINT) AS asr_ms, CAST(SUM(llm_input) AS BIGINT) AS llm_input, CAST(SUM(llm_output) AS BIGINT) AS llm_output,
  CAST(SUM(tts_characters) AS BIGINT) AS tts_characters, CAST(SUM(turns) AS BIGINT) AS turns,
  CAST(SUM(latency_p50_us) AS BIGINT) AS latency_p50_us, CAST(SUM(latency_p95_us) AS BIGINT) AS latency_p95_us
FROM usage_days WHERE user_id = @user_id AND day >= @first_day AND day <= @last_day
  AND (CAST(@project_id AS TEXT) = '' OR project_id = CAST(@project_id AS TEXT))
GROUP BY day, project_id, status ORDER BY day, project_id, status;
