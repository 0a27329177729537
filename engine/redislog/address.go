package redislog

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// silence keeps the client library from writing to stderr: what goes wrong is returned, and logged once at the edge.
var silence = logging.Disable

// pipelines is the most connections with the large buffers of pipelines; when they are taken, a pipeline takes another.
const pipelines = 64

// newClient makes the client of the options' URL. It does not retry by itself: repeating a script whose reply was lost
// is for those who know that it is idempotent.
func newClient(options Options) (redis.UniversalClient, error) {
	universal, err := parseURL(options.URL)
	if err != nil {
		return nil, err
	}
	universal.Protocol = 2 // one shape of replies on every server
	universal.DisableIdentity = true
	universal.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	universal.MaxRetries = -1
	universal.DialerRetries = 1
	universal.DialTimeout = options.DialTimeout
	universal.ReadTimeout, universal.WriteTimeout = options.Timeout, options.Timeout
	universal.PoolTimeout = options.Timeout
	universal.ContextTimeoutEnabled = true
	universal.PoolSize = options.PoolSize
	universal.PipelinePoolSize = min(max(options.PoolSize/4, 4), pipelines)
	if universal.MaxRedirects == 0 && universal.IsClusterMode {
		universal.MaxRedirects = 3
	}
	if network := universal.Network(); network != "" {
		simple := universal.Simple()
		simple.Network = network
		return redis.NewClient(simple), nil
	}
	return redis.NewUniversalClient(&universal.UniversalOptions), nil
}

// CheckURL reports what is wrong with a URL of Options, without connecting; the error holds nothing of the URL.
func CheckURL(url string) error {
	if IsEmbedded(url) {
		return nil
	}
	_, err := parseURL(url)
	return err
}

// IsEmbedded reports whether a URL of Options is that of a server in this process.
func IsEmbedded(url string) bool { return url == "" || url == embeddedURL }

// target is where a URL points.
type target struct {
	redis.UniversalOptions
	socket bool
}

// Network is "unix" for a socket, else "".
func (t *target) Network() string {
	if t.socket {
		return "unix"
	}
	return ""
}

// parseURL reads a URL. Its errors name what is wrong without quoting the URL, which may hold a password.
func parseURL(text string) (*target, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return nil, errors.New("the Redis URL must be embedded, or start with redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://")
	}
	base, form, _ := strings.Cut(scheme, "+")
	t := &target{}
	if base == "rediss" {
		t.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	switch {
	case scheme == "unix":
		t.socket = true
	case base != "redis" && base != "rediss", form != "" && form != "sentinel" && form != "cluster":
		return nil, fmt.Errorf("the Redis URL has the unknown scheme %q", scheme)
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path := rest, ""
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if err := t.credentials(rest[:at]); err != nil {
			return nil, err
		}
		authority = rest[at+1:]
	}
	if !t.socket {
		authority, path, _ = strings.Cut(authority, "/")
	}
	if err := t.hosts(authority, form); err != nil {
		return nil, err
	}
	if err := t.place(path, form); err != nil {
		return nil, err
	}
	return t, t.query(query, form)
}

func (t *target) credentials(userinfo string) error {
	user, password, both := strings.Cut(userinfo, ":")
	if !both {
		user, password = userinfo, ""
	}
	var err1, err2 error
	t.Username, err1 = url.PathUnescape(user)
	t.Password, err2 = url.PathUnescape(password)
	if err1 != nil || err2 != nil {
		return errors.New("the user or password of the Redis URL has a % that is not an escape; write %25 for a % itself")
	}
	return nil
}

func (t *target) hosts(authority, form string) error {
	if t.socket {
		if authority == "" {
			return errors.New("the Redis URL names no socket")
		}
		t.Addrs = []string{authority}
		return nil
	}
	port := "6379"
	if form == "sentinel" {
		port = "26379"
	}
	for host := range strings.SplitSeq(authority, ",") {
		if host == "" {
			return errors.New("the Redis URL names no host, or has an empty one in its list")
		}
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), port)
		}
		t.Addrs = append(t.Addrs, host)
	}
	if form == "" && len(t.Addrs) > 1 {
		return errors.New("the Redis URL names several hosts; that needs redis+sentinel:// or redis+cluster://")
	}
	t.IsClusterMode = form == "cluster"
	return nil
}

// place reads what is behind the hosts: the master's name of a sentinel, then the database.
func (t *target) place(path, form string) error {
	if form == "sentinel" {
		t.MasterName, path, _ = strings.Cut(path, "/")
		if t.MasterName == "" {
			return errors.New("the Redis URL of a sentinel names no master: redis+sentinel://host/master")
		}
	}
	if path == "" {
		return nil
	}
	db, err := strconv.Atoi(path)
	if err != nil || db < 0 {
		return errors.New("the database in the Redis URL is not a number")
	}
	if form == "cluster" && db != 0 {
		return errors.New("a Redis cluster has only database 0")
	}
	t.DB = db
	return nil
}

func (t *target) query(query, form string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the query of the Redis URL is malformed")
	}
	for name := range values {
		value := values.Get(name)
		switch {
		case name == "db" && form != "cluster":
			if t.DB, err = strconv.Atoi(value); err != nil || t.DB < 0 {
				return errors.New("the database in the Redis URL is not a number")
			}
		case name == "skip_verify" && t.TLSConfig != nil:
			t.TLSConfig.InsecureSkipVerify = value == "true"
		case name == "sentinel_username" && form == "sentinel":
			t.SentinelUsername = value
		case name == "sentinel_password" && form == "sentinel":
			t.SentinelPassword = value
		default:
			return fmt.Errorf("the Redis URL has the unknown parameter %q", name)
		}
	}
	return nil
}
