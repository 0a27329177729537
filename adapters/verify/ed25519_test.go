package verify

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

var epoch = time.Unix(1000, 0)

func pemOf(t *testing.T, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func bytesOf(t *testing.T, digits string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestPublicKeyForms(t *testing.T) {
	raw := ed25519.PublicKey(bytesOf(t, edPublic))
	der, err := x509.MarshalPKIXPublicKey(raw)
	for name, text := range map[string]string{
		"hex":              edPublic,
		"upper-case hex":   strings.ToUpper(edPublic),
		"base64":           base64.StdEncoding.EncodeToString(raw),
		"unpadded base64":  base64.RawStdEncoding.EncodeToString(raw),
		"base64url":        base64.RawURLEncoding.EncodeToString(raw),
		"whpk_":            webhookPublic,
		"PEM":              pemOf(t, "PUBLIC KEY", der, err),
		"PEM's base64":     base64.StdEncoding.EncodeToString(der),
		"with white space": "  " + edPublic + "\n",
	} {
		k, err := ed25519Key(text)
		if err != nil || !k.public.Equal(raw) || k.private != nil {
			t.Errorf("%s: %v, error %v", name, k.public, err)
		}
	}
}

func TestPrivateKeyForms(t *testing.T) {
	seed, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(edPrivate, "whsk_"))
	private := ed25519.NewKeyFromSeed(seed)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	for name, text := range map[string]string{
		"seed":         edPrivate,
		"both halves":  "whsk_" + base64.StdEncoding.EncodeToString(private),
		"PEM":          pemOf(t, "PRIVATE KEY", der, err),
		"PEM's base64": base64.StdEncoding.EncodeToString(der),
	} {
		k, err := ed25519Key(text)
		if err != nil || !k.private.Equal(private) || hex.EncodeToString(k.public) != edPublic {
			t.Errorf("%s: error %v", name, err)
		}
		for _, cfg := range []Config{
			{Scheme: Jitsu, Algorithm: "ed25519"}, {Scheme: StandardWebhooks}, {Scheme: HMAC, Header: "X", Algorithm: "ed25519"},
		} {
			cfg.Secrets = []string{webhookPublic, text}
			if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "at position 2 that is a private key") {
				t.Errorf("%s verifies with scheme %s: %v", name, cfg.Scheme, err)
			}
			cfg.Secrets = []string{text}
			if _, err := Sign(cfg, nil, "id", epoch); err != nil {
				t.Errorf("%s can not sign with scheme %s: %v", name, cfg.Scheme, err)
			}
		}
	}
}

func TestBadKeys(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	otherPublic, otherErr := x509.MarshalPKIXPublicKey(curve.Public())
	otherPrivate, err := x509.MarshalPKCS8PrivateKey(curve)
	dh, dhErr := curve.ECDH()
	if dhErr != nil {
		t.Fatal(dhErr)
	}
	dhPrivate, dhErr := x509.MarshalPKCS8PrivateKey(dh)
	halves := bytesOf(t, edPublic+edPublic)
	for name, text := range map[string]string{
		"nothing":              "whpk_",
		"62 digits":            edPublic[:62],
		"66 digits":            edPublic + "00",
		"31 bytes":             base64.StdEncoding.EncodeToString(bytesOf(t, edPublic)[:31]),
		"no digits":            strings.Repeat("x", 64),
		"both halves, bare":    base64.StdEncoding.EncodeToString(halves),
		"half of a key":        "whsk_AAAA",
		"halves of two keys":   "whsk_" + base64.StdEncoding.EncodeToString(halves),
		"another curve":        pemOf(t, "PUBLIC KEY", otherPublic, otherErr),
		"another private key":  pemOf(t, "PRIVATE KEY", otherPrivate, err),
		"a key for exchanging": pemOf(t, "PRIVATE KEY", dhPrivate, dhErr),
		"broken PEM":           "-----BEGIN PUBLIC KEY-----\n" + edPublic + "\n",
		"empty PEM":            "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
		"empty private PEM":    "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
		"a cut private key":    privateDER,
		"all zeros":            strings.Repeat("00", 32),
		"all ones":             strings.Repeat("ff", 32),
	} {
		_, err := ed25519Key(text)
		if err == nil {
			t.Errorf("%s is taken", name)
		} else if len(text) > 10 && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}

// A public key given where a shared secret belongs would let everybody sign.
func TestPublicKeyIsNoSharedSecret(t *testing.T) {
	der, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(bytesOf(t, edPublic)))
	for _, text := range []string{webhookPublic, pemOf(t, "PUBLIC KEY", der, err), base64.StdEncoding.EncodeToString(der)} {
		for _, cfg := range []Config{{Scheme: Segment}, {Scheme: Jitsu}, {Scheme: Census}, {Scheme: HMAC, Header: "X"}} {
			cfg.Secrets = []string{text}
			if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "is a public key") {
				t.Errorf("scheme %s: error %v", cfg.Scheme, err)
			}
		}
		verifier := mustNew(t, Config{Scheme: StandardWebhooks, Secrets: []string{text}})
		if k := verifier.scheme.(*signature).keys[0]; k.mac != nil || k.prefix != "v1a," {
			t.Errorf("standard-webhooks takes %q for a shared secret", text)
		}
	}
}

// lowOrder are the points whose order is at most 8, as the tables of other libraries have them
// (jedisct1/libsodium, ge25519_has_small_order), with both signs of x and in their other encodings.
func lowOrder(t *testing.T) (points [][]byte) {
	t.Helper()
	for _, digits := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		point := bytesOf(t, digits)
		signed := slices.Clone(point)
		signed[31] |= 0x80
		points = append(points, point, signed)
	}
	return points
}

// forge finds a message that an all but empty signature is good for, which it is when the hash of a message is a multiple
// of the order of the key.
func forge(public ed25519.PublicKey) bool {
	signature := make([]byte, ed25519.SignatureSize)
	signature[0] = 1 // R is the neutral point, and S is 0
	for n := range byte(255) {
		if ed25519.Verify(public, []byte{n}, signature) {
			return true
		}
	}
	return false
}

func TestLowOrderKeys(t *testing.T) {
	forged := 0
	for _, point := range lowOrder(t) {
		if isStrong(point) {
			t.Errorf("%x is taken", point)
		}
		if forge(point) {
			forged++
		}
	}
	if forged < 8 {
		t.Errorf("only %d of the keys are forgeable: the test does not test what it says", forged)
	}
}

func TestStrongKeys(t *testing.T) {
	points := 0
	for n := range 300 {
		seed := make([]byte, ed25519.SeedSize)
		seed[0], seed[1] = byte(n), byte(n>>8)
		public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
		if !isStrong(public) {
			t.Errorf("%x is refused", public)
		}
		if isStrong(seed) {
			points++
		}
	}
	if points < 100 || points > 200 { // half of all y have an x
		t.Errorf("%d of 300 arbitrary texts pass for a key", points)
	}
	past := new(big.Int).Add(fieldPrime, big.NewInt(3)).FillBytes(make([]byte, 32)) // another encoding of y = 3, a point
	slices.Reverse(past)
	if three := append([]byte{3}, make([]byte, 31)...); !isStrong(three) || isStrong(past) {
		t.Errorf("y = 3: %v; y = p + 3: %v", isStrong(three), isStrong(past))
	}
}

// FuzzKeys holds that no text given as a key panics, and that what is taken can be used and is not shown when it is not.
func FuzzKeys(f *testing.F) {
	for _, text := range append([]string{edPublic, edPrivate, webhookPublic, publicDER, privateDER + "AAAA", "whsec_AAAA"}, hostile...) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, cfg := range []Config{
			{Scheme: Jitsu, Algorithm: "ed25519"}, {Scheme: StandardWebhooks}, {Scheme: HMAC, Header: "X", Algorithm: "ed25519"},
			{Scheme: HMAC, Header: "X"}, {Scheme: Basic}, {Scheme: Bearer}, {Scheme: Query, Parameter: "q"},
		} {
			cfg.Secrets = []string{text}
			verifier, err := New(cfg)
			if err != nil {
				continue
			}
			proof, err := Sign(cfg, []byte("{}"), "id", epoch)
			if err != nil {
				continue // a public key
			}
			if _, err := verifier.Verify(proven("{}", proof), epoch); err != nil {
				t.Errorf("scheme %s does not take what it signs with %q: %v", cfg.Scheme, text, err)
			}
		}
	})
}
