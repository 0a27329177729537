package rules

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"slices"
	"strings"

	"github.com/google/uuid"
	// Google's own table of the world's numbers, by its maintained port. Reading it takes 7 ms of the start.
	"github.com/nyaruka/phonenumbers"

	"switchyard/engine"
)

// identityFunctions are on what tells people apart: ids, mail addresses, phone numbers, digests.
var identityFunctions = []*function{
	define("e164", e164, new(func(any) string), new(func(any, string) string)).checked(checkCountry, 1).costs(18).paced(1),
	define("isEmail", isEmail, new(func(string) bool)).costs(6).paced(32),
	define("sha256", digest("sha256", func(text []byte) []byte { sum := sha256.Sum256(text); return sum[:] }), new(func(any) string)).paced(64),
	define("md5", digest("md5", func(text []byte) []byte { sum := md5.Sum(text); return sum[:] }), new(func(any) string)).paced(64),
	define("uuid5", uuid5, new(func(string, any) string)).checked(checkNamespace, 0),
	define("inline", inline, new(func(any) []any)).going(sorting).makingDeep(),
}

func checkCountry(country string) error {
	if phonenumbers.GetSupportedRegions()[country] {
		return nil
	}
	return fmt.Errorf("no country is called %q; they have codes such as DE", shortened(country))
}

// maxPhone is more than any phone number has, however it is written, in bytes.
const maxPhone = 100

// e164 is a phone number as the world dials it, such as +493012345678; a number without a country's code is of the
// country given. It is nil for what can not be a phone number there.
func e164(args ...any) (any, error) {
	if args[0] == nil {
		return nil, nil
	}
	text, err := wordOf("e164", args[0])
	if err != nil {
		return nil, err
	}
	country, err := textArgument("e164", "the code of a country", args, 1, phonenumbers.UNKNOWN_REGION)
	if err == nil && len(args) > 1 {
		err = checkCountry(country)
	}
	if err != nil {
		return nil, err
	}
	if len(text) > maxPhone {
		return nil, nil
	}
	number, err := phonenumbers.Parse(text, country)
	if err != nil || !phonenumbers.IsValidNumber(number) {
		return nil, nil
	}
	return phonenumbers.Format(number, phonenumbers.E164), nil
}

// isEmail is false for nil, too.
func isEmail(args ...any) (any, error) {
	if args[0] == nil {
		return false, nil
	}
	text, ok := args[0].(string)
	if !ok {
		return nil, needs("isEmail", "a string", args[0])
	}
	return isAddress(text), nil
}

// isAddress reports whether a text is one bare mail address at a host with a domain, within the lengths of RFC 5321.
func isAddress(text string) bool {
	const most, mostLocal = 254, 64
	if len(text) > most {
		return false
	}
	address, err := mail.ParseAddress(text)
	if err != nil || address.Name != "" || address.Address != text {
		return false
	}
	at := strings.LastIndexByte(text, '@')
	return at <= mostLocal && isDomain(text[at+1:])
}

func isDomain(host string) bool {
	const mostLabel = 63
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > mostLabel || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsAny(label, `!#$%&'*+/=?^_{|}~[]:`+"`") {
			return false
		}
	}
	return len(labels) > 1
}

// digest is in lower-case hexadecimal.
func digest(name string, sum func(text []byte) []byte) func(args ...any) (any, error) {
	return func(args ...any) (any, error) {
		if args[0] == nil {
			return nil, nil
		}
		text, err := wordOf(name, args[0])
		if err != nil {
			return nil, err
		}
		return hex.EncodeToString(sum([]byte(text))), nil
	}
}

var namespaces = map[string]uuid.UUID{"dns": uuid.NameSpaceDNS, "url": uuid.NameSpaceURL, "oid": uuid.NameSpaceOID, "x500": uuid.NameSpaceX500}

func namespaceOf(text string) (uuid.UUID, error) {
	if known, ok := namespaces[text]; ok {
		return known, nil
	}
	namespace, err := uuid.Parse(text)
	if err != nil || len(text) != 36 {
		return namespace, fmt.Errorf("a namespace is a UUID, or %s, not %q", strings.Join(slices.Sorted(maps.Keys(namespaces)), ", "), shortened(text))
	}
	return namespace, nil
}

func checkNamespace(text string) error {
	_, err := namespaceOf(text)
	return err
}

// uuid5 is the UUID of a name in a namespace, the same at any time and anywhere (version 5 of RFC 9562).
func uuid5(args ...any) (any, error) {
	if args[0] == nil || args[1] == nil {
		return nil, nil
	}
	text, err := textArgument("uuid5", "a namespace", args, 0, "")
	if err != nil {
		return nil, err
	}
	namespace, err := namespaceOf(text)
	if err != nil {
		return nil, fmt.Errorf("uuid5: %w", err)
	}
	name, err := wordOf("uuid5", args[1])
	if err != nil {
		return nil, err
	}
	return uuid.NewSHA1(namespace, []byte(name)).String(), nil
}

// recipientIDs are the members of a recipient that can be its id, the first that is there. Only email stays what it is.
var recipientIDs = []string{"id", "user_id", "userId", "email"}

// inline makes recipients that are identified before they are notified, of ids, mail addresses and objects, one or a
// list of them. Missing ones are left out, and repeats; of these an object counts for more than an id.
func inline(args ...any) (any, error) {
	list, isList := asList(args[0])
	if !isList {
		list = []any{args[0]}
	}
	recipients, at := []any{}, map[[2]string]int{}
	for i, item := range list {
		if isNil(item) || item == "" {
			continue
		}
		recipient, err := inlined(item)
		if err != nil {
			return nil, fmt.Errorf("inline: recipient %d: %w", i, err)
		}
		collection, _ := recipient["collection"].(string)
		key := [2]string{collection, recipient["id"].(string)}
		_, isObject := item.(map[string]any)
		before, seen := at[key]
		switch {
		case !seen:
			at[key] = len(recipients)
			recipients = append(recipients, recipient)
		case isObject && len(recipient) > len(recipients[before].(map[string]any)):
			recipients[before] = recipient
		}
	}
	return recipients, nil
}

func inlined(item any) (map[string]any, error) {
	object, ok := item.(map[string]any)
	if !ok {
		id, err := wordOf("a recipient", item)
		if err != nil {
			return nil, errors.New("it must be a string, a number or an object, not " + typeName(item))
		}
		if isAddress(id) {
			return map[string]any{"id": id, "email": id}, nil
		}
		return map[string]any{"id": id}, nil
	}
	for _, name := range recipientIDs {
		id, ok := engine.Text(object[name])
		if !ok || id == "" {
			continue
		}
		recipient := maps.Clone(object)
		if name != "email" {
			delete(recipient, name)
		}
		recipient["id"] = id
		return recipient, nil
	}
	return nil, errors.New("an object needs an id, user_id, userId or email")
}
