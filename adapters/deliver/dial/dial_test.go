package dial

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"switchyard/engine"
)

func TestAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"8.8.8.8": "", "1.1.1.1": "", "2606:4700:4700::1111": "", "172.15.0.1": "", "172.32.0.1": "", "100.63.0.1": "", "11.0.0.1": "",
		"127.0.0.1": "loopback", "127.255.255.254": "loopback", "::1": "loopback", "0.0.0.0": "this network", "::": "unspecified",
		"10.1.2.3": "private", "172.16.0.1": "private", "172.31.255.255": "private", "192.168.1.1": "private", "fd00::1": "private",
		"169.254.169.254": "link-local", "fe80::1": "link-local", "fe80::1%eth0": "link-local", "100.64.0.1": "carrier",
		"::ffff:127.0.0.1": "loopback", "::ffff:10.0.0.1": "private", "::ffff:8.8.8.8": "",
		"64:ff9b::7f00:1": "loopback", "64:ff9b::a9fe:a9fe": "link-local", "64:ff9b::808:808": "", "2002:7f00:1::": "loopback",
		"2002:808:808::1": "", "::7f00:1": "loopback", "224.0.0.1": "multicast", "ff02::1": "multicast", "255.255.255.255": "reserved",
		"2001:db8::1": "documentation",
	} {
		got := Settings{}.refuses(netip.MustParseAddr(address))
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
		if got := (Settings{AllowPrivate: true}).refuses(netip.MustParseAddr(address)); got != "" {
			t.Errorf("%s is refused where private addresses are allowed: %s", address, got)
		}
	}
	some := Settings{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}}
	for address, allowed := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "127.0.0.1": false} {
		if why := some.refuses(netip.MustParseAddr(address)); (why == "") != allowed {
			t.Errorf("%s: %q", address, why)
		}
	}
}

// Every form in which a URL can name this machine ends at the dialer with the address itself.
func TestLoopbackInDisguise(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was called") }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "2130706433", "0x7f000001", "127.1", "0177.0.0.1", "0.0.0.0", "127.0.0.1.", "[0:0:0:0:0:ffff:7f00:1]"} {
		response, err := Client(Settings{}).Get("http://" + host + ":" + port)
		if err == nil {
			response.Body.Close()
			t.Errorf("%s was reached", host)
			continue
		}
		// A form that is no address and no name does not get as far as the dialer.
		if lookup := (*net.DNSError)(nil); !engine.IsPermanent(err) && !errors.As(err, &lookup) {
			t.Errorf("%s: %v", host, err)
		}
	}
	response, err := Client(Settings{}).Get("http://127.0.0.1:" + port)
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1 is a loopback address, which a destination may not be: allow_private") {
		t.Errorf("%v %v", response, err)
	}
}

// A name that leads to a public address when it is looked up and to a private one when it is called is refused at the
// call: there is no look-up before it.
func TestTheAddressThatIsCalledIsTheOneThatIsJudged(t *testing.T) {
	var seen atomic.Int64 // names are looked up side by side
	settings := Settings{}
	dialer := net.Dialer{ControlContext: settings.control, Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		seen.Add(1)
		return nil, errors.New("no resolver")
	}}}
	if _, err := dialer.Dial("tcp", "rebinding.example:80"); err == nil || seen.Load() == 0 {
		t.Errorf("%v after %d look-ups", err, seen.Load())
	}
	for _, address := range []string{"127.0.0.1:80", "[fd00::1]:80", "10.0.0.1:443"} {
		if err := settings.control(context.Background(), "tcp", address, nil); !engine.IsPermanent(err) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := settings.control(context.Background(), "tcp", "nonsense", nil); !engine.IsPermanent(err) {
		t.Errorf("%v", err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer server.Close()
	response, err := Client(Settings{AllowPrivate: true}).Get(server.URL)
	if err != nil || response.StatusCode != http.StatusFound || calls != 1 {
		t.Errorf("%v %v after %d calls", response, err, calls)
	}
}

func TestProxies(t *testing.T) {
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked = append(asked, r.URL.String()) }))
	defer proxy.Close()
	at, _ := url.Parse(proxy.URL)
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	if _, err := Client(Settings{}).Get("http://127.0.0.1:1/"); err == nil || len(asked) != 0 {
		t.Errorf("the proxy of the process environment was asked: %v %v", asked, err)
	}
	response, err := Client(Settings{Proxy: at}).Get("http://hooks.example/x")
	if err != nil || response.StatusCode != 200 || len(asked) != 1 || asked[0] != "http://hooks.example/x" {
		t.Errorf("%v %v", asked, err)
	}
}
