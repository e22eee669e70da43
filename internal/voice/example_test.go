package voice_test

import (
	"fmt"

	"talkstack/internal/voice"
)

// A reply is spoken clause by clause: the first one is short, so that the caller hears it soon.
func ExampleClauses() {
	for _, clause := range voice.Clauses("Sure! Dr. Smith has time on **Thursday** at 3.30 p.m. and on Friday. Which one suits you?") {
		fmt.Println(clause)
	}
	// Output:
	// Sure!
	// Dr. Smith has time on Thursday at 3.30 p.m. and on Friday.
	// Which one suits you?
}
