package talkstack

import "strings"

// ParseE164 reads a number in E.164 form: "+", then 7 to 15 digits that do not start with 0 (ITU-T E.164 section 6).
// Spaces, dots, hyphens and parentheses between digits are dropped.
func ParseE164(s string) (string, error) {
	var b strings.Builder
	for i, r := range strings.TrimSpace(s) {
		switch {
		case r == '+' && i == 0, r >= '0' && r <= '9':
			b.WriteRune(r)
		case strings.ContainsRune(" .-()\u00a0", r) && i > 0:
		default:
			return "", errNumber(s)
		}
	}
	n := b.String()
	if len(n) < 8 || len(n) > 16 || n[0] != '+' || n[1] == '0' {
		return "", errNumber(s)
	}
	return n, nil
}

func errNumber(s string) error {
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	return Errorf(CodeInvalid, "%q is not a phone number in E.164 form: use + and the country code, for example +14155550148.", s)
}

// MaskNumber hides the middle of a number, for logs: "+1415•••48".
func MaskNumber(n string) string {
	if len(n) < 8 {
		return "•••"
	}
	return n[:5] + "•••" + n[len(n)-2:]
}
