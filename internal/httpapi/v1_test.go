package httpapi_test

import (
	"net/http"
	"reflect"
	"slices"
	"testing"

	"talkstack"
	"talkstack/internal/httpapi/httpapitest"
)

// expectV1Error checks an error of /v1.
func expectV1Error(t *testing.T, what string, r httpapitest.Response, status int, code string, fields ...string) {
	t.Helper()
	expect(t, what, r, status)
	if r.Text("status") != "error" || r.Text("code") != code || r.Text("message") == "" {
		t.Errorf("%s: %s; want code %s", what, r.Body, code)
	}
	var got []string
	errors, ok := r.At("errors").(list)
	if !ok {
		t.Errorf("%s: errors is not an array: %s", what, r.Body)
	}
	for i := range errors {
		got = append(got, r.Text("errors", i, "field"))
	}
	if !slices.Equal(got, fields) {
		t.Errorf("%s: bad fields %q; want %q (%s)", what, got, fields, r.Body)
	}
}

func TestV1AgentShowsEverySetting(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		r := s.Do(t, request{Method: "GET", Path: "/v1/agents/" + string(w.agent), Key: w.Key})
		expect(t, "get", r, http.StatusOK)
		want := object{
			"id": string(w.agent), "project_id": string(w.project), "version": 1.0, "name": "Jack", "prompt": "You are {{agent}}.",
			"voice_id": "EXAVITQu4vr4xnSDxMaL", "phone_number": "+14155550148",
			"created_at": "2026-03-11T17:49:38.925Z", "updated_at": "2026-03-11T17:49:38.925Z",
			"greeting": "", "first_speaker": "agent", "flow": nil, "recording": true, "silence_limit_ms": 6000.0, "idle_prompts": list{},
			"max_duration_ms": 1800000.0, "ring_timeout_ms": 30000.0,
			"endpointing": object{"complete_ms": 300.0, "incomplete_ms": 1200.0, "digits_ms": 1500.0, "limit_ms": 1600.0},
			"barge_in":    object{"enabled": true, "pause_after_ms": 100.0}, "end_call_phrases": list{},
			"voicemail": object{"detect": true, "action": "hangup", "message": ""}, "speed": 1.0, "keypad_timeout_ms": 3000.0,
		}
		for key, value := range want {
			if !reflect.DeepEqual(r.At(key), value) {
				t.Errorf("%s is %v; want %v", key, r.At(key), value)
			}
		}
	})
}

func TestV1AgentIsPatched(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		path := "/v1/agents/" + string(w.agent)
		patch := func(body any) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "PATCH", Path: path, Key: w.Key, Body: body})
		}
		first := patch(object{
			"greeting": "Hello, {{name}}.", "endpointing": object{"complete_ms": 250}, "recording": false, "name": "Jill",
			"idle_prompts": list{object{"after_ms": 3000, "text": "Are you there?"}}, "end_call_phrases": list{"bye"},
			"flow": object{"start": "a", "nodes": list{object{"id": "a", "kind": "end", "text": "Bye."}}},
		})
		expect(t, "patch", first, http.StatusOK)
		if first.At("version") != 2.0 || first.Text("greeting") != "Hello, {{name}}." || first.At("endpointing", "complete_ms") != 250.0 ||
			first.At("endpointing", "incomplete_ms") != 1200.0 || first.At("recording") != false || first.Text("flow", "nodes", 0, "text") != "Bye." {
			t.Errorf("patch: %s", first.Body)
		}
		again := s.Do(t, request{Method: "GET", Path: path, Key: w.Key})
		if !reflect.DeepEqual(again.JSON, first.JSON) {
			t.Errorf("stored: %s; answered: %s", again.Body, first.Body)
		}
		if r := patch(again.JSON); r.At("version") != 2.0 {
			t.Errorf("a document sent back as it came made a new version: %s", r.Body)
		}
		// RFC 7396: null takes away what was set; here that brings the default back. Arrays are replaced.
		reset := patch(object{"greeting": nil, "endpointing": object{"complete_ms": nil}, "flow": nil, "idle_prompts": nil, "end_call_phrases": list{"so long", "bye"}})
		expect(t, "reset", reset, http.StatusOK)
		if reset.Text("greeting") != "" || reset.At("endpointing", "complete_ms") != 300.0 || reset.At("flow") != nil ||
			len(reset.At("idle_prompts").(list)) != 0 || len(reset.At("end_call_phrases").(list)) != 2 || reset.At("version") != 3.0 {
			t.Errorf("reset: %s", reset.Body)
		}
		other := s.Do(t, request{Method: "PATCH", Path: path, Key: w.Key, Body: `{"speed": 1.25}`, Header: map[string]string{"Content-Type": "application/merge-patch+json"}})
		expect(t, "merge-patch+json", other, http.StatusOK)
		// The Talkstack family sees the same agent.
		got := s.Do(t, request{Method: "POST", Path: "/agent", Key: w.Key, Body: object{"agentId": w.agent, "projectId": w.project}})
		if got.Text("name") != "Jill" {
			t.Errorf("the Talkstack API shows %s", got.Body)
		}
	})
}

func TestV1AgentRefusesBadSettings(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		path := "/v1/agents/" + string(w.agent)
		before := s.Do(t, request{Method: "GET", Path: path, Key: w.Key})
		for _, c := range []struct {
			what   string
			body   any
			fields []string
		}{
			{"an unknown field", object{"greting": "Hi"}, []string{"greting"}},
			{"an unknown nested field", object{"endpointing": object{"complete": 5}}, []string{"endpointing.complete"}},
			{"too small", object{"silence_limit_ms": 10}, []string{"silence_limit_ms"}},
			{"a wrong type", object{"recording": "yes"}, []string{"recording"}},
			{"an object for a number", object{"speed": object{"x": 1}}, []string{"speed"}},
			{"a number for an object", object{"endpointing": 5}, []string{"endpointing"}},
			{"a fraction of a millisecond", object{"silence_limit_ms": 6000.5}, []string{"silence_limit_ms"}},
			{"an unknown choice", object{"first_speaker": "nobody"}, []string{"first_speaker"}},
			{"two at once", object{"speed": 9, "name": ""}, []string{"name", "speed"}},
			{"a blank prompt", object{"prompt": " \n"}, []string{"prompt"}},
			{"null for a name", object{"name": nil}, []string{"name"}},
			{"a rule between fields", object{"endpointing": object{"complete_ms": 2000}}, []string{"endpointing.limit_ms"}},
			{"a message that is missing", object{"voicemail": object{"action": "message"}}, []string{"voicemail.message"}},
			{"an entry of a list", object{"idle_prompts": list{object{"after_ms": 3000, "text": "a"}, object{"after_ms": 1}}}, []string{"idle_prompts[1].after_ms", "idle_prompts[1].text"}},
			{"a node of a flow", object{"flow": object{"start": "a", "nodes": list{object{"id": "a", "kind": "sing"}}}}, []string{"flow.nodes[0].kind"}},
			{"an unknown field of a flow", object{"flow": object{"start": "a", "nodes": list{object{"id": "a", "kind": "end", "goto": "b"}}}}, []string{"flow.nodes[0].goto"}},
			{"another id", object{"id": "x"}, []string{"id"}},
			{"an unknown voice", object{"voice_id": "nobody"}, []string{"voice_id"}},
			{"a number that is none", object{"phone_number": "555"}, []string{"phone_number"}},
			{"an array", `[]`, nil},
			{"null", `null`, nil},
			{"half of it", `{"greeting":`, nil},
			{"nothing", nil, nil},
		} {
			expectV1Error(t, c.what, s.Do(t, request{Method: "PATCH", Path: path, Key: w.Key, Body: c.body}), http.StatusBadRequest, "invalid", c.fields...)
		}
		after := s.Do(t, request{Method: "GET", Path: path, Key: w.Key})
		if !reflect.DeepEqual(before.JSON, after.JSON) {
			t.Errorf("a refused change changed something: %s", after.Body)
		}
		expectV1Error(t, "a version that has passed", s.Do(t, request{Method: "PATCH", Path: path, Key: w.Key, Body: object{"version": 7, "greeting": "Hi"}}), http.StatusConflict, "conflict")
		expectV1Error(t, "unknown agent", s.Do(t, request{Method: "PATCH", Path: "/v1/agents/nobody", Key: w.Key, Body: object{}}), http.StatusNotFound, "not_found")
		expectV1Error(t, "no credentials", s.Do(t, request{Method: "GET", Path: path}), http.StatusUnauthorized, "unauthenticated")
		expectV1Error(t, "another type of body", s.Do(t, request{Method: "PATCH", Path: path, Key: w.Key, Body: "a=b", Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}), http.StatusUnsupportedMediaType, "invalid")
	})
}

func TestV1AgentNumberIsSetAndReleased(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		eve := newWorld(t, s, "eve@host.example", "+14155550149")
		path := "/v1/agents/" + string(w.agent)
		number := func(v any) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "PATCH", Path: path, Key: w.Key, Body: object{"phone_number": v}})
		}
		moved := number("+1 415 555 0150")
		if moved.Text("phone_number") != "+14155550150" || moved.At("version") != 1.0 {
			t.Errorf("another number: %s", moved.Describe())
		}
		expectV1Error(t, "somebody else's number", number(eve.number), http.StatusConflict, "conflict")
		released := number(nil)
		if released.At("phone_number") != nil {
			t.Errorf("no number: %s", released.Describe())
		}
		numbers, err := s.DB.NumbersByProject(t.Context(), w.ID, w.project)
		if err != nil || len(numbers) != 2 {
			t.Errorf("the released numbers left the project: %v, %v", numbers, err)
		}
	})
}

func TestV1Call(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "john@host.example", "+14155550148")
		queued := s.Do(t, request{Method: "GET", Path: "/v1/calls/" + string(w.call(t, s, nil)), Key: w.Key})
		expect(t, "queued call", queued, http.StatusOK)
		for _, key := range []string{"end_reason", "answered_at", "ended_at", "recording_url", "analysis"} {
			if v, ok := queued.JSON.(object)[key]; !ok || v != nil {
				t.Errorf("queued call: %s is %v; want null", key, v)
			}
		}
		claimQueued(t, s) // so that the next call is the only one in the queue
		w2 := newWorld(t, s, "jane@host.example", "+14155550160")
		sid := w2.finished(t, s, object{"name": "John"}, "")
		r := s.Do(t, request{Method: "GET", Path: "/v1/calls/" + string(sid), Token: w2.Token})
		expect(t, "ended call", r, http.StatusOK)
		for key, want := range (object{
			"sid": string(sid), "direction": "outbound", "status": "completed", "from": "+14155550160", "to": "+12065550123",
			"project_id": string(w2.project), "agent_id": string(w2.agent), "agent_version": 1.0,
			"end_reason":        object{"party": "agent", "code": "agent_hangup", "message": "The agent hung up."},
			"dynamic_variables": object{"name": "John"}, "missing_variables": list{"agent"}, "slots": object{"newDate": "2026-03-12"},
			"duration_seconds": 23.4, "cost": object{"total": 0.077, "parts": object{"carrier": 0.05, "tts": 0.027}},
			"latency": object{"p50_ms": 500.0, "p95_ms": 500.0, "turns": 1.0}, "recording_url": nil, "analysis": nil,
			"usage":    object{"carrier_seconds": 0.0, "asr_seconds": 0.0, "llm_input_tokens": 0.0, "llm_output_tokens": 0.0, "llm_estimated_tokens": 0.0, "tts_characters": 0.0},
			"batch_id": nil, "batch_row": 0.0, "try": 1.0, "retry_of": nil,
		}) {
			if !reflect.DeepEqual(r.At(key), want) {
				t.Errorf("%s is %v; want %v", key, r.At(key), want)
			}
		}
		script := s.Do(t, request{Method: "GET", Path: "/v1/calls/" + string(sid) + "/transcript", Token: w2.Token})
		want := list{
			object{"seq": 0.0, "role": "user", "text": "Hello.", "start_ms": 1000.0, "end_ms": 1500.0, "interrupted": false, "words": list{object{"word": "Hello.", "start_ms": 1000.0, "end_ms": 1500.0}}},
			object{
				"seq": 1.0, "role": "agent", "text": "Good morning", "start_ms": 2000.0, "end_ms": 3000.0, "interrupted": true, "words": list{},
				"latency": object{"endpointing_ms": 300.0, "asr_final_ms": 20.0, "llm_first_token_ms": 100.0, "tts_first_byte_ms": 60.0, "playout_ms": 20.0, "total_ms": 500.0},
			},
		}
		if !reflect.DeepEqual(script.At("data"), any(want)) {
			t.Errorf("transcript: %s", script.Body)
		}
	})
}

// claimQueued takes every due call out of the queue.
func claimQueued(t *testing.T, s *httpapitest.Server) {
	t.Helper()
	node := talkstack.NewNodeID()
	if err := s.DB.Heartbeat(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DB.Claim(t.Context(), node, 100); err != nil {
		t.Fatal(err)
	}
}
