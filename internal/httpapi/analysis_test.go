package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"talkstack"
	"talkstack/internal/httpapi/httpapitest"
)

func (w world) putSchema(t *testing.T, s *httpapitest.Server, questions ...object) httpapitest.Response {
	t.Helper()
	return s.Do(t, request{Method: "PUT", Path: "/v1/projects/" + string(w.project) + "/analysis-schema", Key: w.Key, Body: object{"questions": questions}})
}

func TestContractOfAnalysis(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "example@host.com", "+14155550148")
		sid := w.finished(t, s, nil, "")
		analyse := func(body object) httpapitest.Response {
			t.Helper()
			return s.Do(t, request{Method: "POST", Path: "/call/analysis", Key: w.Key, Body: body})
		}
		// 12.4, without a stored structure and without questions.
		empty := analyse(object{"sid": sid})
		expectEnvelope(t, empty, "call analysis fetched successfully.")
		kinds{
			"sid": "string", "call_status": "string", "call_summary": "string", "user_sentiment": "string", "call_successful": "boolean", "in_voicemail": "boolean",
			"custom_analysis_data": "object", "answers": "array", "analyzer": "string",
		}.check(t, "analysis", empty.At("data"))
		if empty.Text("data", "sid") != string(sid) || empty.Text("data", "call_status") != "completed" || len(empty.At("data", "answers").(list)) != 0 || empty.Text("data", "user_sentiment") != "Unknown" {
			t.Errorf("12.4: %s", empty.Body)
		}
		// 12.4: types in any case; answers of each type; what the call does not hold is null.
		asked := analyse(object{"callSid": sid, "questions": list{
			object{"question": "What is the new date?", "type": "TEXT", "name": "newDate"},
			object{"question": "Did the caller agree?", "type": "boolean"},
			object{"question": "How many people?", "type": "Number"},
			object{"question": "What came of it?", "type": "selector", "options": list{"User got better offers.", "User is not interested anymore."}},
		}})
		expectEnvelope(t, asked, "call analysis fetched successfully.")
		if asked.Text("data", "answers", 0, "answer") != "2026-03-12" || asked.Text("data", "answers", 0, "type") != "Text" || asked.Text("data", "custom_analysis_data", "newDate") != "2026-03-12" {
			t.Errorf("12.4: %s", asked.Body)
		}
		for i := 1; i < 4; i++ {
			if v, ok := asked.At("data", "answers", i).(object)["answer"]; !ok || v != nil {
				t.Errorf("12.4: answer %d is %v, want null", i, v)
			}
		}
		// Q13: every name of a call.
		for _, name := range []string{"sid", "callSid", "call_id", "callId", "call_sid"} {
			expect(t, "Q13 "+name, analyse(object{name: sid, "projectId": w.project}), http.StatusOK)
		}
		expect(t, "Q13 carrier's", analyse(object{"sid": "carrier-" + string(sid)}), http.StatusOK)
		// Q35: /call with questions is an analysis, without it is the call.
		q35 := s.Do(t, request{Method: "POST", Path: "/call", Key: w.Key, Body: object{"sid": sid, "questions": list{object{"question": "Did they agree?", "type": "Boolean"}}}})
		expectEnvelope(t, q35, "call analysis fetched successfully.")
		if q35.Text("data", "answers", 0, "question") != "Did they agree?" {
			t.Errorf("Q35: %s", q35.Body)
		}
		if r := s.Do(t, request{Method: "POST", Path: "/call", Key: w.Key, Body: object{"sid": sid}}); r.Text("callSid") != string(sid) || r.At("answers") != nil {
			t.Errorf("Q35: without questions: %s", r.Body)
		}
	})
}

func TestContractOfAnalysisErrors(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "example@host.com", "+14155550148")
		sid := w.finished(t, s, nil, "")
		running := w.call(t, s, nil)
		good := object{"question": "Did they agree?", "type": "Boolean"}
		many := make(list, 51)
		options := make(list, 51)
		for i := range many {
			many[i], options[i] = good, strings.Repeat("x", i+1)
		}
		for name, c := range map[string]struct {
			body   object
			status int
		}{
			"no sid":             {object{"questions": list{good}}, 400},
			"not ended":          {object{"sid": running}, 400},
			"unknown":            {object{"sid": "CA00000000000000000000000000000000"}, 404},
			"other project":      {object{"sid": sid, "projectId": "none"}, 404},
			"no question":        {object{"sid": sid, "questions": list{object{"type": "Boolean"}}}, 400},
			"empty question":     {object{"sid": sid, "questions": list{object{"question": "  ", "type": "Boolean"}}}, 400},
			"no type":            {object{"sid": sid, "questions": list{object{"question": "x"}}}, 400},
			"unknown type":       {object{"sid": sid, "questions": list{object{"question": "x", "type": "Date"}}}, 400},
			"no options":         {object{"sid": sid, "questions": list{object{"question": "x", "type": "Selector"}}}, 400},
			"empty options":      {object{"sid": sid, "questions": list{object{"question": "x", "type": "Selector", "options": list{}}}}, 400},
			"51 options":         {object{"sid": sid, "questions": list{object{"question": "x", "type": "Selector", "options": options}}}, 400},
			"long option":        {object{"sid": sid, "questions": list{object{"question": "x", "type": "Selector", "options": list{"a", strings.Repeat("b", 201)}}}}, 400},
			"same options":       {object{"sid": sid, "questions": list{object{"question": "x", "type": "Selector", "options": list{"a", "A"}}}}, 400},
			"long question":      {object{"sid": sid, "questions": list{object{"question": strings.Repeat("x", 1001), "type": "Text"}}}, 400},
			"51 questions":       {object{"sid": sid, "questions": many}, 400},
			"too much together":  {object{"sid": sid, "questions": longQuestions()}, 400},
			"a text as question": {object{"sid": sid, "questions": list{"Did they agree?"}}, 400},
			"no list":            {object{"sid": sid, "questions": "Did they agree?"}, 400},
			"one name for two":   {object{"sid": sid, "questions": list{object{"question": "a", "type": "Text", "name": "n"}, object{"question": "b", "type": "Text", "name": "n"}}}, 400},
		} {
			for _, path := range []string{"/call/analysis", "/call"} {
				if _, has := c.body["questions"]; !has && path == "/call" {
					continue
				}
				expectError(t, path+" with "+name, s.Do(t, request{Method: "POST", Path: path, Key: w.Key, Body: c.body}), c.status, "")
			}
		}
		one := s.Do(t, request{Method: "POST", Path: "/call/analysis", Key: w.Key, Body: object{"sid": sid, "questions": list{object{"question": "x", "type": "Selector", "options": list{"a"}}}}})
		expectEnvelope(t, one, "call analysis fetched successfully.") // the contract wants options, not how many
	})
}

func longQuestions() list {
	var all list
	for i := range 21 {
		all = append(all, object{"question": strings.Repeat("x", 990) + string(rune('a'+i)), "type": "Text"})
	}
	return all
}

func TestAnalysisSchemaOfAProject(t *testing.T) {
	onEngines(t, func(t *testing.T, s *httpapitest.Server) {
		w := newWorld(t, s, "example@host.com", "+14155550148")
		path := "/v1/projects/" + string(w.project) + "/analysis-schema"
		if r := s.Do(t, request{Method: "GET", Path: path, Key: w.Key}); len(r.At("questions").(list)) != 0 {
			t.Errorf("a new project: %s", r.Body)
		}
		put := w.putSchema(t, s, object{"name": "new_date", "question": " What is the new date? ", "type": "text"}, object{"question": "Which?", "type": "Selector", "options": list{"a", "b"}})
		expect(t, "put", put, http.StatusOK)
		got := s.Do(t, request{Method: "GET", Path: path, Key: w.Key})
		if string(got.Body) != string(put.Body) || got.Text("questions", 0, "type") != "Text" || got.Text("questions", 0, "question") != "What is the new date?" || got.Text("questions", 1, "options", 1) != "b" {
			t.Errorf("stored: %s", got.Body)
		}
		bad := w.putSchema(t, s, object{"question": "x", "type": "Selector"})
		if expect(t, "bad", bad, http.StatusBadRequest); bad.Text("errors", 0, "field") != "questions[0].options" {
			t.Errorf("bad: %s", bad.Body)
		}
		sid := w.finished(t, s, nil, "")
		// Without questions the stored ones are answered, and the call shows it.
		r := s.Do(t, request{Method: "POST", Path: "/call/analysis", Key: w.Key, Body: object{"sid": sid}})
		if r.Text("data", "custom_analysis_data", "new_date") != "2026-03-12" || r.At("data", "custom_analysis_data", "which") != nil || r.Text("data", "answers", 0, "answer") != "2026-03-12" {
			t.Errorf("by the stored questions: %s", r.Body)
		}
		call := s.Do(t, request{Method: "POST", Path: "/call", Key: w.Key, Body: object{"sid": sid}})
		if call.Text("data", "new_date") != "2026-03-12" || call.Text("data", "which") != "" || call.At("analysis") == nil {
			t.Errorf("call data: %s", call.Body)
		}
		v1 := s.Do(t, request{Method: "POST", Path: "/v1/calls/" + string(sid) + "/analysis", Key: w.Key})
		expect(t, "/v1", v1, http.StatusOK)
		if v1.Text("data", "new_date") != "2026-03-12" || v1.Text("answers", 0, "name") != "new_date" || v1.Text("analyzer") != talkstack.AnalyzerRules || v1.Text("summary") != r.Text("data", "call_summary") {
			t.Errorf("/v1: %s", v1.Body)
		}
		asked := s.Do(t, request{Method: "POST", Path: "/v1/calls/" + string(sid) + "/analysis", Key: w.Key, Body: object{"questions": list{object{"question": "New date", "type": "text"}}}})
		if asked.Text("data", "new_date") != "2026-03-12" || len(asked.At("answers").(list)) != 1 {
			t.Errorf("/v1 with questions: %s", asked.Body)
		}
		// The change is in the audit log, and is nobody else's to make.
		log := s.Do(t, request{Method: "GET", Path: "/v1/audit-log?action=analysis_schema.update", Key: w.Key})
		if len(log.At("data").(list)) != 1 || log.Text("data", 0, "resource_id") != string(w.project) {
			t.Errorf("audit log: %s", log.Body)
		}
		eve := newWorld(t, s, "eve@host.example", "+14155550149")
		for _, r := range []request{
			{Method: "GET", Path: path},
			{Method: "PUT", Path: path, Body: object{"questions": list{}}},
			{Method: "POST", Path: "/v1/calls/" + string(sid) + "/analysis"},
			{Method: "POST", Path: "/call/analysis", Body: object{"sid": sid}},
		} {
			r.Key = eve.Key
			expect(t, "Eve: "+r.Method+" "+r.Path, s.Do(t, r), http.StatusNotFound)
			r.Key = ""
			expect(t, "nobody: "+r.Method+" "+r.Path, s.Do(t, r), http.StatusUnauthorized)
		}
	})
}
