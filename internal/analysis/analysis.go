// Package analysis answers questions about a call that has ended, from what was said in it: by a language model whose
// answers are checked and repaired, or by rules that answer only what they are sure of. It owns how a call is summed up
// and judged, and when that is done: once at the call's end, and again when somebody asks other questions. It does not
// own the store's rows, the wire, nor what is told to webhooks and HubSpot: the store sees to those in the transaction
// that stores an analysis.
package analysis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"talkstack"
)

// Input is what an analysis is made from.
type Input struct {
	Call      talkstack.Call // it has ended
	Turns     []talkstack.Turn
	Questions []talkstack.Question // checked by talkstack.CheckQuestions
}

// Analyzer answers the questions of an input. The analysis has an answer for each question, in their order.
type Analyzer interface {
	// Name says who answers: an analysis of the same questions by the same name need not be made again.
	Name() string
	// Analyze makes the analysis. An error means that nothing was learned, and that later may work.
	Analyze(ctx context.Context, in Input) (talkstack.Analysis, error)
}

// answered reports whether anybody took the call: only then there is something to understand.
func (in *Input) answered() bool {
	return !in.Call.AnsweredAt.IsZero() && len(in.Turns) > 0
}

// digestVersion changes when the same questions are to be answered anew by better rules or another prompt.
const digestVersion = 1

// digest names what was asked and who answers it.
func digest(analyzer string, questions []talkstack.Question) string {
	if questions == nil {
		questions = []talkstack.Question{}
	}
	b, err := json.Marshal(struct {
		Version   int                  `json:"version"`
		Analyzer  string               `json:"analyzer"`
		Questions []talkstack.Question `json:"questions"`
	}{digestVersion, analyzer, questions})
	if err != nil {
		panic("analysis: questions do not marshal: " + err.Error()) // plain data always does
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
