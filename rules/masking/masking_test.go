package masking

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"switchyard/engine"
)

// maskedText is a JSON document, masked.
func maskedText(t *testing.T, doc string) string {
	t.Helper()
	value, err := engine.DecodeJSON([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return encoded(t, New(value).Mask(value))
}

// encoded is a value as JSON.
func encoded(t *testing.T, value any) string {
	t.Helper()
	var doc bytes.Buffer
	encoder := json.NewEncoder(&doc)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(doc.String())
}

func TestMasking(t *testing.T) {
	for doc, want := range map[string]string{
		`{"email":"Sam@acme.com","id":"sam@acme.com","key":"welcome-sam@acme.com","text":"Write to <SAM@acme.com>, or kim@acme.com."}`: `{"email":"person1@example.com","id":"person1@example.com","key":"welcome-person1@example.com","text":"Write to <person1@example.com>, or person2@example.com."}`,
		`{"url":"https://x.com/u?e=sam%40acme.com&x=1","email":"sam@acme.com"}`:                                                        `{"email":"person1@example.com","url":"https://x.com/u?e=person1%40example.com&x=1"}`,
		`{"sam@acme.com":{"seen":true}}`: `{"person1@example.com":{"seen":true}}`,
		`{"firstName":"Sam","last_name":"O'Neil","name":"Sam O'Neil","text":"Sam is not Samuel","id":"sam-1","loud":"SAM"}`:                                                 `{"firstName":"Alex","id":"alex-1","last_name":"Blake","loud":"ALEX","name":"Alex Blake","text":"Alex is not Samuel"}`,
		`{"type":"page","name":"Home","properties":{"name":"Home","title":"Home"}}`:                                                                                         `{"name":"Home","properties":{"name":"Home","title":"Home"},"type":"page"}`,
		`{"type":"group","traits":{"name":"Acme","owner":{"name":"Sam"}}}`:                                                                                                  `{"traits":{"name":"Acme","owner":{"name":"Alex"}},"type":"group"}`,
		`{"name":{"first":"Sam","last":"Seely"},"city":"Berlin","timezone":"Europe/Berlin","tz":"Sam","properties":{"name":"Shirt","price":5},"pin":"1234","order":"1234"}`: `{"city":"Exampleton","name":{"first":"Alex","last":"Blake"},"order":"1234","pin":"1001","properties":{"name":"Shirt","price":5},"timezone":"Europe/Berlin","tz":"Sam"}`,
		`{"product":{"name":"Shirt"},"context":{"app":{"name":"Shop","version":"1.2.3.4"}}}`:                                                                                `{"context":{"app":{"name":"Shop","version":"1.2.3.4"}},"product":{"name":"Shirt"}}`,
		`{"firstName":"Jo","text":"ask Jo","coupon":"jo"}`:                                                                                                                  `{"coupon":"jo","firstName":"Alex","text":"ask Alex"}`,
		`{"phone":"+49301234567","text":"call +49301234567"}`:                                                                                                               `{"phone":"+12025550100","text":"call +12025550100"}`,
		`{"phone":"+1 (415) 555-2671","mobile":"(415) 555-2672","tel":"030 1234567","fax":4915112345678}`:                                                                   `{"fax":12025550100,"mobile":"(202) 555-0101","phone":"+1 202-555-0102","tel":"030 1550104"}`,
		`{"ip":"8.8.8.8","v6":"2a00:1450::1","log":"from 8.8.8.8:443"}`:                                                                                                     `{"ip":"192.0.2.1","log":"from 192.0.2.1:443","v6":"2001:db8::2"}`,
		`{"address":{"street":"Hauptstr. 5","city":"Berlin","zip":"10115","country":"DE"}}`:                                                                                 `{"address":{"city":"Exampleton","country":"DE","street":"1 Example Street","zip":"10001"}}`,
		`{"zip":10115,"postal_code":"SW1A 1AA"}`:                                                                                                                            `{"postal_code":"AA1A 1AA","zip":10002}`,
		`{"birthday":"1985-05-06","dob":484185600,"birth_date":"06.05.1985"}`:                                                                                               `{"birth_date":"01.01.1990","birthday":"1990-01-02","dob":631324800}`,
		`{"latitude":52.5,"lng":"13.4"}`:                                                                                                                                    `{"latitude":0,"lng":"0"}`,
		`{"userAgent":"Mozilla/5.0 (X11)"}`:                                                                                                                                 `{"userAgent":"Mozilla/5.0 (compatible; Example/1.0)"}`,
		`{"card":"4111 1111 1111 1111","note":"paid with 5500-0000-0000-0004","n":4012888888881881,"order":9007199254740993}`:                                               `{"card":"4000 0000 0000 0010","n":4000000000000028,"note":"paid with 4000-0000-0000-0036","order":9007199254740993}`,
		`{"api_key":"abc","accessToken":"t0","tokens_used":5,"pin":1234,"note":"use sk_live_abcdefgh1234","email_ok":"true"}`:                                               `{"accessToken":"masked-secret-1","api_key":"masked-secret-2","email_ok":"true","note":"use masked-secret-4","pin":1003,"tokens_used":5}`,
		`{"type":"track","event":"Sam","userId":"u-1","anonymousId":"507f191e","properties":{"plan":"pro","user":{"name":"Sam"}}}`:                                          `{"anonymousId":"507f191e","event":"Sam","properties":{"plan":"pro","user":{"name":"Alex"}},"type":"track","userId":"u-1"}`,
		`{"email":"person1@example.com","cc":"2@example.co"}`:                                                                                                               `{"cc":"person3@example.com","email":"person4@example.com"}`,
		`[null,true,5,"x",{"a":[]}]`: `[null,true,5,"x",{"a":[]}]`,
	} {
		if got := maskedText(t, doc); got != want {
			t.Errorf("%s\n is %s\nwant %s", doc, got, want)
		}
	}
}

func TestMaskingKeeps(t *testing.T) {
	value, _ := engine.DecodeJSON([]byte(`{"email":"sam@acme.com","note":"sam@acme.com wrote","people":[{"email":"sam@acme.com"},{"phone":"+49301234567"}]}`))
	m := New(value)
	data := m.Data()
	if len(data) != 2 || data[0].Kind != isMail || !reflect.DeepEqual(data[0].Paths, []string{"email", "people.email", "note"}) && !reflect.DeepEqual(data[0].Paths, []string{"email", "people.email"}) {
		t.Fatalf("%+v", data)
	}
	m.Keep(data[0], true)
	if got := encoded(t, m.Mask(value)); got != `{"email":"sam@acme.com","note":"sam@acme.com wrote","people":[{"email":"sam@acme.com"},{"phone":"+12025550100"}]}` {
		t.Errorf("kept %s", got)
	}
	m.Keep(data[0], false)
	if got := encoded(t, m.Mask(value)); strings.Contains(got, "sam@") {
		t.Errorf("not kept %s", got)
	}
}

// A phone number that is valid stays valid, and each datum has a fake of its own.
func TestFakes(t *testing.T) {
	seen := map[string]bool{}
	for n := 1; n <= 300; n++ {
		phone, card := fakePhone("+49301234567", n), fakeCard("4111111111111111", n)
		if !isE164(phone) || !isCardNumber(card) || seen[phone] || seen[card] {
			t.Errorf("%d: %s %s", n, phone, card)
		}
		seen[phone], seen[card] = true, true
	}
}

// Nothing panics, and no mail address of a document is in what is made of it.
func FuzzMasking(f *testing.F) {
	for _, seed := range []string{
		`{"email":"sam@acme.com","id":"x-sam@acme.com","name":"sam@acme.com kim"}`, `["a@b.co","1@example.co","n1@example.com"]`,
		`{"phone":5,"zip":-1.5e3,"pin":"1","birthday":"","card":"4","ip":"x","name":["","ß","A.B"],"token":0}`, `"%40@a.b.c%40d.e"`,
		`{"fax":"1","tel":"123456","phone":"+123456789012","a@b.cd":1,"A@B.CD":2}`,
	} {
		f.Add([]byte(seed))
	}
	standIn := regexp.MustCompile(`person\d+@example\.com`)
	address := regexp.MustCompile(`[a-zA-Z0-9.]+@[a-zA-Z0-9]+(\.[a-zA-Z0-9]+)+`)
	f.Fuzz(func(t *testing.T, doc []byte) {
		value, err := engine.DecodeJSON(doc)
		if err != nil {
			return
		}
		m := New(value)
		masked, err := json.Marshal(m.Mask(value))
		if err != nil {
			t.Fatal(err)
		}
		again, err := engine.DecodeJSON(masked)
		if err != nil {
			t.Fatalf("%s is no JSON any more: %s", doc, masked)
		}
		texts, left := "", ""
		m.walk(value, spot{value: value}, func(text string, _ spot) { texts += text + "\n" })
		m.walk(again, spot{value: again}, func(text string, _ spot) { left += strings.ToLower(text) + "\n" })
		left = standIn.ReplaceAllString(left, " ") // which may hold a short address by chance
		for _, mail := range address.FindAllString(texts, -1) {
			if strings.Contains(left, strings.ToLower(mail)) {
				t.Fatalf("%s is still in %s, made of %s", mail, masked, doc)
			}
		}
	})
}
