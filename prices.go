package talkstack

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Prices are what calls cost the operator, in US dollars. The zero value prices everything at nothing.
//
// The text form is a list such as
//
//	carrier=0.0085/min, carrier:+44=0.02/started-min, carrier_in=0.004/min, asr=0.0043/min,
//	llm_input=0.15/Mtok, llm_output=0.60/Mtok, tts=15/Mchar
//
// carrier is connected time and asr audio given to speech recognition, by the min or hour to the exact second, or by
// the started-min as many carriers bill; llm_input and llm_output are a language model's tokens, by the Mtok (million)
// or ktok; tts is synthesised characters, by the Mchar or kchar. A carrier's price may be that of a prefix of the other
// party's number, the longest one winning. Incoming calls cost what carrier_in says, or carrier where it says nothing.
type Prices struct {
	list []price // in the order of String
}

// price is one entry of the list.
type price struct {
	item   string
	prefix string // of a number; empty: every number
	amount float64
	unit   string
}

// The items.
const (
	priceCarrier   = "carrier"
	priceCarrierIn = "carrier_in"
	priceASR       = "asr"
	priceInput     = "llm_input"
	priceOutput    = "llm_output"
	priceTTS       = "tts"
)

// unitsOf are the units that an item is priced by, with how much of what Usage counts is one of them.
func unitsOf(item string) map[string]float64 {
	switch item {
	case priceCarrier, priceCarrierIn, priceASR:
		return map[string]float64{"min": 60, startedMinute: 60, "hour": 3600}
	case priceInput, priceOutput:
		return map[string]float64{"Mtok": 1e6, "ktok": 1e3}
	case priceTTS:
		return map[string]float64{"Mchar": 1e6, "kchar": 1e3}
	}
	return nil
}

const startedMinute = "started-min"

// maxPrice bounds what one unit may cost, so that a slipped digit group is noticed.
const maxPrice = 1e6

// ParsePrices reads the text form. Empty text is no prices.
func ParsePrices(s string) (Prices, error) {
	var p Prices
	for entry := range strings.SplitSeq(s, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		next, err := parsePrice(entry)
		if err != nil {
			return Prices{}, err
		}
		if slices.ContainsFunc(p.list, func(o price) bool { return o.item == next.item && o.prefix == next.prefix }) {
			return Prices{}, fmt.Errorf("%q is priced twice", clipText(next.name()))
		}
		p.list = append(p.list, next)
	}
	slices.SortFunc(p.list, func(a, b price) int { return strings.Compare(a.name(), b.name()) })
	return p, nil
}

func parsePrice(entry string) (price, error) {
	name, value, ok := strings.Cut(entry, "=")
	if !ok {
		return price{}, fmt.Errorf("%q is not a price: write them like carrier=0.0085/min, tts=15/Mchar", clipText(entry))
	}
	var p price
	var prefixed bool
	p.item, p.prefix, prefixed = strings.Cut(strings.TrimSpace(name), ":")
	units := unitsOf(p.item)
	if units == nil {
		return price{}, fmt.Errorf("%q is nothing that is priced: there are carrier, carrier_in, asr, llm_input, llm_output and tts", clipText(p.item))
	}
	if prefixed && (p.item != priceCarrier && p.item != priceCarrierIn || !isPrefix(p.prefix)) {
		return price{}, fmt.Errorf("%q: carrier and carrier_in alone have prices by prefix, which is + and digits, for example carrier:+44", clipText(name))
	}
	amount, unit, _ := strings.Cut(value, "/")
	p.unit = strings.TrimSpace(unit)
	if units[p.unit] == 0 {
		return price{}, fmt.Errorf("%q: %s is priced by %s", clipText(entry), p.item, unitNames(units))
	}
	var err error
	if p.amount, err = strconv.ParseFloat(strings.TrimSpace(amount), 64); err != nil || !(p.amount >= 0 && p.amount <= maxPrice) {
		return price{}, fmt.Errorf("%q: %q is not a price in US dollars from 0 to a million", clipText(entry), clipText(strings.TrimSpace(amount)))
	}
	return p, nil
}

func isPrefix(s string) bool {
	digits, ok := strings.CutPrefix(s, "+")
	return ok && digits != "" && len(digits) <= 15 && strings.Trim(digits, "0123456789") == ""
}

func unitNames(units map[string]float64) string {
	names := make([]string, 0, len(units))
	for name := range units {
		names = append(names, "/"+name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func (p price) name() string {
	if p.prefix == "" {
		return p.item
	}
	return p.item + ":" + p.prefix
}

// UnmarshalText reads the text form.
func (p *Prices) UnmarshalText(text []byte) error {
	var err error
	*p, err = ParsePrices(string(text))
	return err
}

// MarshalText is String.
func (p Prices) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// String is the text form, sorted.
func (p Prices) String() string {
	entries := make([]string, len(p.list))
	for i, e := range p.list {
		entries[i] = e.name() + "=" + strconv.FormatFloat(e.amount, 'f', -1, 64) + "/" + e.unit
	}
	return strings.Join(entries, ", ")
}

// Cost is what was used, in US dollars by part: carrier, asr, llm (input and output) and tts. Each part is rounded by
// RoundCost; a part that costs nothing is left out. The other party of the call is the one with number counterpart.
func (p Prices) Cost(u Usage, d Direction, counterpart string) map[string]float64 {
	carrier, ok := p.find(priceCarrierIn, counterpart)
	if d != Inbound || !ok {
		carrier, _ = p.find(priceCarrier, counterpart)
	}
	asr, _ := p.find(priceASR, "")
	input, _ := p.find(priceInput, "")
	output, _ := p.find(priceOutput, "")
	tts, _ := p.find(priceTTS, "")
	parts := map[string]float64{
		"carrier": carrier.of(u.CarrierSeconds),
		"asr":     asr.of(u.ASRSeconds),
		"llm":     input.of(float64(u.LLMInput)) + output.of(float64(u.LLMOutput)),
		"tts":     tts.of(float64(u.TTSCharacters)),
	}
	for name, dollars := range parts {
		if parts[name] = RoundCost(dollars); parts[name] == 0 {
			delete(parts, name)
		}
	}
	return parts
}

// find is the price of an item; of several by prefix the one with the longest.
func (p Prices) find(item, number string) (best price, ok bool) {
	for _, e := range p.list {
		if e.item == item && strings.HasPrefix(number, e.prefix) && (!ok || len(e.prefix) > len(best.prefix)) {
			best, ok = e, true
		}
	}
	return best, ok
}

// of is what a quantity costs, as Usage counts it.
func (p price) of(quantity float64) float64 {
	size := unitsOf(p.item)[p.unit]
	if size == 0 || !(quantity > 0) {
		return 0
	}
	units := quantity / size
	if p.unit == startedMinute {
		units = math.Ceil(units)
	}
	return p.amount * units
}

// RoundCost rounds US dollars to the millionth, halves away from zero: a token may cost less than one, and the sum of a
// call's parts is shown as they are.
func RoundCost(dollars float64) float64 { return math.Round(dollars*1e6) / 1e6 }
