package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"talkstack"
)

const wavType = "audio/wav"

type recordingRequest struct {
	SID       talkstack.CallSID `path:"sid"`
	Expires   string            `query:"expires" doc:"From the link."`
	Signature string            `query:"signature" doc:"From the link: opens it without credentials."`
	Range     string            `header:"Range" doc:"bytes=from-to (RFC 9110 section 14)."`
}

// recordingRoute documents by hand what net/http does with ranges.
func (a *API) recordingRoute(tag string) {
	op := operation{
		ID: "v1GetRecording", Tag: tag, Access: accessLink, Content: wavType,
		Summary:     "The recording: stereo WAV, the other party on the left, the agent on the right",
		Description: "By credentials, or by the signed link of the call object.",
		Errors: map[int]string{
			http.StatusForbidden:                    "The link is not valid, or has expired.",
			http.StatusNotFound:                     "There is no such call, or it has no recording (yet).",
			http.StatusRequestedRangeNotSatisfiable: "The range is outside of the file.",
		},
	}
	o := a.describe(http.MethodGet, "/v1/calls/{sid}/recording", op, reflect.TypeFor[recordingRequest]())
	o.Responses[strconv.Itoa(http.StatusPartialContent)] = &huma.Response{Description: "The part that was asked for.", Content: binary(wavType)}
	o.Responses[strconv.Itoa(http.StatusNotModified)] = &huma.Response{Description: "The copy you have is good."}
	o.Responses[strconv.Itoa(http.StatusPreconditionFailed)] = &huma.Response{Description: "The condition of the request does not hold."}
	huma.Register(a.huma, o, a.getRecording)
}

func (a *API) getRecording(ctx context.Context, in *recordingRequest) (*huma.StreamResponse, error) {
	c, err := a.recordedCall(ctx, in)
	if err != nil {
		return nil, err
	}
	if c.Recording == "" || c.EndedAt.IsZero() {
		return nil, notFound("The call has no recording, or not yet.")
	}
	file, _, err := a.Recordings.Open(ctx, c.Recording)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer func() {
			if err := file.Close(); err != nil {
				logger(ctx).Warn("recording not closed", "error", err)
			}
		}()
		r, w := humachi.Unwrap(hc)
		h := w.Header()
		h.Set("Content-Type", wavType)
		h.Set("Content-Disposition", `inline; filename="`+string(c.SID)+`.wav"`)
		h.Set("Cache-Control", "private, max-age=3600")
		h.Set("ETag", `"`+string(c.SID)+`"`) // a recording never changes
		http.ServeContent(&rangeWriter{ResponseWriter: w, r: r}, r, "", c.EndedAt, file)
	}}, nil
}

// recordedCall is the call that the credentials or the link open.
func (a *API) recordedCall(ctx context.Context, in *recordingRequest) (talkstack.Call, error) {
	if in.Signature != "" {
		if err := a.Signer.Check(recordingPath(in.SID), in.Expires, in.Signature); err != nil {
			return talkstack.Call{}, err
		}
		return a.DB.CallBySID(ctx, in.SID)
	}
	user, ok := ctx.Value(userKey{}).(talkstack.User)
	if !ok {
		return talkstack.Call{}, talkstack.Errorf(talkstack.CodeUnauthenticated, "Send credentials, or use the link from the call object.")
	}
	return a.DB.Call(ctx, user.ID, string(in.SID))
}

// rangeWriter says in our error body what net/http says in plain text: that a range is outside of the file.
type rangeWriter struct {
	http.ResponseWriter
	r       *http.Request
	refused bool
}

func (w *rangeWriter) WriteHeader(status int) {
	if status != http.StatusRequestedRangeNotSatisfiable {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.refused = true
	h := w.Header()
	h.Del("Content-Disposition")
	h.Del("Content-Length")
	h.Del("Etag")
	h.Set("Cache-Control", "no-store")
	writeFailure(w.ResponseWriter, w.r, failure{status: status, code: talkstack.CodeInvalid, message: "The range is outside of the recording."})
}

func (w *rangeWriter) Write(b []byte) (int, error) {
	if w.refused {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}
