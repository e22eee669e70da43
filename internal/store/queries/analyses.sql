-- name: SetAnalysisSchema :one
UPDATE projects SET analysis_schema = @analysis_schema, updated_at = @now WHERE id = @id RETURNING *;

-- name: Analysis :one
SELECT result FROM analyses WHERE call_sid = @call_sid AND digest = @digest;

-- name: UpsertAnalysis :exec
INSERT INTO analyses (call_sid, digest, result, created_at) VALUES (@call_sid, @digest, @result, @created_at)
ON CONFLICT (call_sid, digest) DO UPDATE SET result = excluded.result, created_at = excluded.created_at;

-- name: TrimAnalyses :exec
DELETE FROM analyses WHERE analyses.call_sid = @call_sid AND analyses.digest IN (
  SELECT o.digest FROM analyses o WHERE o.call_sid = @call_sid ORDER BY o.created_at DESC, o.digest DESC LIMIT 1000 OFFSET @kept
);

-- name: SetCallAnalysis :exec
UPDATE calls SET analysis = @analysis WHERE sid = @sid;

-- name: SetCallCost :exec
UPDATE calls SET cost = @cost, cost_parts = @cost_parts WHERE sid = @sid;

-- name: AnalysisSchema :one
SELECT analysis_schema FROM projects WHERE id = @id;
