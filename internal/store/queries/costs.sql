-- What a call that nobody could finish has used: the time it was connected is all that is known.
-- name: SetUsage :exec
UPDATE calls SET usage = @usage, cost = @cost, cost_parts = @cost_parts
WHERE sid = @sid;
