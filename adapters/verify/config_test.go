package verify

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNewFailsClosed(t *testing.T) {
	const secret = "s3cr3t"
	for says, cfg := range map[string]Config{
		`scheme "" is unknown`:              {Secrets: []string{secret}},
		`scheme "Segment" is unknown`:       {Scheme: "Segment", Secrets: []string{secret}},
		"needs secrets":                     {Scheme: Segment},
		"empty secret at position 2":        {Scheme: Bearer, Secrets: []string{secret, ""}},
		"empty secret at position 1":        {Scheme: Bearer, Secrets: []string{" \n"}},
		"needs header":                      {Scheme: HMAC, Secrets: []string{secret}},
		"needs header; set it":              {Scheme: Header, Secrets: []string{secret}},
		"does not take algorithm":           {Scheme: Segment, Algorithm: "sha256", Secrets: []string{secret}},
		"does not take batch_signature":     {Scheme: Bearer, BatchSignature: "first", Secrets: []string{secret}},
		"does not take tolerance":           {Scheme: Header, Header: "X", Tolerance: time.Minute, Secrets: []string{secret}},
		"unknown batch_signature":           {Scheme: Segment, BatchSignature: "all", Secrets: []string{secret}},
		"needs username, or secrets":        {Scheme: Basic, Secrets: []string{secret}},
		"username that contains a colon":    {Scheme: Basic, Username: "a:b", Secrets: []string{secret}},
		"is not whsec_ and base64":          {Scheme: StandardWebhooks, Secrets: []string{"whsec_" + secret + "!"}},
		"position 1 that is not whsec_":     {Scheme: StandardWebhooks, Secrets: []string{"whsec_"}},
		"base64 of 32 bytes":                {Scheme: StandardWebhooks, Secrets: []string{"whpk_AAAA"}},
		"is a private key":                  {Scheme: StandardWebhooks, Secrets: []string{"whsk_AAAA"}},
		"empty password at position 2":      {Scheme: Basic, Secrets: []string{"ann:x", "ann:"}},
		"empty password at position 1":      {Scheme: Basic, Secrets: []string{":"}},
		"header can not carry":              {Scheme: Bearer, Secrets: []string{secret + "\n"}},
		"position 2 that a header can not":  {Scheme: Header, Header: "X", Secrets: []string{"x", " " + secret}},
		"needs parameter":                   {Scheme: Query, Secrets: []string{secret}},
		"not the name of a query parameter": {Scheme: Query, Parameter: "key=", Secrets: []string{secret}},
		"does not take parameter":           {Scheme: Header, Header: "X", Parameter: "key", Secrets: []string{secret}},
		"does not take header":              {Scheme: Census, Header: "X", Secrets: []string{secret}},
		`does not take algorithm "sha512"`:  {Scheme: Jitsu, Algorithm: "sha512", Secrets: []string{secret}},
		"does not take encoding":            {Scheme: Jitsu, Encoding: "base64", Secrets: []string{secret}},
		"jitsu needs a positive tolerance":  {Scheme: Jitsu, Tolerance: -1, Secrets: []string{secret}},
		"scheme jitsu has a secret at position 1 that is not an Ed25519 public key": {Scheme: Jitsu, Algorithm: "ed25519", Secrets: []string{secret}},
		"use ed25519, sha1, sha256 or sha512":                                       {Scheme: HMAC, Header: "X", Algorithm: "SHA256", Secrets: []string{secret}},
		"unknown algorithm":                                                         {Scheme: HMAC, Header: "X", Algorithm: "md5", Secrets: []string{secret}},
		"unknown encoding":                                                          {Scheme: HMAC, Header: "X", Encoding: "base32", Secrets: []string{secret}},
		"unknown timestamp_format":                                                  {Scheme: HMAC, Header: "X", TimestampFormat: "ns", Secrets: []string{secret}},
		"must sign {body}":                                                          {Scheme: HMAC, Header: "X", Signed: "{ts}", TimestampHeader: "T", Secrets: []string{secret}},
		"its places are":                                                            {Scheme: HMAC, Header: "X", Signed: "{url}.{body}", Secrets: []string{secret}},
		`has signed "{body"`:                                                        {Scheme: HMAC, Header: "X", Signed: "{body", Secrets: []string{secret}},
		"with {body} twice":                                                         {Scheme: HMAC, Header: "X", Signed: "{body}{body}", Secrets: []string{secret}},
		"needs timestamp_header":                                                    {Scheme: HMAC, Header: "X", Signed: "{ts}.{body}", Secrets: []string{secret}},
		"needs id_header":                                                           {Scheme: HMAC, Header: "X", Signed: "{id}.{body}", Secrets: []string{secret}},
		"does not sign {ts}":                                                        {Scheme: HMAC, Header: "X", TimestampHeader: "T", Secrets: []string{secret}},
		"does not sign {ts}; add it":                                                {Scheme: HMAC, Header: "X", Tolerance: time.Minute, Secrets: []string{secret}},
		"does not sign {id}":                                                        {Scheme: HMAC, Header: "X", IDHeader: "I", Secrets: []string{secret}},
		"positive tolerance":                                                        {Scheme: StandardWebhooks, Tolerance: -1, Secrets: []string{"whsec_AAAA"}},
		"not the name of a header":                                                  {Scheme: HMAC, Header: "X Signature", Secrets: []string{secret}},
		`header that is not`:                                                        {Scheme: Header, Header: "X:", Secrets: []string{secret}},
		`id_header that is not the name`:                                            {Scheme: HMAC, Header: "X", Signed: "{id}{body}", IDHeader: "é", Secrets: []string{secret}},
		`timestamp_header that is not the`:                                          {Scheme: HMAC, Header: "X", Signed: "{ts}{body}", TimestampHeader: "a\nb", Secrets: []string{secret}},
	} {
		_, err := New(cfg)
		switch {
		case err == nil:
			t.Errorf("%+v is taken; want an error with %q", cfg, says)
		case !strings.Contains(err.Error(), says):
			t.Errorf("error %q does not say %q", err, says)
		case strings.Contains(err.Error(), secret):
			t.Errorf("error %q shows the secret", err)
		}
	}
}

func TestIsZero(t *testing.T) {
	if !(Config{}).IsZero() {
		t.Error("the zero config is not zero")
	}
	for _, cfg := range []Config{{Scheme: Segment}, {Secrets: []string{""}}, {Prefix: "v1="}, {Tolerance: 1}} {
		if cfg.IsZero() {
			t.Errorf("%+v is zero", cfg)
		}
	}
}

// The words of the enum tags, the tables and the messages are the same.
func TestEnums(t *testing.T) {
	for field, words := range map[string][]string{
		"Scheme":          Schemes(),
		"Algorithm":       slices.Sorted(maps.Keys(algorithms)),
		"Encoding":        slices.Sorted(maps.Keys(encodings)),
		"TimestampFormat": slices.Sorted(maps.Keys(stamps)),
		"BatchSignature":  slices.Sorted(maps.Keys(batches)),
	} {
		f, _ := reflect.TypeFor[Config]().FieldByName(field)
		tag := slices.Sorted(strings.SplitSeq(f.Tag.Get("enum"), ","))
		if !slices.Equal(tag, words) {
			t.Errorf("%s has the enum %v, want %v", field, tag, words)
		}
	}
	_, err := New(Config{})
	for _, scheme := range Schemes() {
		if !strings.Contains(err.Error(), scheme) {
			t.Errorf("%q does not name %s", err, scheme)
		}
	}
}

// Every option beyond the secrets is one that some scheme takes, and is reported by its yaml name when another is given it.
func TestEveryOptionIsTaken(t *testing.T) {
	config := reflect.TypeFor[Config]()
	for i := range config.NumField() {
		name := config.Field(i).Tag.Get("yaml")
		if name == "scheme" || name == "secrets" {
			continue
		}
		var cfg Config
		if value := reflect.ValueOf(&cfg).Elem().Field(i); value.Kind() == reflect.String {
			value.SetString("x")
		} else {
			value.SetInt(1)
		}
		if set := cfg.options(); !slices.Equal(set, []string{name}) {
			t.Errorf("%s is reported as %v", name, set)
		}
		taken := 0
		for _, row := range schemes {
			if slices.Contains(row.takes, name) {
				taken++
			}
		}
		if taken == 0 {
			t.Errorf("no scheme takes %s", name)
		}
	}
}
