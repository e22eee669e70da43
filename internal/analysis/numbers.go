package analysis

import (
	"slices"
	"strconv"
	"strings"
)

// figure is one number that was said.
type figure struct {
	value float64
	at    int    // place of its first word
	next  int    // and of the word behind its last
	money bool   // said with a currency
	unit  string // stem of the word behind it; empty: none
}

// bigLimit bounds what is read in words: nobody says more.
const bigLimit = 1e12

// readFigures reads the numbers in a text that count or measure something. What could be a date, a time, a telephone
// number or only a manner of speaking is left out; ok is false when a stretch of numbers can not be told apart, so that
// any single one of them would be a guess.
func readFigures(words []string) (all []figure, ok bool) {
	for i := 0; i < len(words); {
		f, good := figureAt(words, i)
		if f.next == i {
			i++
			continue
		}
		if !good {
			return nil, false
		}
		i = f.next
		if isNumberWord(word(words, f.next)) && word(words, f.next) != "one" {
			return nil, false // "three thirty", "five five five"
		}
		if isManner(words, f) {
			continue
		}
		f.unit = unitAfter(words, f.next)
		all = append(all, f)
	}
	return all, true
}

func word(words []string, i int) string {
	if i < 0 || i >= len(words) {
		return ""
	}
	return words[i]
}

// figureAt reads a number at word i. next is i when there is none.
func figureAt(words []string, i int) (f figure, ok bool) {
	f = figure{at: i, next: i}
	sign := 1.0
	if (words[i] == "minus" || words[i] == "negative") && isNumberWord(word(words, i+1)) {
		sign = -1
		i++
	}
	value, next, money, ok := magnitude(words, i)
	if next == i {
		return f, true
	}
	if next+1 < len(words) && words[next] == "point" {
		digits := ""
		k := next + 1
		for ; k < len(words) && len(digits) < 6; k++ {
			d, isSmall := smallNumber(words[k])
			if len(words[k]) == 1 && words[k] >= "0" && words[k] <= "9" {
				d, isSmall = int(words[k][0]-'0'), true
			}
			if !isSmall || d > 9 {
				break
			}
			digits += strconv.Itoa(d)
		}
		if digits != "" {
			fraction, err := strconv.ParseFloat("0."+digits, 64)
			value, next, ok = value+fraction, k, ok && err == nil
		}
	}
	if slices.Equal(words[next:min(next+3, len(words))], []string{"and", "a", "half"}) {
		value, next = value+0.5, next+3
	}
	for slices.Contains([]string{"thousand", "million", "k", "grand"}, word(words, next)) && value < bigLimit/1e6 { // "2.5 million", "25 grand"
		value *= map[string]float64{"thousand": 1e3, "k": 1e3, "grand": 1e3, "million": 1e6}[words[next]]
		next++
	}
	f.value, f.next, f.money = sign*value, next, money
	return f, ok
}

// magnitude reads figures or number words without a sign.
func magnitude(words []string, i int) (value float64, next int, money, ok bool) {
	w := words[i]
	if bare := strings.TrimLeft(w, "$€£"); bare != w || startsLikeNumber(w) {
		money = bare != w
		scale := 1.0
		bare = strings.TrimSuffix(bare, "%")
		if rest, isK := strings.CutSuffix(bare, "k"); isK {
			bare, scale = rest, 1e3
		}
		bare = strings.TrimRight(bare, "$€£")
		v, err := strconv.ParseFloat(bare, 64)
		if err != nil || strings.Trim(bare, "0123456789.") != "" || len(bare) > 15 {
			return 0, i + 1, money, false // "3:30", "5th", "12b"
		}
		return v * scale, i + 1, money, true
	}
	return spelledNumber(words, i)
}

// spelledNumber reads "twenty five", "two hundred and six", "a hundred", "three thousand two hundred".
func spelledNumber(words []string, i int) (value float64, next int, money, ok bool) {
	total, current := 0.0, 0.0
	got, small := false, false // small: a number below ten was the last, nothing can follow but a scale
	start := i
	if (words[i] == "a" || words[i] == "an") && slices.Contains([]string{"hundred", "thousand", "million", "dozen"}, word(words, i+1)) {
		current, got, i = 1, true, i+1
	}
	for ; i < len(words) && i-start < 20; i++ {
		w := words[i]
		n, isSmall := smallNumber(w)
		t, isTens := tensNumber(w)
		switch {
		case isTens && (!got || !small && int(current)%100 == 0):
			current, got, small = current+float64(t), true, false
		case isSmall && (!got || !small && (int(current)%100 == 0 && n > 0 || int(current)%10 == 0 && int(current)%100 >= 20 && n > 0 && n < 10)):
			current, got, small = current+float64(n), true, true
		case w == "hundred" && got && current > 0 && current < 100:
			current, small = current*100, false
		case w == "dozen" && got && current > 0 && current < 100:
			return total + current*12, i + 1, false, true
		case (w == "thousand" || w == "million") && got && current > 0 && current < 1000:
			scale := 1e3
			if w == "million" {
				scale = 1e6
			}
			total, current, small = total+current*scale, 0, false
		case w == "and" && got && i > start && slices.Contains([]string{"hundred", "thousand", "million"}, words[i-1]) && isNumberWord(word(words, i+1)):
		default:
			return total + current, endOf(got, start, i), false, total < bigLimit
		}
	}
	return total + current, endOf(got, start, i), false, total < bigLimit && i-start < 20
}

func endOf(got bool, start, i int) int {
	if got {
		return i
	}
	return start
}

func smallNumber(w string) (int, bool) {
	i := slices.Index([]string{
		"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
		"thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
	}, w)
	return i, i >= 0
}

func tensNumber(w string) (int, bool) {
	i := slices.Index([]string{"twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"}, w)
	return 20 + 10*i, i >= 0
}

func isNumberWord(w string) bool {
	_, small := smallNumber(w)
	_, tens := tensNumber(w)
	return small || tens || startsLikeNumber(w)
}

// isManner reports whether a number is none where it stands: "that one", "one moment", a time, a day, a scale.
func isManner(words []string, f figure) bool {
	before, after := word(words, f.at-1), word(words, f.next)
	switch {
	case words[f.at] == "one" && f.next == f.at+1 && (slices.Contains([]string{"that", "this", "the", "which", "no", "any", "another", "other", "each", "every", "first", "last", "only", "big", "small", "new", "good", "a"}, before) ||
		slices.Contains([]string{"moment", "second", "sec", "minute", "of", "thing", "more", "question", "day", "last"}, after)):
		return true
	case slices.Contains([]string{"am", "pm", "oclock"}, after), slices.Contains([]string{"past", "to", "of"}, before) && word(words, f.at-2) == "quarter":
		return true
	case slices.Contains(months(), before), slices.Contains(months(), after), after == "of" && slices.Contains(months(), word(words, f.next+1)):
		return true
	case before == "of" && word(words, f.at-2) == "out": // "eight out of ten"
		return true
	}
	return false
}

func months() []string {
	return []string{"january", "february", "march", "april", "june", "july", "august", "september", "october", "november", "december"} // may is a verb too
}

// unitAfter is the stem of the word that a number counts, adjectives left out.
func unitAfter(words []string, i int) string {
	for ; i < len(words); i++ {
		if w := words[i]; !slices.Contains([]string{"of", "more", "different", "other", "full", "small", "young", "little", "or", "so"}, w) {
			if isStop(w) {
				return ""
			}
			return stem(w)
		}
		if words[i] == "of" && i > 0 && word(words, i+1) == "us" {
			return "people"
		}
	}
	return ""
}

// bounded reports whether somebody said only where a number lies: "at least twenty", "between five and ten".
func bounded(words []string) bool {
	return hasWords(words, "at least", "at most", "more than", "less than", "up to", "over", "under", "no more than", "or more", "or less", "minimum", "maximum", "between", "fewer than", "plus", "almost", "nearly", "half of", "times", "couple", "few", "several", "depends")
}
