package rules

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// webFunctions are on addresses of the web.
var webFunctions = []*function{
	define("urlParse", onText("urlParse", 1, urlParse), new(func(string) map[string]any)).costs(4).paced(8),
	define("urlEncode", onText("urlEncode", 1, urlEncode), new(ofText)).paced(32),
	define("urlDecode", onText("urlDecode", 1, urlDecode), new(ofText)).paced(32),
}

const maxURL = 64 << 10

// urlParse is an address in its parts: scheme, host (with the port), hostname, port, path, query and fragment. Of a
// parameter that is there twice it is the first. It is nil for what is no address. A password is never among the parts.
func urlParse(args ...any) (any, error) {
	text := args[0].(string)
	if len(text) > maxURL {
		return nil, errTooLarge
	}
	address, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return nil, nil
	}
	query := map[string]any{}
	for name, values := range address.Query() {
		query[strings.ToValidUTF8(name, "�")] = strings.ToValidUTF8(values[0], "�")
	}
	parts := map[string]any{"query": query}
	for name, part := range map[string]string{
		"scheme": address.Scheme, "host": address.Host, "hostname": address.Hostname(), "port": address.Port(),
		"path": address.Path, "fragment": address.Fragment,
	} {
		parts[name] = strings.ToValidUTF8(part, "�")
	}
	return parts, nil
}

// urlEncode writes a text as a part of a path or a query can hold it.
func urlEncode(args ...any) (any, error) {
	return strings.ReplaceAll(url.QueryEscape(args[0].(string)), "+", "%20"), nil
}

// urlDecode is nil for what is not encoded so.
func urlDecode(args ...any) (any, error) {
	text, err := url.QueryUnescape(args[0].(string))
	if err != nil || !utf8.ValidString(text) {
		return nil, nil
	}
	return text, nil
}
