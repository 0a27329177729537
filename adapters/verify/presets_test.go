package verify

import (
	"strings"
	"testing"
	"time"
)

func TestSignatureLists(t *testing.T) {
	verifier := mustNew(t, Config{Scheme: StandardWebhooks, Secrets: []string{webhookSecret, webhookPublic}})
	otherV1a := "v1a," + strings.Repeat("A", 86) + "=="
	now := time.Unix(1614265330, 0)
	for list, good := range map[string]bool{
		"v1,AAAA " + webhookV1:                              true,
		webhookV1 + " v1,AAAA":                              true,
		"v9,what " + webhookV1a + " v1,x":                   true,
		"  " + webhookV1 + "  ":                             true,
		"v1,AAAA v2,AAAA":                                   false,
		strings.Replace(webhookV1, "v1,", "v1a,", 1):        false,
		strings.Replace(webhookV1, "v1,", "v2,", 1):         false,
		strings.TrimPrefix(webhookV1, "v1,"):                false,
		strings.Repeat("v1,AAAA ", maxListed) + webhookV1:   false,
		strings.Repeat("v1,AAAA ", maxListed-1) + webhookV1: true,
		// A key of Ed25519 looks at few signatures; what is none of its own does not count.
		strings.Repeat(otherV1a+" ", maxEd25519) + webhookV1a:   false,
		strings.Repeat(otherV1a+" ", maxEd25519-1) + webhookV1a: true,
		strings.Repeat(otherV1a+" ", maxEd25519) + webhookV1:    true,
		strings.Repeat("v1a,AAAA ", maxEd25519) + webhookV1a:    true,
		webhookV1 + "=":                           false,
		strings.TrimSuffix(webhookV1, "="):        false,
		strings.Replace(webhookV1, "E=", "F=", 1): false, // the same bytes, were the last bits not looked at
		strings.ToUpper(webhookV1):                false,
		webhookV1 + "," + webhookV1:               false,
		" ":                                       false,
	} {
		header := headersOf("Webhook-Id", webhookID, "Webhook-Timestamp", webhookTime, "Webhook-Signature", list)
		if _, err := verifier.Verify(request(webhookBody, header), now); (err == nil) != good {
			t.Errorf("%q: error %v, want good %v", list, err, good)
		}
	}
}

// A request that was signed with its time must not pass for one without when the time is taken away: what was signed, the
// time and the body, is then the body.
func TestJitsuTimeCanNotBeTakenAway(t *testing.T) {
	for _, algorithm := range []string{"sha256", "ed25519"} {
		secret := map[string]string{"sha256": "s", "ed25519": edPrivate}[algorithm]
		proof, err := Sign(Config{Scheme: Jitsu, Algorithm: algorithm, Secrets: []string{secret}}, []byte(jitsuBody), "", time.Unix(1000, 0))
		if err != nil {
			t.Fatal(err)
		}
		verifier := mustNew(t, publicly(Config{Scheme: Jitsu, Algorithm: algorithm, Secrets: []string{secret}}))
		header := proof.Header.Clone()
		header.Del("Jitsu-Signature-Timestamp")
		later := time.Unix(1000, 0).Add(time.Hour)
		_, err = verifier.Verify(request("1000."+jitsuBody, header), later)
		wantCode(t, err, "missing_signature")
		_, err = verifier.Verify(request(jitsuBody, header), later)
		wantCode(t, err, "bad_signature")
		_, err = verifier.Verify(request(jitsuBody, proof.Header), later)
		wantCode(t, err, "stale_timestamp")
	}
}

// The id of one family of headers names the message; it must not come unsigned beside the signature of the other.
func TestFamiliesDoNotMix(t *testing.T) {
	verifier := mustNew(t, Config{Scheme: StandardWebhooks, Secrets: []string{webhookSecret}})
	svix := headersOf("Svix-Id", webhookID, "Svix-Timestamp", webhookTime, "Svix-Signature", webhookV1)
	now := time.Unix(1614265330, 0)
	for name, value := range map[string]string{"Webhook-Id": "msg_other", "Webhook-Signature": webhookV1} {
		header := svix.Clone()
		header.Set(name, value)
		_, err := verifier.Verify(request(webhookBody, header), now)
		wantCode(t, err, "missing_signature")
	}
	both := svix.Clone()
	both.Set("Webhook-Id", webhookID)
	both.Set("Webhook-Timestamp", webhookTime)
	both.Set("Webhook-Signature", webhookV1)
	if _, err := verifier.Verify(request(webhookBody, both), now); err != nil {
		t.Errorf("both families in full: %v", err)
	}
}
