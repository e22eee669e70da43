package local

import "talkstack"

// Providers of voices, as in talkstack.Voice.
const (
	ProviderKokoro = "kokoro"
	ProviderEspeak = "espeak"
)

// DefaultVoice is the identifier of the voice for agents that name none.
const DefaultVoice = "kokoro-af_heart"

// Catalogue lists all local voices, the Kokoro voices first, best first as its authors grade them.
// Identifiers are "kokoro-af_heart", "espeak-en-us".
func Catalogue() []talkstack.Voice { return append(kokoroVoices(), espeakVoices()...) }

func kokoroVoices() []talkstack.Voice {
	voice := func(key, name, description, age, use string) talkstack.Voice {
		v := talkstack.Voice{
			ID: "kokoro-" + key, Name: name, Provider: ProviderKokoro, Key: key, Language: "en-US",
			Labels: map[string]string{"accent": "american", "description": description, "age": age, "gender": "female", "use_case": use},
		}
		if key[0] == 'b' {
			v.Language, v.Labels["accent"] = "en-GB", "british"
		}
		if key[1] == 'm' {
			v.Labels["gender"] = "male"
		}
		return v
	}
	return []talkstack.Voice{
		voice("af_heart", "Heart", "warm", "young", "customer support"),
		voice("af_bella", "Bella", "lively", "young", "sales"),
		voice("af_nicole", "Nicole", "soft, close to the microphone", "young", "meditation"),
		voice("af_aoede", "Aoede", "clear", "young", "narration"),
		voice("af_kore", "Kore", "firm", "young", "announcements"),
		voice("af_sarah", "Sarah", "calm", "young", "customer support"),
		voice("af_alloy", "Alloy", "neutral", "middle-aged", "assistant"),
		voice("af_nova", "Nova", "bright", "young", "assistant"),
		voice("af_sky", "Sky", "light", "young", "conversation"),
		voice("af_jessica", "Jessica", "friendly", "young", "conversation"),
		voice("af_river", "River", "relaxed", "middle-aged", "narration"),
		voice("am_fenrir", "Fenrir", "deep", "middle-aged", "announcements"),
		voice("am_michael", "Michael", "even", "middle-aged", "customer support"),
		voice("am_puck", "Puck", "lively", "young", "sales"),
		voice("am_echo", "Echo", "plain", "middle-aged", "assistant"),
		voice("am_eric", "Eric", "matter-of-fact", "middle-aged", "assistant"),
		voice("am_liam", "Liam", "youthful", "young", "conversation"),
		voice("am_onyx", "Onyx", "deep", "middle-aged", "narration"),
		voice("am_adam", "Adam", "plain", "middle-aged", "conversation"),
		voice("am_santa", "Santa", "jolly", "old", "entertainment"),
		voice("bf_emma", "Emma", "composed", "middle-aged", "customer support"),
		voice("bf_isabella", "Isabella", "gentle", "young", "narration"),
		voice("bf_alice", "Alice", "crisp", "young", "conversation"),
		voice("bf_lily", "Lily", "light", "young", "conversation"),
		voice("bm_george", "George", "composed", "middle-aged", "customer support"),
		voice("bm_fable", "Fable", "expressive", "middle-aged", "narration"),
		voice("bm_lewis", "Lewis", "deep", "middle-aged", "announcements"),
		voice("bm_daniel", "Daniel", "formal", "middle-aged", "announcements"),
	}
}

func espeakVoices() []talkstack.Voice {
	labels := func(accent string) map[string]string {
		return map[string]string{"accent": accent, "description": "robotic, needs no models", "age": "middle-aged", "gender": "male", "use_case": "fallback"}
	}
	return []talkstack.Voice{
		{ID: "espeak-en-us", Name: "eSpeak American", Provider: ProviderEspeak, Key: american, Language: "en-US", Labels: labels("american")},
		{ID: "espeak-en-gb", Name: "eSpeak British", Provider: ProviderEspeak, Key: british, Language: "en-GB", Labels: labels("british")},
	}
}
