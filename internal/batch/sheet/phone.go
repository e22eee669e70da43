package sheet

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"

	"talkstack"
)

// ParseNumber reads a telephone number as people write it, and says why when it can not be called. Without + and country
// code it is one of region (ISO 3166-1 alpha-2); with an empty region it is refused. What is accepted is possible by its
// length (phonenumbers.IsPossibleNumber), whether or not the range is known to be in use; premium-rate numbers are not.
func ParseNumber(s, region string) (e164, reason string) {
	s = strings.TrimPrefix(strings.Map(visible, strings.TrimSpace(s)), "'") // spreadsheet programs mark text by '
	if len(s) > 4 && strings.EqualFold(s[:4], "tel:") {
		s = s[4:]
	}
	switch {
	case s == "":
		return "", "The number is missing."
	case len(s) > 40:
		return "", "The number is too long."
	case isScientific(s):
		return "", "The spreadsheet program has shortened the number and lost its last digits: format the column as text, and enter the number again."
	}
	if cut, ok := strings.CutSuffix(s, ".0"); ok && len(cut) > 6 && !strings.ContainsFunc(cut, notDigit) {
		s = cut // programs that take numbers for fractions write 14155550123.0
	}
	for i, r := range s {
		if (r == 'x' || r == 'X' || r == 'e' || r == 'E' || r == ';' || r == '#') && i > 6 {
			return "", "The number has an extension, which can not be dialled: leave it out."
		}
		if notDigit(r) && !strings.ContainsRune(" .-()/+\u00a0\u202f\u2009\u2010\u2011\u2012\u2013", r) || r == '+' && i > 1 {
			return "", fmt.Sprintf("This is not a phone number: %q does not belong in one.", r)
		}
	}
	if region == "" && !strings.HasPrefix(s, "+") && !strings.HasPrefix(s, "(+") {
		return "", "The number has no country code: write it with +, for example +14155550148."
	}
	parsed, err := phonenumbers.Parse(s, region)
	if err != nil {
		return "", "This is not a phone number: use + and the country code, for example +14155550148."
	}
	switch phonenumbers.IsPossibleNumberWithReason(parsed) {
	case phonenumbers.IS_POSSIBLE:
	case phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return "", "The number lacks its area code."
	case phonenumbers.TOO_SHORT:
		return "", "The number is too short."
	case phonenumbers.TOO_LONG:
		return "", "The number is too long."
	case phonenumbers.INVALID_COUNTRY_CODE:
		return "", "The number has no country code that is in use."
	case phonenumbers.INVALID_LENGTH:
		return "", "The number has too many or too few digits for its country."
	}
	if phonenumbers.GetNumberType(parsed) == phonenumbers.PREMIUM_RATE {
		return "", "The number is a premium-rate number, which is not called."
	}
	if e164, err = talkstack.ParseE164(phonenumbers.Format(parsed, phonenumbers.E164)); err != nil {
		return "", "The number is too short."
	}
	return e164, ""
}

// KnownRegion reports whether a region's numbering plan is known. Regions are ISO 3166-1 alpha-2 codes in capitals.
func KnownRegion(region string) bool { return phonenumbers.GetSupportedRegions()[region] }

// isScientific reports whether s is written with an exponent, such as 4.15555E+10 or 4,15555E+10.
func isScientific(s string) bool {
	at := strings.IndexAny(s, "eE")
	if at < 0 {
		return false
	}
	mantissa, exponent := strings.Trim(s[:at], "0123456789+-"), strings.TrimLeft(s[at+1:], "+-")
	return (mantissa == "" && at > 0 || mantissa == "." || mantissa == ",") && exponent != "" && !strings.ContainsFunc(exponent, notDigit)
}

func notDigit(r rune) bool { return r < '0' || r > '9' }

// visible drops the marks of writing direction that numbers copied from address books carry.
func visible(r rune) rune {
	if unicode.Is(unicode.Cf, r) {
		return -1
	}
	return r
}
