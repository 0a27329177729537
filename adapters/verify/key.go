package verify

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"sync"
)

// algorithms are what a signature can be made with, each as the reader of its secrets.
var algorithms = map[string]func(secret string) (key, error){
	"sha1":    hmacSecret(sha1.New),
	"sha256":  hmacSecret(sha256.New),
	"sha512":  hmacSecret(sha512.New),
	"ed25519": ed25519Key,
}

// key is one secret or public key of a signature.
type key struct {
	// prefix stands before the signatures that this key makes: v1, or sha256=; "" for none.
	prefix string
	// mac are HMACs that have hashed the secret; nil for an Ed25519 key, which has public. Making one costs as much as
	// hashing 300 bytes, so they are kept.
	mac    *sync.Pool
	public ed25519.PublicKey
	// private is the other half of public, at the sender's side only.
	private ed25519.PrivateKey
}

func hmacKey(algorithm func() hash.Hash, secret []byte) key {
	return key{mac: &sync.Pool{New: func() any { return hmac.New(algorithm, secret) }}}
}

// hmacSecret reads a secret as the bytes that it is. A public key is not one: everybody may know it, and could then sign.
func hmacSecret(algorithm func() hash.Hash) func(secret string) (key, error) {
	return func(secret string) (key, error) {
		if isPublicKey(secret) {
			return key{}, errors.New("is a public key, which anybody may know; give the shared secret (a public key goes with algorithm ed25519)")
		}
		return hmacKey(algorithm, []byte(secret)), nil
	}
}

// webhookKey reads a secret of Standard Webhooks: whsec_ and base64 for HMAC-SHA256 (v1), the prefix being optional, or an
// Ed25519 key (v1a) that is marked as one: whpk_ and base64, or PEM; whsk_ is the private half.
func webhookKey(secret string) (key, error) {
	if isPublicKey(secret) || isPrivateKey(secret) {
		k, err := ed25519Key(secret)
		k.prefix = "v1a,"
		return k, err
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(raw) == 0 {
		return key{}, errors.New("is not whsec_ and base64; copy it as the sender shows it")
	}
	k := hmacKey(sha256.New, raw)
	k.prefix = "v1,"
	return k, nil
}

func keysOf(secrets []string, read func(secret string) (key, error)) ([]key, error) {
	keys := make([]key, 0, len(secrets))
	for i, secret := range secrets {
		k, err := read(secret)
		if err != nil {
			return nil, fmt.Errorf("has a secret at position %d that %w", i+1, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// maxEd25519 bounds the signatures tried on one Ed25519 key: each one hashes the whole body, which can be large.
const maxEd25519 = 8

// checker looks at the signed text once and then judges any number of signatures; it returns 1 for a good one.
func (k key) checker(text [][]byte) func(signature []byte) int {
	if k.mac != nil {
		want := k.sum(text)
		return func(signature []byte) int { return subtle.ConstantTimeCompare(want, signature) }
	}
	message, left := slices.Concat(text...), maxEd25519
	return func(signature []byte) int {
		if left == 0 || len(signature) != ed25519.SignatureSize {
			return 0
		}
		if left--; ed25519.Verify(k.public, message, signature) { // only public values are compared here
			return 1
		}
		return 0
	}
}

func (k key) sum(text [][]byte) []byte {
	mac := k.mac.Get().(hash.Hash)
	defer k.mac.Put(mac)
	mac.Reset()
	for _, part := range text {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

func (k key) sign(text [][]byte) ([]byte, error) {
	switch {
	case k.mac != nil:
		return k.sum(text), nil
	case k.private != nil:
		return ed25519.Sign(k.private, slices.Concat(text...)), nil
	}
	return nil, errors.New("a public key can verify, not sign; give the private one (whsk_… or PEM)")
}
