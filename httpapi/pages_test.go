package httpapi

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// ask sends a request as a browser does for a page of another origin, and returns the answer.
func ask(t *testing.T, method, url string, headers ...string) *http.Response {
	t.Helper()
	request, err := http.NewRequest(method, url, strings.NewReader(map[string]string{http.MethodPost: `{}`}[method]))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Origin", "https://shop.example.com")
	for h := 0; h+1 < len(headers); h += 2 {
		request.Header.Set(headers[h], headers[h+1])
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	if got := answer.Header.Get("Access-Control-Allow-Credentials"); got != "" {
		t.Errorf("%s %s allows credentials: %s", method, url, got)
	}
	return answer
}

// What the vendors' SDKs for browsers send is allowed to pages of any origin, and nothing else is.
func TestPagesMayCallAsAnSDKDoes(t *testing.T) {
	_, address := serveOne(t)
	for path, headers := range map[string]string{
		"/v1/batch":        "authorization,content-type,anonymousid", // RudderStack's
		"/v1/track":        "authorization,content-type",
		"/v1/identify":     "content-type",
		"/v1/t":            "content-type", // analytics.js
		"/v1/b":            "content-type",
		"/api/s/page":      "content-type,x-write-key,x-enable-debug,x-ip-policy", // Jitsu's
		"/api/s/s2s/track": "content-type,x-write-key",
	} {
		url := "http://" + address + path
		preflight := ask(t, http.MethodOptions, url, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", headers)
		allowed := strings.Split(strings.ToLower(preflight.Header.Get("Access-Control-Allow-Headers")), ",")
		for _, header := range strings.Split(headers, ",") {
			if !slices.Contains(allowed, header) {
				t.Errorf("%s: the header %s is not in %v", path, header, allowed)
			}
		}
		if h := preflight.Header; preflight.StatusCode != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "*" ||
			h.Get("Access-Control-Allow-Methods") != "POST,OPTIONS" || h.Get("Access-Control-Max-Age") != "86400" {
			t.Errorf("%s: the preflight is answered %d %v", path, preflight.StatusCode, h)
		}
		// The answer itself must be readable too, a refusal as well: an SDK decides by it whether to send again.
		for key, status := range map[string]int{"key": 200, "nobody": 401} {
			authorization := http.Request{Header: http.Header{}}
			authorization.SetBasicAuth(key, "")
			answer := ask(t, http.MethodPost, url, "Authorization", authorization.Header.Get("Authorization"))
			if h := answer.Header; answer.StatusCode != status || h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Expose-Headers") != "Retry-After" {
				t.Errorf("%s with %s: %d %v", path, key, answer.StatusCode, h)
			}
		}
	}
	webhook := "http://" + address + "/v1/receive/key"
	for _, method := range []string{http.MethodOptions, http.MethodPost} {
		if answer := ask(t, method, webhook, "Access-Control-Request-Method", "POST"); answer.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s to a webhook: pages have no business there, yet %v", method, answer.Header)
		}
	}
}
