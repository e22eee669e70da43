-- name: ProjectsOfUser :many
SELECT id FROM projects WHERE user_id = @user_id LIMIT @max_projects;
