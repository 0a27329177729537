// Package dial makes the HTTP clients that destinations call out with. A client refuses addresses inside the network it
// runs in unless they are allowed, follows no redirect, and waits for nothing without a bound.
package dial

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"switchyard/engine"
)

// Settings are how the hosts of a destination are reached. Zero values are the defaults given.
type Settings struct {
	// AllowPrivate allows every address, also loopback, private and link-local ones; Allow allows those of some networks.
	AllowPrivate bool
	Allow        []netip.Prefix
	// Proxy is called instead of the hosts, nil for none; those of the process environment are not heeded. It may have any
	// address, and what it connects to is for it to judge.
	Proxy *url.URL
	// Connect bounds the time for a connection, 5 s, TLS included.
	Connect time.Duration
	// Connections bounds how many there are to one host, 64.
	Connections int
	// RootCAs of TLS; nil for those of the system.
	TLS *tls.Config
}

const (
	// headerBytes bounds the header of a response.
	headerBytes = 64 << 10
	idleTime    = 90 * time.Second
)

// Client makes a client. What is refused for its address is final: another attempt would be refused as well, and whoever
// allows it can run the action again.
func Client(settings Settings) *http.Client {
	if settings.Connect == 0 {
		settings.Connect = 5 * time.Second
	}
	if settings.Connections == 0 {
		settings.Connections = 64
	}
	dialer := &net.Dialer{Timeout: settings.Connect, KeepAlive: 30 * time.Second}
	transport := &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        settings.TLS,
		TLSHandshakeTimeout:    settings.Connect,
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: headerBytes,
		MaxConnsPerHost:        settings.Connections,
		MaxIdleConnsPerHost:    settings.Connections,
		IdleConnTimeout:        idleTime,
	}
	if settings.Proxy != nil {
		transport.Proxy = http.ProxyURL(settings.Proxy)
	} else {
		dialer.ControlContext = settings.control
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// control is called with the address that is about to be connected to: after names were looked up, for each address that a
// name has, and for numbers in whatever form. Nothing can change the address between the check and the connection.
func (s Settings) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return engine.Permanent(fmt.Errorf("the address %q can not be judged: %w", address, err))
	}
	if why := s.refuses(at.Addr()); why != "" {
		return engine.Permanent(fmt.Errorf("%s is %s, which a destination may not be: allow_private or allow in its settings permit it", at.Addr(), why))
	}
	return nil
}

// refuses says why an address is not called; "" when it may be.
func (s Settings) refuses(address netip.Addr) string {
	if s.AllowPrivate {
		return ""
	}
	address = embedded(address.WithZone("").Unmap())
	for _, network := range s.Allow {
		if network.Contains(address) {
			return ""
		}
	}
	for _, special := range specials {
		if special.network.Contains(address) {
			return special.name
		}
	}
	return ""
}

// translations are the IPv6 networks whose addresses stand for an IPv4 one, which begins at a byte of theirs.
var translations = []struct {
	network netip.Prefix
	at      int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64, RFC 6052
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4, RFC 3056
	{netip.MustParsePrefix("::/96"), 12},        // IPv4-compatible, RFC 4291
}

// embedded is the IPv4 address that an IPv6 one stands for, or the address itself.
func embedded(address netip.Addr) netip.Addr {
	for _, t := range translations {
		if address.Is6() && t.network.Contains(address) && address != netip.IPv6Unspecified() && address != netip.IPv6Loopback() {
			bytes := address.As16()
			return netip.AddrFrom4([4]byte(bytes[t.at : t.at+4]))
		}
	}
	return address
}

// specials are the networks of IANA's special-purpose registries that lead nowhere on the public Internet, or back into
// one's own network.
var specials = func() (list []special) {
	for _, entry := range [][2]string{
		{"0.0.0.0/8", "this network"}, {"10.0.0.0/8", "a private address"}, {"100.64.0.0/10", "a carrier's private address"},
		{"127.0.0.0/8", "a loopback address"}, {"169.254.0.0/16", "a link-local address"}, {"172.16.0.0/12", "a private address"},
		{"192.0.0.0/24", "a protocol assignment"}, {"192.0.2.0/24", "for documentation"}, {"192.88.99.0/24", "a relay"},
		{"192.168.0.0/16", "a private address"}, {"198.18.0.0/15", "for benchmarks"}, {"198.51.100.0/24", "for documentation"},
		{"203.0.113.0/24", "for documentation"}, {"224.0.0.0/4", "a multicast address"}, {"240.0.0.0/4", "reserved"},
		{"::/128", "the unspecified address"}, {"::1/128", "a loopback address"}, {"64:ff9b:1::/48", "a local translation"},
		{"100::/64", "for discarding"}, {"2001::/23", "a protocol assignment"}, {"2001:db8::/32", "for documentation"},
		{"3fff::/20", "for documentation"}, {"5f00::/16", "for segment routing"}, {"fc00::/7", "a private address"},
		{"fe80::/10", "a link-local address"}, {"fec0::/10", "a site-local address"}, {"ff00::/8", "a multicast address"},
	} {
		list = append(list, special{netip.MustParsePrefix(entry[0]), entry[1]})
	}
	return list
}()

type special struct {
	network netip.Prefix
	name    string
}
