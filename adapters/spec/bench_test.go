package spec

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"switchyard/engine"
)

// realistic is a track as analytics.js sends it, 1.3 KB.
const realistic = `{"timestamp":"2024-04-30T10:12:31.114Z","integrations":{},"userId":"97980cfea0067","anonymousId":"cf2a0d48-9a41-4d0f-b6b1-5a2b1e4f8a6e","event":"Order Completed","type":"track","properties":{"order_id":"50314b8e9bcf000000000000","total":27.5,"revenue":25,"shipping":3,"tax":2,"discount":2.5,"coupon":"hasbros","currency":"USD","products":[{"product_id":"507f1f77bcf86cd799439011","sku":"45790-32","name":"Monopoly: 3rd Edition","price":19,"quantity":1,"category":"Games"},{"product_id":"505bd76785ebb509fc183733","sku":"46493-32","name":"Uno Card Game","price":3,"quantity":2,"category":"Games"}]},"context":{"page":{"path":"/checkout","referrer":"https://www.example.com/cart","search":"","title":"Checkout","url":"https://www.example.com/checkout"},"userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36","locale":"en-US","library":{"name":"analytics.js","version":"next-1.70.0"},"timezone":"Europe/Berlin","ip":"203.0.113.7"},"messageId":"ajs-next-1714471951114-9a41b6b1-5a2b-4d0f-8a6e-cf2a0d481e4f","writeKey":"REDACTED","sentAt":"2024-04-30T10:12:31.120Z","receivedAt":"2024-04-30T10:12:31.301Z","originalTimestamp":"2024-04-30T10:12:31.108Z","version":2,"channel":"client"}`

func BenchmarkDecode(b *testing.B) {
	body := []byte(realistic)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if batch, err := Decode(body, options); err != nil || batch.Events[0].Invalid != "" {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncodingJSON is the same body into a map, to compare.
func BenchmarkEncodingJSON(b *testing.B) {
	body := []byte(realistic)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var message map[string]any
		if err := json.Unmarshal(body, &message); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCheckJSON is the floor: one pass over the body that keeps nothing.
func BenchmarkCheckJSON(b *testing.B) {
	body := []byte(realistic)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := engine.CheckJSON(body, engine.DefaultJSONLimits); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeBatch(b *testing.B) {
	for _, events := range []int{100, 2500} {
		body := []byte(`{"batch":[` + strings.Repeat(realistic+",", events-1) + realistic + `],"context":{"library":{"name":"analytics-go"}}}`)
		b.Run(fmt.Sprint(events), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(body, options); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
