package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"path"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"talkstack"
)

const eventStreamType = "text/event-stream"

const (
	// maxStreams bounds the event streams of one account on a node.
	maxStreams = 100
	// defaultHeartbeat is how often a silent stream gives a sign of life, and looks at the call again without being told.
	defaultHeartbeat = 15 * time.Second
	// analysisGrace is how long a stream waits for the analysis of a call that has ended.
	analysisGrace = 2 * time.Minute
	// maxStream is how long a stream lasts. Its client comes back and goes on where it was.
	maxStream = time.Hour
	// writeLimit is how long a client may take for one event: one that takes none in is dropped.
	writeLimit = 30 * time.Second
	// readLimit bounds one look at the call.
	readLimit = 10 * time.Second
)

// streams counts the open event streams, and ends them all when the server stops.
type streams struct {
	places
	ending chan struct{}
	once   sync.Once
}

func newStreams() *streams {
	return &streams{places: places{limit: maxStreams}, ending: make(chan struct{})}
}

// EndStreams ends all event streams, and those that begin later at once: a server that stops waits for its requests.
func (a *API) EndStreams() { a.streams.once.Do(func() { close(a.streams.ending) }) }

// isStream reports whether a request's answer lasts as long as a call.
func isStream(r *http.Request) bool {
	ok, _ := path.Match("/v1/calls/*/events", r.URL.Path) // the pattern is well formed
	return ok
}

type eventsRequest struct {
	SID         talkstack.CallSID `path:"sid"`
	LastEventID string            `header:"Last-Event-ID" maxLength:"100" doc:"id of the last event that was received: the stream goes on behind it."`
}

const eventsDescription = `Server-sent events (WHATWG HTML, section 9.2). First comes the state: one ` + "`call.status`" + ` and each turn so far; then what happens.

* ` + "`call.status`" + `: the status has changed; data is the call, as GET /v1/calls/{sid} shows it.
* ` + "`turn`" + `: somebody has spoken; data is the turn, as the transcript shows it. A turn of the same seq replaces the one before.
* ` + "`call.ended`" + `: the call has ended; data is the call. All its turns have been sent.
* ` + "`call.analyzed`" + `: the analysis is there; data is the call. The stream ends.

A comment comes every 15 seconds. A client that was cut off sends the id of its last event as Last-Event-ID and misses nothing; with everything sent, that is answered by 204.
The stream ends two minutes after the call without an analysis, when its credentials are no longer good, and after an hour in any case.`

func (a *API) eventsRoute(tag string) {
	o := a.describe(http.MethodGet, "/v1/calls/{sid}/events", operation{
		ID: "v1CallEvents", Tag: tag, Summary: "What happens in a call, live", Description: eventsDescription,
		Errors: map[int]string{
			http.StatusNotFound:        "There is no such call.",
			http.StatusTooManyRequests: "The account has all event streams that it may have.",
		},
	}, reflect.TypeFor[eventsRequest]())
	o.Responses["200"] = &huma.Response{Description: "The events.", Content: map[string]*huma.MediaType{eventStreamType: {
		Schema: &huma.Schema{Type: huma.TypeString},
		Example: "id: 3.0.1.5f0c6a1b9d2e4a77\nevent: turn\ndata: {\"seq\":0,\"role\":\"agent\",\"text\":\"Good morning.\",\"start_ms\":40,\"end_ms\":1180," +
			"\"words\":[],\"interrupted\":false}\n\n",
	}}}
	o.Responses[strconv.Itoa(http.StatusNoContent)] = &huma.Response{Description: "Everything has been sent: there is nothing to come back for."}
	huma.Register(a.huma, o, a.callEvents)
}

func (a *API) callEvents(ctx context.Context, in *eventsRequest) (*huma.StreamResponse, error) {
	user := caller(ctx).ID
	c, err := a.DB.Call(ctx, user, string(in.SID))
	if err != nil {
		return nil, err
	}
	last, resumed := parseEventID(in.LastEventID)
	if resumed && last.analyzed {
		return &huma.StreamResponse{Body: func(hc huma.Context) { hc.SetStatus(http.StatusNoContent) }}, nil
	}
	if !a.streams.enter(user) {
		return nil, talkstack.Errorf(talkstack.CodeLimited, "The account has %d event streams open: close one first.", maxStreams)
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer a.streams.leave(user)
		r, w := humachi.Unwrap(hc)
		s := &stream{api: a, user: user, sid: c.SID, show: a.renderOf(ctx), w: w, out: http.NewResponseController(w), last: last, resumed: resumed}
		if err := s.run(r); err != nil && r.Context().Err() == nil {
			logger(ctx).Warn("event stream ended early", "call_id", c.SID, "error", err)
		}
	}}, nil
}

// stream is one client that watches a call.
type stream struct {
	api     *API
	user    talkstack.UserID
	sid     talkstack.CallSID
	show    render
	w       http.ResponseWriter
	out     *http.ResponseController
	last    eventID // what the client has
	resumed bool    // and had before this stream
	turns   []uint64
}

// run writes events until the call is over and analysed, or the client or the server has gone.
func (s *stream) run(r *http.Request) error {
	h := s.w.Header()
	h.Set("Content-Type", eventStreamType)
	h.Set("X-Accel-Buffering", "no") // nginx would wait for more
	if r.Method == http.MethodHead {
		return nil
	}
	if err := s.out.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err // the server's limit on reading a request would end the stream
	}
	ctx, cancel := context.WithTimeout(r.Context(), maxStream)
	defer cancel()
	changes := s.api.Events.Subscribe(s.sid) // before the first look: nothing falls in between
	defer changes.Close()
	beat := s.api.Heartbeat
	if beat <= 0 {
		beat = defaultHeartbeat
	}
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		done, err := s.look(ctx)
		if err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.api.streams.ending:
			return nil
		case <-changes.C:
		case <-tick.C:
			if !s.api.mayStill(r, s.user) {
				return nil
			}
			if err := s.write(": still here\n\n"); err != nil {
				return err
			}
		}
	}
}

// look reads the call and sends what the client does not have yet. It reports whether nothing more will come.
func (s *stream) look(ctx context.Context) (done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	// The call first: when it is over, all its turns are stored.
	c, err := s.api.DB.CallBySID(ctx, s.sid)
	if err != nil {
		return false, err
	}
	turns, err := s.api.DB.TurnsBySID(ctx, s.sid)
	if err != nil {
		return false, err
	}
	s.show.now = s.api.Now()
	object, err := s.api.wireV1Call(ctx, c, s.show)
	if err != nil {
		return false, err
	}
	status := statusIndex(c.Status)
	if status != s.last.status {
		s.last.status = status
		if err := s.send(string(talkstack.EventCallStatus), object); err != nil {
			return false, err
		}
	}
	if err := s.sendTurns(turns); err != nil {
		return false, err
	}
	if c.EndedAt.IsZero() {
		return false, s.flush()
	}
	if !s.last.ended {
		s.last.ended = true
		if err := s.send(string(talkstack.EventCallEnded), object); err != nil {
			return false, err
		}
	}
	if c.Analysis != nil {
		s.last.analyzed = true
		if err := s.send(string(talkstack.EventCallAnalyzed), object); err != nil {
			return false, err
		}
		return true, s.flush()
	}
	return s.api.Now().Sub(c.EndedAt) > analysisGrace, s.flush()
}

// sendTurns sends the turns that are new or have changed.
func (s *stream) sendTurns(turns []talkstack.Turn) error {
	wired := wireTurns(turns)
	sums := make([]uint64, len(wired))
	texts := make([][]byte, len(wired))
	for i := range wired {
		text, err := json.Marshal(wired[i])
		if err != nil {
			return err
		}
		sum := fnv.New64a()
		_, _ = sum.Write(text)
		texts[i], sums[i] = text, sum.Sum64()
	}
	if s.resumed {
		s.resumed = false
		if n := s.last.turns; n <= len(sums) && sumOf(sums[:n]) == s.last.sum {
			s.turns = append(s.turns, sums[:n]...)
		}
	}
	for i, text := range texts {
		if i < len(s.turns) && s.turns[i] == sums[i] {
			continue
		}
		if i < len(s.turns) {
			s.turns[i] = sums[i]
		} else {
			s.turns = append(s.turns, sums[i])
		}
		s.last.turns, s.last.sum = len(s.turns), sumOf(s.turns)
		if err := s.sendText("turn", text); err != nil {
			return err
		}
	}
	return nil
}

func sumOf(sums []uint64) uint64 {
	h := fnv.New64a()
	for _, n := range sums {
		_, _ = h.Write([]byte(strconv.FormatUint(n, 36) + "."))
	}
	return h.Sum64()
}

func (s *stream) send(kind string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.sendText(kind, text)
}

// sendText writes one event. JSON has no line breaks outside of its escapes.
func (s *stream) sendText(kind string, data []byte) error {
	return s.put(fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", s.last, kind, data))
}

func (s *stream) put(text string) error {
	if err := s.out.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	_, err := s.w.Write([]byte(text))
	return err
}

func (s *stream) flush() error { return s.out.Flush() }

func (s *stream) write(text string) error {
	if err := s.put(text); err != nil {
		return err
	}
	return s.flush()
}

// eventID says what a client has: it is the id of the last event it got.
type eventID struct {
	status   int // statusIndex of the last call.status; 0: none yet
	ended    bool
	analyzed bool
	turns    int    // it has so many
	sum      uint64 // and these
}

// statusIndex is a status's place in a call's life, from 1.
func statusIndex(s talkstack.CallStatus) int {
	for i, known := range talkstack.CallStatuses() {
		if s == known {
			return i + 1
		}
	}
	return 0
}

// String is the form on the wire: status, how far the end has come, and the turns.
func (e eventID) String() string {
	phase := 0
	if e.ended {
		phase = 1
	}
	if e.analyzed {
		phase = 2
	}
	return fmt.Sprintf("%d.%d.%d.%016x", e.status, phase, e.turns, e.sum)
}

// parseEventID reads an id; false for none, or one that is not ours: then everything is sent.
func parseEventID(text string) (eventID, bool) {
	var e eventID
	var phase int
	n, err := fmt.Sscanf(text, "%d.%d.%d.%x", &e.status, &phase, &e.turns, &e.sum)
	if err != nil || n != 4 || e.turns < 0 {
		return eventID{}, false
	}
	e.ended, e.analyzed = phase >= 1, phase >= 2
	if e.String() != text {
		return eventID{}, false
	}
	return e, true
}
