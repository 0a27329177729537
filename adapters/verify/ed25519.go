package verify

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
)

// The base64 of what stands before the 32 bytes of an Ed25519 key in DER (RFC 8410), as it does in a PEM file.
const (
	publicDER  = "MCowBQYDK2VwAyEA"
	privateDER = "MC4CAQAwBQYDK2VwBCIEI"
)

// isPublicKey tells a secret that is marked as an Ed25519 public key; 32 bytes in hex or base64 can be anything.
func isPublicKey(secret string) bool {
	text := strings.TrimSpace(secret)
	return strings.HasPrefix(text, "whpk_") || strings.HasPrefix(text, "-----BEGIN PUBLIC KEY") || strings.HasPrefix(text, publicDER)
}

func isPrivateKey(secret string) bool {
	text := strings.TrimSpace(secret)
	return strings.HasPrefix(text, "whsk_") || strings.HasPrefix(text, "-----BEGIN PRIVATE KEY") || strings.HasPrefix(text, privateDER)
}

var (
	errNotPublic  = errors.New("is not an Ed25519 public key: give 64 hex digits, the base64 of 32 bytes, whpk_ and the base64, or PEM (PUBLIC KEY)")
	errNotPrivate = errors.New("is a private key, and not a complete one of Ed25519: that is whsk_ and the base64 of 32 or 64 bytes, or PEM (PRIVATE KEY, PKCS #8)")
	errWeak       = errors.New("is not a usable Ed25519 public key: no private key belongs to it; copy it again")
)

// ed25519Key reads a key in any of the forms in which people are given one.
func ed25519Key(secret string) (key, error) {
	if isPrivateKey(secret) {
		private := parsePrivate(strings.TrimSpace(secret))
		if private == nil {
			return key{}, errNotPrivate
		}
		return key{private: private, public: private.Public().(ed25519.PublicKey)}, nil
	}
	public := parsePublic(strings.TrimSpace(secret))
	if public == nil {
		return key{}, errNotPublic
	}
	if !isStrong(public) {
		return key{}, errWeak
	}
	return key{public: public}, nil
}

// parsePublic returns nil for what is not one.
func parsePublic(text string) ed25519.PublicKey {
	if block, _ := pem.Decode([]byte(text)); block != nil {
		return publicOf(block.Bytes)
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != ed25519.PublicKeySize {
		raw = anyBase64(strings.TrimPrefix(text, "whpk_"))
	}
	if len(raw) == ed25519.PublicKeySize {
		return raw
	}
	return publicOf(raw)
}

func publicOf(der []byte) ed25519.PublicKey {
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil
	}
	public, _ := parsed.(ed25519.PublicKey)
	return public
}

// parsePrivate returns nil for what is not one. Jitsu takes its key as PEM or as the base64 inside of that.
func parsePrivate(text string) ed25519.PrivateKey {
	if block, _ := pem.Decode([]byte(text)); block != nil {
		return privateOf(block.Bytes)
	}
	encoded, bare := strings.CutPrefix(text, "whsk_")
	raw := anyBase64(encoded)
	switch {
	case bare && len(raw) == ed25519.SeedSize:
		return ed25519.NewKeyFromSeed(raw)
	case bare && len(raw) == ed25519.PrivateKeySize:
		if private := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize]); bytes.Equal(private, raw) {
			return private
		}
		return nil // the two halves are not of one key
	}
	return privateOf(raw)
}

func privateOf(der []byte) ed25519.PrivateKey {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil
	}
	private, _ := parsed.(ed25519.PrivateKey)
	return private
}

// anyBase64 decodes a key with or without padding, of either alphabet (JSON Web Keys use the second) and in lines.
func anyBase64(text string) []byte {
	text = strings.NewReplacer("-", "+", "_", "/", " ", "", "\t", "").Replace(text)
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "=\r\n"))
	if err != nil {
		return nil
	}
	return raw
}

// The field of the curve, and the d of its equation -x² + y² = 1 + dx²y² (RFC 8032, 5.1).
var (
	fieldPrime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	curveD     = new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), fieldPrime))
)

// isStrong tells a public key that somebody can have the private half of: a point of the curve, and none of the eight
// whose order is at most 8. With one of those, all zeros among them, crypto/ed25519 verifies signatures that anybody can
// make; with what is no point it verifies none.
func isStrong(public ed25519.PublicKey) bool {
	encoded := slices.Clone(public)
	encoded[31] &= 0x7f // the sign of x
	slices.Reverse(encoded)
	y := new(big.Int).SetBytes(encoded)
	if y.Cmp(fieldPrime) >= 0 {
		return false
	}
	one := big.NewInt(1)
	y2 := new(big.Int).Mul(y, y)
	y2.Mod(y2, fieldPrime)
	dy2 := new(big.Int).Mul(curveD, y2)

	// x² = (y²-1)/(dy²+1); that is a square when the product of both is.
	u, v := new(big.Int).Sub(y2, one), new(big.Int).Add(dy2, one)
	if big.Jacobi(u.Mul(u, v).Mod(u, fieldPrime), fieldPrime) != 1 {
		return false // no such x; or x is 0, of which there are the points of order 1 and 2
	}
	// Order 4 has y = 0. Twice a point of order 8 is one of order 4, which is so when dy⁴ + 2y² = 1.
	order8 := new(big.Int).Add(dy2, big.NewInt(2))
	order8.Mul(order8, y2).Sub(order8, one).Mod(order8, fieldPrime)
	return y2.Sign() != 0 && order8.Sign() != 0
}
