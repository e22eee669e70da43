package store

import (
	"context"
	"time"

	"talkstack"
	"talkstack/internal/store/query"
)

// RotateWebhookSecret gives one of the user's projects a new webhook secret, and returns it. Messages are signed with
// the one before it too for as long as overlap says. Rotated twice within that time, the first of the three is gone.
func (db *DB) RotateWebhookSecret(ctx context.Context, user talkstack.UserID, project talkstack.ProjectID, overlap time.Duration) (talkstack.Project, error) {
	secret := talkstack.NewWebhookSecret()
	var p talkstack.Project
	err := db.transact(ctx, "rotate a webhook secret", func(q *tx) error {
		if _, err := projectOf(q.LockProject(ctx, query.LockProjectParams{ID: project, UserID: user})); err != nil {
			return err
		}
		now := db.now()
		var err error
		p, err = projectOf(q.RotateWebhookSecret(ctx, query.RotateWebhookSecretParams{
			ID: project, Secret: secret.Reveal(), Until: timeOrNull(now.Add(overlap)), Now: now,
		}))
		if err != nil {
			return err
		}
		return db.audit(ctx, q, user, "webhook.rotate_secret", "project", string(project), map[string]any{
			"overlap_seconds": int(overlap.Seconds()),
		})
	})
	return p, err
}

// TestWebhook sends a message of no call to the webhook of one of the user's projects. It is tried once. A project
// without a webhook is a conflict, and so is an id that is there already.
func (db *DB) TestWebhook(ctx context.Context, user talkstack.UserID, project talkstack.ProjectID, id talkstack.DeliveryID) (talkstack.Delivery, error) {
	err := db.transact(ctx, "test a webhook", func(q *tx) error {
		p, err := projectOf(q.LockProject(ctx, query.LockProjectParams{ID: project, UserID: user}))
		if err != nil {
			return err
		}
		if p.WebhookURL == "" {
			return talkstack.Errorf(talkstack.CodeConflict, "The project has no webhook URL: set one first.")
		}
		now := db.now()
		d := talkstack.Delivery{ID: id, UserID: user, ProjectID: project, Type: talkstack.EventTest, CreatedAt: now, GiveUpAt: now}
		return db.insertDelivery(ctx, q, d, string(id), "")
	})
	if err != nil {
		return talkstack.Delivery{}, err
	}
	return db.Delivery(ctx, user, id)
}
