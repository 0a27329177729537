package rules

import (
	"testing"
)

func TestIdentityFunctions(t *testing.T) {
	evaluations{
		{`e164("030 1234567", "DE")`, "+49301234567"}, {`e164("+1 (415) 555-2671 ext. 5")`, "+14155552671"}, {`e164("(415) 555-2671", "US")`, "+14155552671"}, {`e164("٠٣٠١٢٣٤٥٦٧", "DE")`, "+49301234567"},
		{`e164("030 1234567")`, nil}, {`e164("12", "DE")`, nil}, {`e164("hello", "DE")`, nil}, {`e164("", "DE")`, nil}, {`e164(data.a, "DE")`, nil}, {`e164(repeat("1", 1000), "DE")`, nil}, {`e164(301234567, "DE")`, "+49301234567"},
		{`e164(true, "DE")`, wrong("1:9: e164 needs a string, not a boolean")}, {`e164("1", "Germany")`, wrong(`1:19: no country is called "Germany"; they have codes such as DE`)},
		{`e164("1", data.plan)`, wrong(`1:9: no country is called "pro"; they have codes such as DE`)},
		{`isEmail("sam@example.com")`, true}, {`isEmail("s+a.m@mail.example.co.uk")`, true}, {`isEmail("sam@bücher.example")`, true}, {`isEmail("Sam <sam@example.com>")`, false}, {`isEmail("sam@localhost")`, false},
		{`isEmail(" sam@example.com")`, false}, {`isEmail("sam@example.com, a@b.de")`, false}, {`isEmail("sam@-a.de")`, false}, {`isEmail("sam@[127.0.0.1]")`, false}, {`isEmail("@a.de")`, false}, {`isEmail("a.@b.de")`, false},
		{`isEmail(repeat("a", 65) + "@example.com")`, false}, {`isEmail(repeat("a", 100000))`, false}, {`isEmail("")`, false}, {`isEmail(data.a)`, false}, {`!isEmail(data.a)`, true}, {`isEmail(data.n)`, wrong("1:9: isEmail needs a string, not a number")},
		{`sha256("a")`, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"}, {`md5("")`, "d41d8cd98f00b204e9800998ecf8427e"}, {`md5(data.id) == md5("9007199254740993")`, true}, {`sha256(data.a)`, nil},
		{`sha256(data.tags)`, wrong("1:9: sha256 needs a string, not a list")},
		{`uuid5("dns", "example.com")`, "cfbff0d1-9375-5685-968c-48ce8b15ae17"}, {`uuid5("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "example.com")`, "cfbff0d1-9375-5685-968c-48ce8b15ae17"}, {`uuid5("url", data.a)`, nil},
		{`uuid5("x", "a")`, wrong(`1:15: a namespace is a UUID, or dns, oid, url, x500, not "x"`)}, {`uuid5(data.plan, "a")`, wrong(`1:9: uuid5: a namespace is a UUID, or dns, oid, url, x500, not "pro"`)},
	}.run(t)
}

func TestInline(t *testing.T) {
	type object = map[string]any
	evaluations{
		{`inline("sam")`, []any{object{"id": "sam"}}}, {`inline("sam@example.com")`, []any{object{"id": "sam@example.com", "email": "sam@example.com"}}}, {`inline(7)`, []any{object{"id": "7"}}},
		{`inline(data.id)`, []any{object{"id": "9007199254740993"}}}, {`inline(nil)`, []any{}}, {`inline(data.missing)`, []any{}}, {`inline([nil, "", "a"])`, []any{object{"id": "a"}}}, {`inline(data.tags)`, []any{object{"id": "a"}, object{"id": "b"}}},
		{`inline({"id": 5, "name": "S"})`, []any{object{"id": "5", "name": "S"}}}, {`inline({"user_id": "u", "name": "S"})`, []any{object{"id": "u", "name": "S"}}}, {`inline({"userId": "u"})`, []any{object{"id": "u"}}},
		{`inline({"id": "", "email": "s@a.de"})`, []any{object{"id": "s@a.de", "email": "s@a.de"}}}, {`inline({"id": "i", "userId": "u"})`, []any{object{"id": "i", "userId": "u"}}},
		{`inline(["u", {"id": "u", "name": "S"}, "u", {"id": "u"}])`, []any{object{"id": "u", "name": "S"}}}, {`inline([{"id": "p", "collection": "projects"}, "p"])`, []any{object{"id": "p", "collection": "projects"}, object{"id": "p"}}},
		{`inline(split("a,b", ","))`, []any{object{"id": "a"}, object{"id": "b"}}}, {`inline([{"name": "S"}])`, wrong("1:9: inline: recipient 0: an object needs an id, user_id, userId or email")},
		{`inline(["a", true])`, wrong("1:9: inline: recipient 1: it must be a string, a number or an object, not a boolean")},
	}.run(t)
}
