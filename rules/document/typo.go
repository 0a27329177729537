package document

import (
	"strings"
	"unicode/utf8"
)

// Typo reports that one name is hardly anything but the other, misspelt: they differ in case, hyphens and underscores
// only, or in one letter, or two of a long name. Names that differ in their digits only are two.
func Typo(name, known string) bool {
	if name == known || len(name) > maxName || len(known) > maxName {
		return false
	}
	a, b := fold(name), fold(known)
	if a == b {
		return true
	}
	if withoutDigits(a) == withoutDigits(b) {
		return false
	}
	shorter := min(utf8.RuneCountInString(a), utf8.RuneCountInString(b))
	distance := editDistance([]rune(a), []rune(b))
	return distance <= 1 && shorter >= 3 || distance <= 2 && shorter >= 8
}

func withoutDigits(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, name)
}
