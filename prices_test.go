package talkstack_test

import (
	"maps"
	"strings"
	"testing"

	"talkstack"
)

const allPrices = "carrier=0.0085/min, carrier:+44=0.02/started-min, carrier:+4420=0.03/hour, carrier_in=0.004/min, " +
	"asr=0.0043/min, llm_input=0.15/Mtok, llm_output=0.60/Mtok, tts=15/Mchar"

func prices(t testing.TB, s string) talkstack.Prices {
	t.Helper()
	p, err := talkstack.ParsePrices(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCost(t *testing.T) {
	t.Parallel()
	minute := talkstack.Usage{CarrierSeconds: 90}
	all := talkstack.Usage{CarrierSeconds: 60, ASRSeconds: 61.5, LLMInput: 12_345, LLMOutput: 678, TTSCharacters: 1000}
	for name, c := range map[string]struct {
		prices    string
		usage     talkstack.Usage
		direction talkstack.Direction
		to        string
		want      map[string]float64
	}{
		"no prices":       {"", all, talkstack.Outbound, "+14155550101", map[string]float64{}},
		"everything":      {allPrices, all, talkstack.Outbound, "+14155550101", map[string]float64{"carrier": 0.0085, "asr": 0.004408, "llm": 0.002259, "tts": 0.015}},
		"to the second":   {allPrices, minute, talkstack.Outbound, "+14155550101", map[string]float64{"carrier": 0.01275}},
		"started minutes": {allPrices, minute, talkstack.Outbound, "+447911123456", map[string]float64{"carrier": 0.04}},
		"a whole minute":  {allPrices, talkstack.Usage{CarrierSeconds: 60}, talkstack.Outbound, "+447911123456", map[string]float64{"carrier": 0.02}},
		"longest prefix":  {allPrices, minute, talkstack.Outbound, "+442079460000", map[string]float64{"carrier": 0.00075}},
		"incoming":        {allPrices, minute, talkstack.Inbound, "+447911123456", map[string]float64{"carrier": 0.006}},
		"incoming, unset": {"carrier=0.01/min", minute, talkstack.Inbound, "anonymous", map[string]float64{"carrier": 0.015}},
		"another country": {"carrier:+44=1/min", minute, talkstack.Outbound, "+14155550101", map[string]float64{}},
		"not answered":    {allPrices, talkstack.Usage{TTSCharacters: 3}, talkstack.Outbound, "+447911123456", map[string]float64{"tts": 0.000045}},
		"thousands":       {"llm_input=1/ktok,tts=2/kchar", talkstack.Usage{LLMInput: 1500, TTSCharacters: 10}, talkstack.Outbound, "", map[string]float64{"llm": 1.5, "tts": 0.02}},
		"less than all":   {"tts=1/Mchar", talkstack.Usage{TTSCharacters: 0}, talkstack.Outbound, "", map[string]float64{}},
	} {
		if got := prices(t, c.prices).Cost(c.usage, c.direction, c.to); !maps.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestPricesAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	p := prices(t, allPrices)
	if again := prices(t, p.String()); again.String() != p.String() || len(strings.Split(p.String(), ", ")) != 8 {
		t.Errorf("%q becomes %q", p, again)
	}
	if s := prices(t, " , carrier = 1 / min ,").String(); s != "carrier=1/min" {
		t.Errorf("got %q", s)
	}
	for text, says := range map[string]string{
		"carrier":                         "is not a price",
		"carriers=1/min":                  "nothing that is priced",
		"carrier=1":                       "is priced by /hour, /min, /started-min",
		"carrier=1/Mtok":                  "is priced by",
		"tts=15/min":                      "is priced by /Mchar, /kchar",
		"carrier=one/min":                 "is not a price in US dollars",
		"carrier=-1/min":                  "is not a price in US dollars",
		"carrier=NaN/min":                 "is not a price in US dollars",
		"carrier=1e9/min":                 "is not a price in US dollars",
		"carrier=1/min,carrier=2/min":     "priced twice",
		"carrier:44=1/min":                "carrier:+44",
		"carrier:+=1/min":                 "carrier:+44",
		"carrier:=1/min":                  "carrier:+44",
		"asr:+44=1/min":                   "carrier:+44",
		"carrier:+1234567890123456=1/min": "carrier:+44",
	} {
		if _, err := talkstack.ParsePrices(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", text, err, says)
		}
	}
}

func FuzzParsePrices(f *testing.F) {
	f.Add(allPrices)
	f.Add("carrier:+1=.5/min,,")
	f.Add("tts=1e-300/Mchar")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := talkstack.ParsePrices(text)
		if err != nil {
			return
		}
		again, err := talkstack.ParsePrices(p.String())
		if err != nil || again.String() != p.String() {
			t.Fatalf("%q becomes %q, then %q, %v", text, p, again, err)
		}
		u := talkstack.Usage{CarrierSeconds: 3601.5, ASRSeconds: 1, LLMInput: 1e9, LLMOutput: 1, TTSCharacters: 1e6}
		for part, dollars := range p.Cost(u, talkstack.Inbound, "+447911123456") {
			if !(dollars > 0) || dollars > 1e13 {
				t.Fatalf("%q: %s costs %v", text, part, dollars)
			}
		}
	})
}
