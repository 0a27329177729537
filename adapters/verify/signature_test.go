package verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestSignedPartsAreCovered(t *testing.T) {
	verifier := mustNew(t, Config{Scheme: StandardWebhooks, Secrets: []string{webhookSecret}})
	good := headersOf("Webhook-Id", webhookID, "Webhook-Timestamp", webhookTime, "Webhook-Signature", webhookV1)
	now := time.Unix(1614265330, 0)
	for _, tc := range []struct{ name, value, code string }{
		{"Webhook-Id", "msg_other", "bad_signature"},
		{"Webhook-Id", "", "missing_signature"},
		{"Webhook-Timestamp", "1614265331", "bad_signature"},
		{"Webhook-Timestamp", "", "missing_signature"},
		{"Webhook-Timestamp", "1614265330.0", "stale_timestamp"},
		{"Webhook-Timestamp", "2021-02-25T15:02:10Z", "stale_timestamp"},
		{"Webhook-Timestamp", "99999999999999999999", "stale_timestamp"},
		{"Webhook-Timestamp", "9223372036854775807", "stale_timestamp"},
		{"Webhook-Timestamp", "-9223372036854775808", "stale_timestamp"},
		{"Webhook-Timestamp", "-1614265330", "stale_timestamp"},
		{"Webhook-Timestamp", "+1614265330", "stale_timestamp"},
		{"Webhook-Timestamp", "01614265330", "stale_timestamp"},
		{"Webhook-Timestamp", " 1614265330", "stale_timestamp"},
		{"Webhook-Timestamp", "1_614_265_330", "stale_timestamp"},
		{"Webhook-Timestamp", "0x60379AF2", "stale_timestamp"},
		{"Webhook-Timestamp", "１６１４２６５３３０", "stale_timestamp"},
	} {
		header := good.Clone()
		header.Set(tc.name, tc.value)
		_, err := verifier.Verify(request(webhookBody, header), now)
		t.Run(tc.name+"="+tc.value, func(t *testing.T) { wantCode(t, err, tc.code) })
	}
}

func TestTolerance(t *testing.T) {
	header := headersOf("Webhook-Id", webhookID, "Webhook-Timestamp", webhookTime, "Webhook-Signature", webhookV1)
	at := time.Unix(1614265330, 0)
	for _, tc := range []struct {
		tolerance, away time.Duration
		fresh           bool
	}{
		{0, 5 * time.Minute, true}, {0, -5 * time.Minute, true},
		{0, 5*time.Minute + time.Second, false}, {0, -5*time.Minute - time.Second, false},
		{time.Hour, 59 * time.Minute, true}, {time.Second, 2 * time.Second, false},
	} {
		verifier := mustNew(t, Config{Scheme: StandardWebhooks, Secrets: []string{webhookSecret}, Tolerance: tc.tolerance})
		_, err := verifier.Verify(request(webhookBody, header), at.Add(tc.away))
		if tc.fresh && err != nil {
			t.Errorf("tolerance %s, %s away: %v", tc.tolerance, tc.away, err)
		} else if !tc.fresh {
			wantCode(t, err, "stale_timestamp")
		}
	}
}

// Of two headers of one name the first one counts, for the verifier as for what reads the id after it.
func TestFirstOfRepeatedHeaders(t *testing.T) {
	good := "5099cab379b3be52908387457007040cc934ef86"
	verifier := mustNew(t, Config{Scheme: Segment, Secrets: []string{"abc123"}})
	if _, err := verifier.Verify(request(`{"cool":true}`, http.Header{"X-Signature": {good, "other"}}), time.Now()); err != nil {
		t.Error(err)
	}
	_, err := verifier.Verify(request(`{"cool":true}`, http.Header{"X-Signature": {"other", good}}), time.Now())
	wantCode(t, err, "bad_signature")
}

func TestForms(t *testing.T) {
	const segmentHex = "5099cab379b3be52908387457007040cc934ef86"
	const censusBody, census64 = `{"workspace_id":3167,"sync_id":3167956,"sync_run_id":324399613,"event":"sync.triggered"}`,
		"9HOHeVwpWXt8M/2e0UrOH4CFrudO+1MG0XjgCfk5fdw="
	for value, good := range map[string]bool{
		strings.ToUpper(segmentHex):   true, // the digits of either case are the same bytes
		" " + segmentHex:              false,
		segmentHex + " ":              false,
		segmentHex + "," + segmentHex: false,
		segmentHex[:39]:               false,
		segmentHex[:38]:               false,
		segmentHex + "00":             false,
		"0x" + segmentHex:             false,
		"sha1=" + segmentHex:          false,
	} {
		verifier := mustNew(t, Config{Scheme: Segment, Secrets: []string{"abc123"}})
		if _, err := verifier.Verify(request(`{"cool":true}`, headersOf("X-Signature", value)), time.Now()); (err == nil) != good {
			t.Errorf("segment, %q: %v", value, err)
		}
	}
	for _, value := range []string{
		strings.TrimSuffix(census64, "="), census64 + "=", strings.Replace(census64, "dw=", "dx=", 1), census64 + "\n",
		census64[:8] + "\r\n" + census64[8:], strings.NewReplacer("/", "_", "+", "-").Replace(census64), " " + census64,
		"f47387795c29597b7c33fd9ed14ace1f8085aee74efb5306d178e009f9397ddc",
	} {
		verifier := mustNew(t, Config{Scheme: Census, Secrets: []string{"census-secret"}})
		_, err := verifier.Verify(request(censusBody, headersOf("X-Signature", value)), time.Now())
		wantCode(t, err, "bad_signature")
	}
}

func TestStamps(t *testing.T) {
	now := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		format, text string
		good         bool
	}{
		{"unix", "1714564800", true}, {"unix", "1714564800000", false}, {"unix", "0", false}, {"unix", "", false},
		{"unix_ms", "1714564800123", true}, {"unix_ms", "1714564800", false}, {"unix_ms", "9223372036854775807", false},
		{"unix_ms", "+1714564800123", false}, {"unix_ms", "01714564800123", false}, {"unix_ms", "-1714564800123", false},
		{"rfc3339", "2024-05-01T12:00:00Z", true}, {"rfc3339", "2024-05-01T17:30:00.123456+05:30", true},
		{"rfc3339", "2024-05-01T12:00:00", false}, {"rfc3339", "2024-05-01 12:00:00Z", false},
		{"rfc3339", "9999-12-31T23:59:59Z", false}, {"rfc3339", "0000-01-01T00:00:00Z", false},
		{"rfc3339", "2024-05-01T12:00:00+23:59", false}, {"rfc3339", "1714564800", false}, {"rfc3339", "2024-02-30T12:00:00Z", false},
	} {
		cfg := Config{Scheme: HMAC, Header: "X-Sig", Signed: "{ts}.{body}", TimestampHeader: "X-At", TimestampFormat: tc.format, Secrets: []string{"s"}}
		mac := hmac.New(sha256.New, []byte("s"))
		mac.Write([]byte(tc.text + ".{}"))
		header := headersOf("X-Sig", hex.EncodeToString(mac.Sum(nil)), "X-At", tc.text)
		_, err := mustNew(t, cfg).Verify(request("{}", header), now)
		if (err == nil) != tc.good {
			t.Errorf("%s %q: error %v", tc.format, tc.text, err)
		}
	}
}
