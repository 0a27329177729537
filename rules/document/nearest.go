package document

import (
	"strings"
	"unicode/utf8"
)

// Nearest finds the known name that was probably meant; ok is false when none is near. Case, hyphens and underscores
// hardly count; a third of the letters may differ, or one name may begin with the other.
func Nearest(name string, known []string) (nearest string, ok bool) {
	best := -1
	for _, candidate := range known {
		distance, near := nearness(name, candidate)
		if near && (best < 0 || distance < best) {
			nearest, best = candidate, distance
		}
	}
	return nearest, best >= 0
}

// maxName bounds the work on names that nobody would write.
const maxName = 64

func nearness(name, candidate string) (distance int, near bool) {
	if len(name) > maxName || len(candidate) > maxName || name == "" || candidate == "" {
		return 0, false
	}
	a, b := fold(name), fold(candidate)
	longer := max(utf8.RuneCountInString(a), utf8.RuneCountInString(b))
	distance = 2 * editDistance([]rune(a), []rune(b))
	if name != candidate {
		distance++
	}
	begins := min(len(a), len(b)) >= 3 && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a))
	return distance, begins || distance/2 <= max(1, longer/3) && distance/2 < longer
}

var separators = strings.NewReplacer("_", "", "-", "", " ", "")

func fold(name string) string { return strings.ToLower(separators.Replace(name)) }

// editDistance counts the letters to insert, delete, replace or swap with the next.
func editDistance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// suggestion is "; did you mean …?", or "" when no known name is near.
func suggestion(name string, known []string) string {
	if nearest, ok := Nearest(name, known); ok {
		return `; did you mean "` + nearest + `"?`
	}
	return ""
}
