package talkstack

// Usage is what one call has used of its carrier and providers: what its cost is made from.
type Usage struct {
	CarrierSeconds float64 `json:"carrier_seconds" doc:"Connected time."`
	ASRSeconds     float64 `json:"asr_seconds" doc:"Audio given to speech recognition."`
	LLMInput       int64   `json:"llm_input_tokens"`
	LLMOutput      int64   `json:"llm_output_tokens"`
	LLMEstimated   int64   `json:"llm_estimated_tokens" doc:"How many of the tokens were estimated from the text, because the endpoint did not count them: it does not for answers that were no longer wanted."`
	TTSCharacters  int64   `json:"tts_characters" doc:"Characters that were synthesised for the call; sentences from the cache are free."`
}
