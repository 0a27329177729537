package verify

import (
	"strings"
	"testing"
	"time"
)

func TestNewFailsClosed(t *testing.T) {
	const secret = "s3cr3t"
	for says, cfg := range map[string]Config{
		`scheme "" is unknown`:             {Secrets: []string{secret}},
		`scheme "Segment" is unknown`:      {Scheme: "Segment", Secrets: []string{secret}},
		"needs secrets":                    {Scheme: Segment},
		"empty secret at position 2":       {Scheme: Bearer, Secrets: []string{secret, ""}},
		"empty secret at position 1":       {Scheme: Bearer, Secrets: []string{" \n"}},
		"needs header":                     {Scheme: HMAC, Secrets: []string{secret}},
		"needs header; set it":             {Scheme: Header, Secrets: []string{secret}},
		"does not take algorithm":          {Scheme: Segment, Algorithm: "sha256", Secrets: []string{secret}},
		"does not take batch_signature":    {Scheme: Bearer, BatchSignature: "first", Secrets: []string{secret}},
		"does not take tolerance":          {Scheme: Header, Header: "X", Tolerance: time.Minute, Secrets: []string{secret}},
		"unknown batch_signature":          {Scheme: Segment, BatchSignature: "all", Secrets: []string{secret}},
		"needs username, or secrets":       {Scheme: Basic, Secrets: []string{secret}},
		"username that contains a colon":   {Scheme: Basic, Username: "a:b", Secrets: []string{secret}},
		"is not whsec_ and base64":         {Scheme: StandardWebhooks, Secrets: []string{"whsec_" + secret + "!"}},
		"position 1 that is not whsec_":    {Scheme: StandardWebhooks, Secrets: []string{"whsec_"}},
		"base64 of 32 bytes":               {Scheme: StandardWebhooks, Secrets: []string{"whpk_AAAA"}},
		"is a private key":                 {Scheme: StandardWebhooks, Secrets: []string{"whsk_AAAA"}},
		"unknown algorithm":                {Scheme: HMAC, Header: "X", Algorithm: "md5", Secrets: []string{secret}},
		"unknown encoding":                 {Scheme: HMAC, Header: "X", Encoding: "base32", Secrets: []string{secret}},
		"unknown timestamp_format":         {Scheme: HMAC, Header: "X", TimestampFormat: "ns", Secrets: []string{secret}},
		"must sign {body}":                 {Scheme: HMAC, Header: "X", Signed: "{ts}", TimestampHeader: "T", Secrets: []string{secret}},
		"its places are":                   {Scheme: HMAC, Header: "X", Signed: "{url}.{body}", Secrets: []string{secret}},
		`has signed "{body"`:               {Scheme: HMAC, Header: "X", Signed: "{body", Secrets: []string{secret}},
		"with {body} twice":                {Scheme: HMAC, Header: "X", Signed: "{body}{body}", Secrets: []string{secret}},
		"needs timestamp_header":           {Scheme: HMAC, Header: "X", Signed: "{ts}.{body}", Secrets: []string{secret}},
		"needs id_header":                  {Scheme: HMAC, Header: "X", Signed: "{id}.{body}", Secrets: []string{secret}},
		"does not sign {ts}":               {Scheme: HMAC, Header: "X", TimestampHeader: "T", Secrets: []string{secret}},
		"does not sign {ts}; add it":       {Scheme: HMAC, Header: "X", Tolerance: time.Minute, Secrets: []string{secret}},
		"does not sign {id}":               {Scheme: HMAC, Header: "X", IDHeader: "I", Secrets: []string{secret}},
		"positive tolerance":               {Scheme: StandardWebhooks, Tolerance: -1, Secrets: []string{"whsec_AAAA"}},
		"not the name of a header":         {Scheme: HMAC, Header: "X Signature", Secrets: []string{secret}},
		`header that is not`:               {Scheme: Header, Header: "X:", Secrets: []string{secret}},
		`id_header that is not the name`:   {Scheme: HMAC, Header: "X", Signed: "{id}{body}", IDHeader: "é", Secrets: []string{secret}},
		`timestamp_header that is not the`: {Scheme: HMAC, Header: "X", Signed: "{ts}{body}", TimestampHeader: "a\nb", Secrets: []string{secret}},
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
