// Package voice holds a spoken conversation: it listens, decides when the caller has finished, asks the brain,
// speaks the answer clause by clause, and stops when it is interrupted. It owns the turns of a call, their
// times and what was really heard of them. It knows nothing of SIP, vendors, recordings or the database.
//
// One [Conversation] serves one call. The goroutine in [Conversation.Run] owns all its state and is driven by
// the caller's frames, so every decision falls on the media clock: the same frames give the same conversation,
// however busy the machine is. One goroutine prepares each reply and reports to that loop. [Playout] is the
// only thing the media loop touches: it hands out one frame of the agent's speech at each tick.
//
// Times are on the clock of the call's media: zero is the start of the first frame, a frame heard at At covers
// [At, At+20ms), and so does the frame that is sent at the same tick.
package voice
