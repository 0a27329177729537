package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// Role is what a token may do; each may do what the ones before it may.
type Role string

// The roles: a viewer reads, an editor changes, an admin manages access.
const (
	Viewer Role = "viewer"
	Editor Role = "editor"
	Admin  Role = "admin"
)

var ranks = []Role{Viewer, Editor, Admin}

// Token is a secret that may call the management API.
type Token struct {
	Name   string
	Role   Role
	Secret string
}

const roleLocal = "role"

// authenticate finds the caller's role. Without tokens the listener is on loopback (the start is refused otherwise) and
// every caller is an admin; but the Host must then be a loopback name too, or a web page could rebind its own name to
// 127.0.0.1 and read the log through its visitor's browser.
func (a *admin) authenticate(c *fiber.Ctx) error {
	tokens := a.Tokens()
	if len(tokens) == 0 {
		if !localRequest(c) {
			return &failure{Status: fiber.StatusForbidden, Code: "not_loopback", Message: "without tokens the management API answers to localhost only; set admin.tokens"}
		}
		c.Locals(roleLocal, Admin)
		return c.Next()
	}
	scheme, given, _ := strings.Cut(c.Get(fiber.HeaderAuthorization), " ")
	role := Role("")
	if strings.EqualFold(scheme, "Bearer") {
		role = roleOf(tokens, strings.TrimSpace(given))
	}
	if role == "" {
		c.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="switchyard"`)
		return &failure{Status: fiber.StatusUnauthorized, Code: "unauthorized", Message: "send Authorization: Bearer <token> with a token of admin.tokens"}
	}
	c.Locals(roleLocal, role)
	return c.Next()
}

// roleOf compares with every token, whatever is found, so that the time taken says nothing.
func roleOf(tokens []Token, given string) (role Role) {
	sum := sha256.Sum256([]byte(given))
	for _, token := range tokens {
		want := sha256.Sum256([]byte(token.Secret))
		if subtle.ConstantTimeCompare(sum[:], want[:]) == 1 {
			role = token.Role
		}
	}
	return role
}

// localRequest reports that a request names this machine, by the Host it was sent to — not by a forwarded one, which any
// page can make up — and comes from no page of another site.
func localRequest(c *fiber.Ctx) bool {
	if !loopbackHost(string(c.Request().Host())) {
		return false
	}
	origin := c.Get(fiber.HeaderOrigin)
	if origin == "" {
		return true
	}
	from, err := url.Parse(origin)
	return err == nil && loopbackHost(from.Host)
}

func needs(least Role) fiber.Handler {
	return func(c *fiber.Ctx) error {
		role, _ := c.Locals(roleLocal).(Role)
		if slices.Index(ranks, role) < slices.Index(ranks, least) {
			return &failure{Status: fiber.StatusForbidden, Code: "forbidden", Message: "this needs the role " + string(least)}
		}
		return c.Next()
	}
}

func loopbackHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
