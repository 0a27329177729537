package masking

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// invent gives every datum its fake: the first of its kind that is not taken, and that is none of the data itself.
func (m *Masking) invent() {
	taken := map[string]bool{}
	next := map[string]int{}
	for _, p := range m.data {
		for _, of := m.prefixed(p); of == nil; {
			next[p.Kind]++
			if p.Fake = fakes[p.Kind](p.Text, next[p.Kind]); p.Kind == isPosition || !taken[p.Fake] && !m.hasDatum(p.Kind, p.Fake) || next[p.Kind] > len(m.data)+maxFakes {
				break
			}
		}
		taken[p.Fake] = true
	}
	for _, p := range m.data {
		if prefix, of := m.prefixed(p); of != nil {
			p.Fake = prefix + of.Fake
		}
	}
}

// prefixed takes an id apart that looks like a mail address, and is another one with a word before it, such as
// welcome-sam@example.com.
func (m *Masking) prefixed(p *Personal) (prefix string, of *Personal) {
	if p.Kind != isMail || slices.ContainsFunc(p.Paths, isMailMember) {
		return "", nil
	}
	for _, other := range m.data {
		at := len(p.Text) - len(other.Text)
		if other.Kind == isMail && at > 1 && strings.IndexByte("-_", p.Text[at-1]) >= 0 && datumKey(p.Text[at:]) == datumKey(other.Text) {
			return p.Text[:at], other
		}
	}
	return "", nil
}

// maxFakes is how many are tried beyond those that other data can take.
const maxFakes = 1000

// hasDatum reports that a text is one of the data, or for a mail address that one is a part of it.
func (m *Masking) hasDatum(kind, text string) bool {
	if m.byText[datumKey(text)] != nil {
		return true
	}
	for _, p := range m.data {
		if kind == isMail && p.Kind == isMail && strings.Contains(text, mailEnd.FindString(datumKey(p.Text))) || kind == isName && strings.EqualFold(text, p.Text) {
			return true
		}
	}
	return false
}

// fakes make the n-th fake of a kind, n from 1, in the shape of a text.
var fakes = map[string]func(text string, n int) string{
	isMail:     fakeMail,
	isPhone:    fakePhone,
	isName:     fakeName,
	isStreet:   func(_ string, n int) string { return fmt.Sprintf("%d Example Street", n) },
	isCity:     func(_ string, n int) string { return numbered("Exampleton", n) },
	isPostcode: shaped,
	isBirthday: fakeBirthday,
	isPosition: func(string, int) string { return "0" },
	isIP:       fakeIP,
	isAgent:    func(_ string, n int) string { return fmt.Sprintf("Mozilla/5.0 (compatible; Example/%d.0)", n) },
	isCard:     fakeCard,
	isSecret:   fakeSecret,
}

// numbered adds a number to all but the first.
func numbered(text string, n int) string {
	if n == 1 {
		return text
	}
	return text + strconv.Itoa(n)
}

// fakeMail is at a domain that is nobody's (RFC 2606); after a while it is of a form that nobody has.
func fakeMail(_ string, n int) string {
	if n > maxFakes {
		return fmt.Sprintf("person-%d-masked@masked-%d.example", n, n)
	}
	return fmt.Sprintf("person%d@example.com", n)
}

// people are names that could be anybody's.
var people = strings.Fields("Alex Blake Casey Drew Ellis Frankie Gray Harper Indigo Jamie Kit Lane Morgan Nico Oakley Parker Quinn Reese Sage Taylor")

// fakeName keeps a name in lower case or in capitals.
func fakeName(text string, n int) string {
	name := people[(n-1)%len(people)]
	name = numbered(name, 1+(n-1)/len(people))
	switch text {
	case strings.ToLower(text):
		return strings.ToLower(name)
	case strings.ToUpper(text):
		if len(text) > 1 {
			return strings.ToUpper(name)
		}
	}
	return name
}

// fictionalAreas are area codes of North America, each of which has a hundred numbers for fiction: 555-0100 to 555-0199.
var fictionalAreas = strings.Fields("202 212 213 303 305 312 404 415 503 512 602 617 702 713 808 907")

// fakePhone is a number for fiction where the original is valid anywhere in the world, or has as many digits as such a
// number; else the last digits are others.
func fakePhone(text string, n int) string {
	fictional := fmt.Sprintf("%s55501%02d", fictionalAreas[(n-1)/100%len(fictionalAreas)], (n-1)%100)
	digits := digitsIn(text)
	international := strings.HasPrefix(strings.TrimSpace(text), "+")
	switch {
	case international && digits == len(strings.TrimSpace(text))-1:
		return "+1" + fictional
	case international:
		return "+1 " + fictional[:3] + "-" + fictional[3:6] + "-" + fictional[6:]
	case digits == 11 && text[0] == '1':
		return layDigits(text, "1"+fictional)
	case digits > 10 && digits == len(text):
		return "1" + fictional
	case digits == 10 && !strings.HasPrefix(text, "0"):
		return layDigits(text, fictional)
	}
	const most = 6
	last := fmt.Sprintf("55%04d", 100+n)
	return layLastDigits(text, last[len(last)-min(most, digits):])
}

// layDigits puts digits in the place of those of a text.
func layDigits(text, digits string) string {
	i := 0
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' || i == len(digits) {
			return r
		}
		i++
		return rune(digits[i-1])
	}, text)
}

// layLastDigits puts digits in the place of the last ones of a text.
func layLastDigits(text, digits string) string {
	skip, i := digitsIn(text)-len(digits), 0
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return r
		}
		if i++; i <= skip {
			return r
		}
		return rune(digits[i-1-max(skip, 0)])
	}, text)
}

var digit = regexp.MustCompile(`[0-9]`)

// fakeBirthday is the n-th day since 1990 in the form of a date, as far as this is a known one, and of its time.
func fakeBirthday(text string, n int) string {
	day := fmt.Sprintf("1990-%02d-%02d", 1+(n-1)/28%12, 1+(n-1)%28)
	switch {
	case isoDate.MatchString(text):
		return day + digit.ReplaceAllString(text[len(day):], "0")
	case numberForm.MatchString(text):
		return strconv.Itoa(631152000 + (n-1)*24*60*60)
	case yearLast.MatchString(text):
		return layDigits(text, fmt.Sprintf("%02d01", 1+(n-1)%12)+"1990")
	}
	return day
}

var (
	isoDate    = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}`)
	yearLast   = regexp.MustCompile(`^[0-9]{2}[./-][0-9]{2}[./-][0-9]{4}$`)
	numberForm = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
)

// fakeIP is an address for documentation (RFC 5737, RFC 3849).
func fakeIP(text string, n int) string {
	address, err := netip.ParseAddr(text)
	if err == nil && address.Is6() && !address.Is4In6() {
		return fmt.Sprintf("2001:db8::%x", n)
	}
	nets := []string{"192.0.2", "198.51.100", "203.0.113"}
	return fmt.Sprintf("%s.%d", nets[(n-1)/254%len(nets)], 1+(n-1)%254)
}

// fakeCard has the checksum of a card number, and the digits of none.
func fakeCard(text string, n int) string {
	count := digitsIn(text)
	if count < 13 || count > 19 {
		return shaped(text, n)
	}
	body := fmt.Sprintf("4%0*d", count-2, n)
	check := (10 - luhn(body+"0")) % 10
	return layDigits(text, body+strconv.Itoa(check))
}

func fakeSecret(text string, n int) string {
	if numberForm.MatchString(text) {
		return shaped(text, n)
	}
	return fmt.Sprintf("masked-secret-%d", n)
}

// shaped has digits for digits and letters for letters; a number stays one, and does not begin with 0.
func shaped(text string, n int) string {
	count := digitsIn(text)
	digits := fmt.Sprintf("%0*d", count, n)
	if digits = digits[len(digits)-count:]; count > 1 && digits[0] == '0' {
		digits = "1" + digits[1:]
	}
	if numberForm.MatchString(text) {
		return layDigits(text, digits)
	}
	return layDigits(strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return 'a'
		case 'A' <= r && r <= 'Z':
			return 'A'
		}
		return r
	}, text), digits)
}
