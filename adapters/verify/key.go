package verify

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
)

// key is one secret or public key of a signature.
type key struct {
	// prefix stands before the signatures that this key makes: v1, or sha256=; "" for none.
	prefix string
	// mac hashes the secret for an HMAC; nil for an Ed25519 key, which has public.
	mac    func() hash.Hash
	public ed25519.PublicKey
}

func hmacKey(prefix string, algorithm func() hash.Hash, secret []byte) key {
	return key{prefix: prefix, mac: func() hash.Hash { return hmac.New(algorithm, secret) }}
}

// checker looks at the signed text once and then judges any number of signatures; it returns 1 for a good one.
func (k key) checker(text [][]byte) func(signature []byte) int {
	if k.mac == nil {
		message := slices.Concat(text...)
		return func(signature []byte) int {
			if ed25519.Verify(k.public, message, signature) { // only public values are compared here
				return 1
			}
			return 0
		}
	}
	want := k.sum(text)
	return func(signature []byte) int { return subtle.ConstantTimeCompare(want, signature) }
}

func (k key) sum(text [][]byte) []byte {
	mac := k.mac()
	for _, part := range text {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// webhookKey reads a secret of Standard Webhooks: whsec_ and base64 for HMAC-SHA256 (v1), the prefix being optional, or
// whpk_ and base64 for an Ed25519 public key (v1a).
func webhookKey(algorithm func() hash.Hash, secret string) (key, error) {
	if encoded, ok := strings.CutPrefix(secret, "whpk_"); ok {
		public, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(public) != ed25519.PublicKeySize {
			return key{}, fmt.Errorf("is not whpk_ and the base64 of %d bytes", ed25519.PublicKeySize)
		}
		return key{prefix: "v1a,", public: public}, nil
	}
	if strings.HasPrefix(secret, "whsk_") {
		return key{}, errors.New("is a private key; give the public one (whpk_…)")
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(raw) == 0 {
		return key{}, errors.New("is not whsec_ and base64; copy it as the sender shows it")
	}
	return hmacKey("v1,", algorithm, raw), nil
}
