package flow

import (
	"maps"
	"slices"

	"talkstack"
)

// state is where a call is in its flow. A committed state is never changed: each turn works on a clone.
type state struct {
	begun      bool
	over       bool              // the end or a transfer was reached
	at         string            // the ask node whose answer is waited for
	request    string            // the http node whose request has to be made
	slots      map[string]string // in canonical form
	ahead      map[string]bool   // slots filled before their node was reached
	confirmed  map[string]bool   // of those, the ones the caller has said yes to
	confirming []string          // slots that were read back; empty: none
	attempts   int               // failed answers at this node
	trail      []string          // nodes passed, in order
	question   string            // what was asked last, for "could you repeat that?"
	farewell   talkstack.FlowNodeKind
	target     string // over by transfer: the number
}

// maxTrail bounds the memory of a flow that goes round for long; what lies further back cannot be corrected.
const maxTrail = 500

func newState() *state {
	return &state{slots: map[string]string{}, ahead: map[string]bool{}, confirmed: map[string]bool{}}
}

func (s *state) clone() *state {
	c := *s
	c.slots, c.ahead, c.confirmed = maps.Clone(s.slots), maps.Clone(s.ahead), maps.Clone(s.confirmed)
	c.confirming, c.trail = slices.Clone(s.confirming), slices.Clone(s.trail)
	return &c
}

func (s *state) pass(id string) {
	s.trail = append(s.trail, id)
	if len(s.trail) > maxTrail {
		s.trail = s.trail[len(s.trail)-maxTrail:]
	}
}
