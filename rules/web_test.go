package rules

import (
	"testing"
)

func TestWebFunctions(t *testing.T) {
	type object = map[string]any
	evaluations{
		{`urlParse("https://u:secret@Example.com:8080/a%20b?x=1&x=2&y=#z")`, object{"scheme": "https", "host": "Example.com:8080", "hostname": "Example.com", "port": "8080", "path": "/a b", "query": object{"x": "1", "y": ""}, "fragment": "z"}},
		{`urlParse("https://a.de/?utm_source=x").query.utm_source`, "x"}, {`urlParse("http://a b/").host`, nil}, {`urlParse(data.a).query.x`, nil}, {`urlParse("http://a/?x=%ff").query.x`, "�"}, {`urlParse(5)`, wrong("1:9: urlParse needs a string, not a number")},
		{`urlParse(repeat("a", 100000))`, wrong("1:9: the value is too large")},
		{`urlEncode("a b/é&+")`, "a%20b%2F%C3%A9%26%2B"}, {`urlDecode(urlEncode("a b/é&+"))`, "a b/é&+"}, {`urlDecode("a+b")`, "a b"}, {`urlDecode("%zz")`, nil}, {`urlDecode("%ff")`, nil}, {`urlEncode(data.a)`, nil},
	}.run(t)
}
