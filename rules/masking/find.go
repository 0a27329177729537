package masking

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"

	"switchyard/engine"
)

// The names of members that hold personal data, as plainName writes them.
var (
	nameKeys     = keySet("name fullname firstname lastname givenname familyname middlename surname displayname nickname username login realname contactname")
	nameParts    = keySet("first last given family middle") // of an object that is a name
	phoneKeys    = keySet("phone phonenumber mobile mobilephone mobilenumber tel telephone cell cellphone fax msisdn whatsapp")
	streetKeys   = keySet("address address1 address2 addressline1 addressline2 line1 line2 street streetaddress streetname housenumber formattedaddress fulladdress")
	cityKeys     = keySet("city town village suburb")
	postcodeKeys = keySet("zip zipcode postalcode postcode postal plz")
	birthdayKeys = keySet("birthday birthdate birth dateofbirth dob")
	positionKeys = keySet("latitude longitude lat lng lon")
	ipKeys       = keySet("ip ipaddress clientip remoteip userip")
	agentKeys    = keySet("useragent")
	mailKeys     = keySet("email emailaddress mail mailaddress")
	cardKeys     = keySet("card cardnumber creditcard creditcardnumber pan")
	secretKeys   = keySet("pin otp ssn iban cvv cvc taxid passport passportnumber accountnumber nationalid sessionid signature idfa idfv gaid advertisingid jwt bearer cookie")
	secretParts  = []string{"token", "secret", "password", "passwd", "apikey", "accesskey", "privatekey", "writekey", "authorization", "credential"}
	versionParts = []string{"version", "build", "release"}
)

// things are what has a name and is no person, as the members that hold it are called.
var things = keySet("app os library network campaign page screen product products item items plan plans company companies organization organisation org account workspace team group project event events file browser timezone location feature features integration category brand store shop course template workflow rule source environment tenant metadata object sync invoice order subscription experiment variant")

// ofProducts are members that things to buy have beside their names.
var ofProducts = keySet("sku price productid quantity brand variant")

func keySet(names string) map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Fields(names) {
		set[name] = true
	}
	return set
}

// plainKeyName is the name of a member in lower-case letters and digits.
func plainKeyName(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// literals are members of a message or of an expectation that say what it is, and not who.
var literalMembers = keySet("type event rule trigger workflow skipped category channel version object operation")

// settings are no personal data, and may look like some.
var settings = keySet("timezone tz zone locale language lang country countrycode currency")

// key is the name of the member, and parent that of the object or list which has it; "" for none.
func (s spot) key() string    { return s.above(1) }
func (s spot) parent() string { return s.above(2) }

func (s spot) above(levels int) string {
	if len(s.path) < levels {
		return ""
	}
	return plainKeyName(s.path[len(s.path)-levels])
}

// isLiteral reports one of them, or the name of a page.
func (s spot) isLiteral() bool {
	if settings[s.key()] {
		return true
	}
	if len(s.path) != 1 {
		return false
	}
	return literalMembers[s.path[0]] || s.path[0] == "name" && (s.messageType() == engine.TypePage || s.messageType() == engine.TypeScreen)
}

func (s spot) messageType() string {
	message, _ := s.value.(map[string]any)
	kind, _ := message["type"].(string)
	return kind
}

// kind is what a text, or the literal of a number, is as a whole; "" for no personal datum.
func (s spot) kind(text string) string {
	if mailText.MatchString(text) {
		return isMail
	}
	if text == "" || len(s.path) == 0 || s.isMember || s.isLiteral() {
		return ""
	}
	key := s.key()
	if s.isNumber {
		return kindOfNumber(key, text)
	}
	switch {
	case mailKeys[key]:
		return isMail
	case secretKeys[key] || containsAny(key, secretParts):
		return isSecret
	case phoneKeys[key] && digitsIn(text) >= 5 || isE164(text):
		return isPhone
	case isAddressOfHost(text) && !s.isVersion() || ipKeys[key]:
		return isIP
	case agentKeys[key]:
		return isAgent
	case birthdayKeys[key]:
		return isBirthday
	case nameKeys[key] && s.ofPerson() || nameParts[key] && nameKeys[s.parent()]:
		return isName
	case isCardNumber(text):
		return isCard
	case streetKeys[key]:
		return isStreet
	case cityKeys[key]:
		return isCity
	case postcodeKeys[key]:
		return isPostcode
	case positionKeys[key]:
		return isPosition
	}
	return ""
}

// isVersion reports a member that has the number of a version, which can look like an IP address.
func (s spot) isVersion() bool {
	return containsAny(s.key(), versionParts)
}

func kindOfNumber(key, literal string) string {
	switch {
	case phoneKeys[key] && len(literal) >= 7:
		return isPhone
	case birthdayKeys[key]:
		return isBirthday
	case positionKeys[key]:
		return isPosition
	case postcodeKeys[key]:
		return isPostcode
	case cardKeys[key] || isCardNumber(literal):
		return isCard
	case secretKeys[key]:
		return isSecret
	}
	return ""
}

var (
	mailText   = regexp.MustCompile(`^` + mailPattern + `$`)
	plainPhone = regexp.MustCompile(`^\+[0-9]{7,15}$`)
)

// mailPattern finds more than what is an address, and in addresses of the web, too.
const mailPattern = `[\p{L}\p{N}._%+'-]+(?:@|%40)[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]*[\p{L}\p{N}])+`

// mailEnd is the part of a mail address that is one, too.
var mailEnd = regexp.MustCompile(`[\p{L}\p{N}.]*@.*$`)

// inside are the data that are found inside a text, whatever it is about.
var inside = []struct {
	kind    string
	pattern *regexp.Regexp
	is      func(text string) bool
}{
	{isMail, regexp.MustCompile(mailPattern), func(string) bool { return true }},
	{isSecret, regexp.MustCompile(`\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*|\b(?:sk|pk|rk)_(?:live|test)_\w{8,}|\bwhsec_[\w+/=]{8,}|\bgh[pousr]_\w{16,}|\bxox[a-z]-[\w-]{8,}|\bAKIA[A-Z0-9]{12,}`), func(string) bool { return true }},
	{isPhone, regexp.MustCompile(`\+[0-9][0-9 ()./-]{6,20}[0-9]`), isPhoneText},
	{isIP, regexp.MustCompile(`\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b`), isAddressOfHost},
	{isCard, regexp.MustCompile(`\b[3-6][0-9]{3}(?:[ -]?[0-9]{3,6}){2,3}\b`), isCardNumber},
}

// isMailMember reports a member whose name says that it has a mail address.
func isMailMember(path string) bool {
	return mailKeys[plainKeyName(path[strings.LastIndexByte(path, '.')+1:])]
}

// ofPerson reports that what has the name here is a person, as far as the members around it tell.
func (s spot) ofPerson() bool {
	if key := s.key(); key != "name" && key != "displayname" {
		return true
	}
	parent := s.parent()
	switch kind := s.messageType(); {
	case things[parent]:
		return false
	case slices.ContainsFunc(slices.Collect(maps.Keys(s.owner)), func(name string) bool { return ofProducts[plainKeyName(name)] }):
		return false
	case parent == "properties" && (kind == engine.TypePage || kind == engine.TypeScreen):
		return false
	case parent == "traits" && kind == engine.TypeGroup:
		return false
	}
	return true
}

func containsAny(text string, parts []string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
}

func digitsIn(text string) (n int) {
	for _, r := range text {
		if '0' <= r && r <= '9' {
			n++
		}
	}
	return n
}

// isE164 reports a phone number as the world dials it, without anything between its digits.
func isE164(text string) bool { return plainPhone.MatchString(text) && isPhoneText(text) }

// isPhoneText reports a valid phone number that begins with a plus.
func isPhoneText(text string) bool {
	number, err := phonenumbers.Parse(text, phonenumbers.UNKNOWN_REGION)
	return err == nil && phonenumbers.IsValidNumber(number)
}

func isAddressOfHost(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

// isCardNumber reports the number of a payment card: its digits have the checksum of one (ISO/IEC 7812).
func isCardNumber(text string) bool {
	digits := strings.NewReplacer(" ", "", "-", "").Replace(text)
	if len(digits) < 13 || len(digits) > 19 || digits[0] < '3' || digits[0] > '6' || digitsIn(digits) != len(digits) {
		return false
	}
	return luhn(digits) == 0
}

// luhn is the checksum of digits, 0 when it is right.
func luhn(digits string) (sum int) {
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum % 10
}

// isWhole reports that no letter or digit is joined to a part of a text that begins or ends with one.
func isWhole(text string, start, end int) bool {
	joined := func(a, b rune) bool { return isLetterOrDigit(a) && isLetterOrDigit(b) }
	before, _ := utf8.DecodeLastRuneInString(text[:start])
	first, _ := firstRune(text[start:end])
	last, _ := utf8.DecodeLastRuneInString(text[start:end])
	after, _ := firstRune(text[end:])
	return !joined(before, first) && !joined(last, after)
}

func firstRune(text string) (r rune, size int) { return utf8.DecodeRuneInString(text) }

func isLetterOrDigit(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
