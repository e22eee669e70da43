package server

import (
	"context"
	"errors"
	"time"

	"talkstack"
	"talkstack/internal/call"
	"talkstack/internal/sip"
)

// dial joins the switchboard's attempts to the SIP user agent.
func (s *Server) dial(ctx context.Context, d call.Dialing) (call.Leg, error) {
	leg, err := s.phones.Dial(ctx, sip.DialRequest{
		CallID: d.CallID, From: d.From, To: d.To, RingTimeout: d.RingTimeout, OnRinging: d.OnRinging,
	})
	if err == nil {
		return leg, nil
	}
	if e, ok := errors.AsType[*sip.DialError](err); ok {
		return nil, &call.DialError{Ending: talkstack.Ending{Status: e.Status, Reason: e.Reason}, Err: err}
	}
	return nil, err
}

// incoming is a SIP INVITE as the switchboard sees it.
type incoming struct{ invite *sip.Invite }

func (i incoming) From() string   { return i.invite.From }
func (i incoming) To() string     { return i.invite.To }
func (i incoming) CallID() string { return i.invite.CallID }
func (i incoming) Ring()          { _ = i.invite.Ring() } // it fails when the caller has given up: Answer will say so

func (i incoming) Answer(ctx context.Context) (call.Leg, error) {
	leg, err := i.invite.Answer(ctx)
	if err != nil {
		return nil, err
	}
	return leg, nil
}

// Reject is the one place where an error code becomes a SIP status (RFC 3261 section 21).
func (i incoming) Reject(r call.Refusal) {
	status, reason := 500, "Server Internal Error"
	switch r.Code {
	case talkstack.CodeNotFound:
		status, reason = 404, "Not Found"
	case talkstack.CodeInvalid:
		status, reason = 400, "Bad Request"
	case talkstack.CodeForbidden, talkstack.CodeUnauthenticated:
		status, reason = 403, "Forbidden"
	case talkstack.CodeLimited, talkstack.CodeUnavailable:
		status, reason = 503, "Service Unavailable"
	case talkstack.CodeConflict:
		status, reason = 486, "Busy Here"
	case talkstack.CodeInternal:
	}
	var after time.Duration
	if status == 503 {
		after = r.RetryAfter
	}
	_ = i.invite.Reject(status, reason, after) // it fails when the caller has given up: nothing to refuse then
}
