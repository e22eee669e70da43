package local

import (
	"regexp"
	"strings"
)

// kokoroPhonemes turns the IPA of espeak-ng (--ipa --tie=^) into the alphabet Kokoro was trained on, that of the misaki
// phonemiser: one letter for each diphthong and affricate.
func (p phonemeMap) convert(ipa string) string {
	ipa = p.replace.Replace(ipa)
	ipa = p.syllabic.ReplaceAllString(ipa, "ᵊ$1")
	words := strings.Fields(p.rest.Replace(ipa))
	for i, w := range words {
		switch w { // I, I'm, I've, I'll, I'd: Kokoro swallows them without the stress it was trained with
		case "I", "Im", "Iv", "Il", "Id":
			words[i] = "ˌ" + w
		}
	}
	return strings.Join(words, " ")
}

type phonemeMap struct {
	replace  *strings.Replacer
	syllabic *regexp.Regexp // a consonant that makes a syllable
	rest     *strings.Replacer
}

func newPhonemeMap(british bool) phonemeMap {
	first := []string{
		"ʔˌn\u0329", "tᵊn", "ʔn\u0329", "tᵊn", "ʔn", "tᵊn", "ʔ", "t",
		"a^ɪ", "I", "a^ʊ", "W", "d^ʒ", "ʤ", "e^ɪ", "A", "t^ʃ", "ʧ", "ɔ^ɪ", "Y",
		"ə^l", "ᵊl", "ʲO", "jO", "ʲQ", "jQ", "ʲ", "",
	}
	if british {
		first = append(first, "e^ə", "ɛː", "iə", "ɪə", "i^ə", "ɪə", "ə^ʊ", "Q", "o^ʊ", "Q")
	} else {
		first = append(first, "o^ʊ", "O", "ə^ʊ", "O", "ɜːɹ", "ɜɹ", "ɜː^ɹ", "ɜɹ", "ɜː", "ɜɹ", "ɪə", "iə", "i^ə", "iə", "ː", "", "ɾ", "T")
	}
	first = append(first, "ɚ", "əɹ", "r", "ɹ", "x", "k", "ç", "k", "ɐ", "ə", "ɬ", "l", "e", "A", "o", "ɔ", "\u0303", "")
	return phonemeMap{
		replace:  strings.NewReplacer(first...),
		syllabic: regexp.MustCompile(`(\S)` + "\u0329"),
		// What is left: ties, syllable marks without a letter, and language switches such as "(fr)", whose letters would be spoken.
		rest: strings.NewReplacer("^", "", "\u0361", "", "\u0329", "", "_", "", "(en)", "", "(fr)", "", "(de)", "", "(es)", "", "(it)", "", "(ja)", "", "(zh)", ""),
	}
}
