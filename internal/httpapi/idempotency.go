package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"talkstack"
	"talkstack/internal/store"
)

// Idempotent is the input of a request that makes something and may be repeated with the same Idempotency-Key: it is
// embedded in the endpoint's own.
type Idempotent struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" pattern:"^[ -~]*$" doc:"A random name of yours for this request. Sent again with the same body within 24 hours, it makes nothing new and answers with what the first one made; with another body it is 409."`
}

// The header of a repetition, where the framework does not write it.
const (
	replayedHeader = "Idempotency-Replayed"
	replayedDoc    = "true: an earlier request with the same Idempotency-Key had made it."
)

// created is the answer of an endpoint that makes something.
type created[T any] struct {
	Replayed string `header:"Idempotency-Replayed" doc:"true: an earlier request with the same Idempotency-Key had made it."`
	Body     T
}

func replyCreated[T any](v T, replayed bool) *created[T] {
	c := &created[T]{Body: v}
	if replayed {
		c.Replayed = "true"
	}
	return c
}

// once says how to make a thing with an id, and how to find the one that was made with it.
type once[ID ~string, T any] struct {
	Operation string    // of the endpoint: keys of different ones do not meet
	Request   any       // the decoded request; its JSON is what two requests must have in common
	NewID     func() ID // a new random id
	Make      func(ctx context.Context, id ID) (T, error)
	Find      func(ctx context.Context, id ID) (T, error) // not_found when there is none
	IDOf      func(thing T) ID                            // nil: a thing always has the id that Make was given
}

// makeOnce makes the thing of a creating request, or finds it, when the key was used before: then replayed is true. The id
// is reserved before the thing is made, so whichever process dies when, or however many send the same at once, one thing
// is made.
func makeOnce[ID ~string, T any](ctx context.Context, a *API, in Idempotent, o once[ID, T]) (thing T, replayed bool, err error) {
	if in.IdempotencyKey == "" {
		thing, err = o.Make(ctx, o.NewID())
		return thing, false, err
	}
	request, err := json.Marshal(o.Request)
	if err != nil {
		return thing, false, err
	}
	digest := sha256.Sum256(request)
	key := store.IdempotencyKey{UserID: caller(ctx).ID, Operation: o.Operation, Key: in.IdempotencyKey, Digest: hex.EncodeToString(digest[:])}
	reserved, fresh, err := a.DB.ReserveKey(ctx, key, string(o.NewID()))
	if err != nil {
		return thing, false, err
	}
	id := ID(reserved)
	if !fresh {
		if thing, err = o.Find(ctx, id); talkstack.ErrorCode(err) != talkstack.CodeNotFound {
			return thing, err == nil, err
		}
	}
	thing, err = o.Make(ctx, id)
	if err == nil && o.IDOf != nil && o.IDOf(thing) != id {
		err = a.DB.RepointKey(ctx, key, string(o.IDOf(thing)))
	}
	if talkstack.ErrorCode(err) != talkstack.CodeConflict {
		return thing, false, err
	}
	// the same request may have been quicker; otherwise the conflict is about something else
	if found, missing := o.Find(ctx, id); missing == nil {
		return found, true, nil
	}
	return thing, false, err
}
