package census

import (
	"strings"
	"testing"
)

func TestTidy(t *testing.T) {
	for body, want := range map[string]string{
		`{"a":1,}`:                `{"a":1}`,
		`[1,2, ]`:                 `[1,2 ]`,
		"{\"a\":[1,\n],\n}":       "{\"a\":[1\n]\n}",
		`{"a":"x,]","b":"\",}",}`: `{"a":"x,]","b":"\",}"}`,
		`{"a":"ends with \\",}`:   `{"a":"ends with \\"}`,
		`{"a":1}`:                 `{"a":1}`, // sound: as it is
		`[1,,]`:                   `[1,]`,    // one comma is forgiven, not two
		`{"open":"string,}`:       `{"open":"string,}`,
		`not JSON at all`:         `not JSON at all`,
		``:                        ``,
		`{"a":"b\`:                `{"a":"b\`,
		`{,}`:                     `{}`,
	} {
		if got := string(Tidy([]byte(body))); got != want {
			t.Errorf("%s becomes %s, want %s", body, got, want)
		}
	}
}

// A run of commas, each with white space behind it, is gone through once.
func TestTidyIsLinear(t *testing.T) {
	body := []byte("[" + strings.Repeat(",", 1<<20) + strings.Repeat(" ", 1<<20) + "]")
	if got := Tidy(body); len(got) != len(body)-1 {
		t.Errorf("%d bytes of %d", len(got), len(body))
	}
}
