package client

import (
	"bufio"
	"context"
	"errors"
	"io"
	"iter"
	"mime"
	"net/http"
	"strings"
	"time"

	"talkstack"
)

// EventTurn is the type of an event that tells what somebody said. The other types are those of webhook messages.
const EventTurn talkstack.EventType = "turn"

// CallEvent is something that has happened in a call.
type CallEvent struct {
	ID   string              // where a later CallEvents can go on
	Type talkstack.EventType // call.status, turn, call.ended, call.analyzed; ignore others
	Call V1Call              // as it is then; zero for a turn
	Turn Turn                // of EventTurn; one of the same Seq replaces the one before
}

const (
	// silenceLimit is how long a stream may say nothing: the server gives a sign of life every 15 s.
	silenceLimit = 50 * time.Second
	// maxEvent bounds one event, in bytes.
	maxEvent = 16 << 20
)

// CallEvents follows a call: first what has happened so far, or with the id of an event what has happened since, then what
// happens, to the end of its analysis. A stream that breaks off is taken up again where it was; a failure that lasts is the
// last thing it yields.
func (v V1) CallEvents(ctx context.Context, sid talkstack.CallSID, after string) iter.Seq2[CallEvent, error] {
	return func(yield func(CallEvent, error) bool) {
		f := &follower{c: v.c, sid: sid, last: after, yield: yield}
		for failures := 1; ; failures++ {
			broken, err := f.stream(ctx)
			switch {
			case err == nil:
				return
			case ctx.Err() != nil:
				yield(CallEvent{}, givenUp(ctx))
				return
			case f.heard:
				failures = 1
			}
			if !broken || failures >= v.c.tries {
				yield(CallEvent{}, err)
				return
			}
			if wait(ctx, pauseAfter(failures)) != nil {
				yield(CallEvent{}, givenUp(ctx))
				return
			}
		}
	}
}

func givenUp(ctx context.Context) error {
	return talkstack.WrapError(talkstack.CodeUnavailable, context.Cause(ctx), "The request was given up.")
}

// follower is a reader of a call's events, over several streams.
type follower struct {
	c     *Client
	sid   talkstack.CallSID
	last  string // id of the last event
	ended bool   // the call has
	heard bool   // something came on this stream
	yield func(CallEvent, error) bool
}

// stream reads one stream: to the end of what there is, when it returns no error. Broken means that another one may go on.
func (f *follower) stream(ctx context.Context) (broken bool, err error) {
	f.heard = false
	r := get("/v1/calls/"+segment(f.sid)+"/events", nil)
	if f.last != "" {
		r.header.Set("Last-Event-ID", f.last)
	}
	r.header.Set("Accept", "text/event-stream")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	resp, err := f.c.download(ctx, r)
	if err != nil {
		return false, err // it was tried again already
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusNoContent {
		return false, nil // everything was sent
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "text/event-stream" {
		return false, talkstack.Errorf(talkstack.CodeInternal, "The server's answer is not what the API documents.")
	}
	silence := time.AfterFunc(silenceLimit, cancel)
	defer silence.Stop()
	events := false
	in := bufio.NewReader(resp.Body)
	for {
		m, err := readMessage(in, func() {
			f.heard = true
			silence.Reset(silenceLimit)
		})
		switch {
		case errors.Is(err, io.EOF) && f.ended && !events:
			return false, nil // the call is over, and the server has nothing to add
		case errors.Is(err, errLongEvent):
			return false, talkstack.WrapError(talkstack.CodeInternal, err, "The server's answer is not what the API documents.")
		case err != nil:
			return true, talkstack.WrapError(talkstack.CodeUnavailable, err, "The stream of events broke off.")
		}
		e, err := f.decode(m)
		if err != nil {
			return false, err
		}
		events, f.last = true, m.id
		f.ended = f.ended || e.Type == talkstack.EventCallEnded
		silence.Stop() // the reader may take its time
		if !f.yield(e, nil) || e.Type == talkstack.EventCallAnalyzed {
			return false, nil
		}
		silence.Reset(silenceLimit)
	}
}

func (f *follower) decode(m message) (CallEvent, error) {
	e := CallEvent{ID: m.id, Type: talkstack.EventType(m.event)}
	switch e.Type {
	case EventTurn:
		return e, f.c.decode([]byte(m.data), &e.Turn)
	case talkstack.EventCallStatus, talkstack.EventCallEnded, talkstack.EventCallAnalyzed:
		return e, f.c.decode([]byte(m.data), &e.Call)
	default: // of a newer server
		return e, nil
	}
}

// message is one message of an event stream.
type message struct{ id, event, data string }

var errLongEvent = errors.New("an event is too long") //nolint:gochecknoglobals // an error to compare with

// readMessage reads the next message with data (WHATWG HTML, section 9.2.6). A message that is cut off is dropped. Alive is
// called at each line.
func readMessage(in *bufio.Reader, alive func()) (message, error) {
	var m message
	var data []string
	size := 0
	for {
		line, err := readLine(in)
		if err != nil {
			return m, err
		}
		alive()
		if size += len(line); size > maxEvent {
			return m, errLongEvent
		}
		if line == "" {
			if len(data) > 0 {
				m.data = strings.Join(data, "\n")
				return m, nil
			}
			m, size = message{}, 0
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			m.id = value
		case "event":
			m.event = value
		case "data":
			data = append(data, value)
		}
	}
}

// readLine reads a line without its end, of maxEvent bytes at most.
func readLine(in *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxEvent:
			return "", errLongEvent
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return "", err
		}
		return strings.TrimRight(string(line), "\r\n"), nil
	}
}

// pollPause is how often a call is looked at where the server has no events.
const pollPause = 500 * time.Millisecond

// Watch follows a call until it has ended, gives each status to seen, and returns the call. It goes by events; behind
// something that lets no streams through it asks again and again.
func (v V1) Watch(ctx context.Context, sid talkstack.CallSID, seen func(V1Call)) (V1Call, error) {
	var last V1Call
	tell := func(call V1Call) bool {
		if call.Status != last.Status {
			seen(call)
		}
		last = call
		return call.Status.Final()
	}
	for e, err := range v.CallEvents(ctx, sid, "") {
		if err != nil {
			if talkstack.ErrorCode(err) == talkstack.CodeUnavailable || talkstack.ErrorCode(err) == talkstack.CodeUnauthenticated {
				return last, err
			}
			break
		}
		if e.Call.SID != "" && tell(e.Call) {
			return last, nil
		}
	}
	for {
		call, err := v.GetCall(ctx, sid)
		if err != nil {
			return last, err
		}
		if tell(call) {
			return last, nil
		}
		if wait(ctx, pollPause) != nil {
			return last, givenUp(ctx)
		}
	}
}
