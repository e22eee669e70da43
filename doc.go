// Package talkstack is the vocabulary of the product: one program that gives a company its own AI phone agents.
//
// It holds the nouns and their rules, and nothing that reaches the outside: no database, no network, no vendor.
// Everything else in the repository speaks in these words.
//
//	call            one phone conversation, from the moment it is accepted to its end reason; a live call is one that runs
//	leg             one party's signalling and media in a call
//	trunk, number   a carrier connection; an E.164 number
//	frame, packet   20 ms of PCM; one RTP packet
//	digit           one DTMF key
//	speech segment  a stretch of speech found by voice activity detection
//	utterance       what one party said until endpointing
//	transcript      what was recognised: interim (so far) or final
//	endpointing     deciding that the caller has finished
//	turn            an utterance by one party, as stored; a caller's utterance and the agent's reply make an exchange of turns
//	barge-in        the caller speaks over the agent and the agent stops
//	backchannel     "mm-hm": speech that is not a barge-in
//	agent           the configured AI speaker and its version
//	brain           what decides the agent's words: a language model, a flow, or retrieval from the prompt
//	flow            a small graph of nodes that a brain without a model follows
//	slot            a typed value that a flow asks for
//	attempt         one try at dialling a call
//	end reason      who ended a call and why
package talkstack
