package document

import "testing"

func TestTypo(t *testing.T) {
	for _, test := range []struct {
		name, known string
		want        bool
	}{
		{"totl", "total", true}, {"userId", "user_id", true}, {"Plan", "plan", true}, {"pan", "plan", true}, {"emial", "email", true},
		{"recipeints", "recipients", true}, {"recpeints", "recipients", true}, {"plan", "plan", false}, {"plan", "plan_id", false},
		{"address1", "address2", false}, {"address", "address2", false}, {"id", "i", false}, {"a", "b", false}, {"", "a", false},
		{"coupon", "total", false}, {"name", "nome", true},
	} {
		if got := Typo(test.name, test.known); got != test.want {
			t.Errorf("%q for %q: %t", test.name, test.known, got)
		}
	}
}
