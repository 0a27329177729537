package main

import (
	"time"

	"switchyard/adapters/rows"
	"switchyard/adapters/verify"
	"switchyard/rules"
	"switchyard/rules/document"
)

// The configuration file. These structs are the one description of it: the strict decoder, the defaults below and the
// JSON Schema that `switchyard check --schema` prints all follow from them.

type config struct {
	Listen       document.Text       `yaml:"listen" doc:"The public address, where senders post. Default 127.0.0.1:8080."`
	AdminListen  document.Text       `yaml:"admin_listen" doc:"The private address: management API, /metrics, /healthz, /readyz. Default 127.0.0.1:8081."`
	Redis        document.Text       `yaml:"redis" doc:"embedded (the default, keeps nothing across restarts), redis://, rediss://, redis+sentinel:// or redis+cluster://."`
	Ack          document.Text       `yaml:"ack" enum:"local,replicated" doc:"When an event is acknowledged. local (the default): Redis has it. replicated: a replica of that Redis has it too, so that the death of a master loses nothing that was acknowledged; while no replica answers, senders get 503. Changed by a restart only."`
	Admin        adminConfig         `yaml:"admin" doc:"Who may call the management API."`
	Retention    retentionConfig     `yaml:"retention" doc:"How long the logs are kept, and how large they may be."`
	Sources      []sourceConfig      `yaml:"sources" required:"true" doc:"What sends events."`
	Environments []environmentConfig `yaml:"environments" required:"true" doc:"development, staging, production…: each has its own users, rules, logs, secrets and destination."`
}

type adminConfig struct {
	Tokens []tokenConfig `yaml:"tokens" doc:"Without any, the admin listener must be on loopback."`
}

type tokenConfig struct {
	Name  string `yaml:"name" required:"true" doc:"For people."`
	Role  string `yaml:"role" required:"true" enum:"viewer,editor,admin" doc:"A viewer reads, an editor changes too, an admin manages access too."`
	Token string `yaml:"token" required:"true" doc:"The secret, sent as Authorization: Bearer."`
	Place document.Place
}

type retentionConfig struct {
	Events time.Duration `yaml:"events" doc:"How long events are kept. Default 30d."`
	Action time.Duration `yaml:"actions" doc:"How long actions are kept. Default 30d."`
	Dedupe time.Duration `yaml:"dedupe" doc:"How long a message id is remembered. Default 24h."`
	Size   byteSize      `yaml:"size" doc:"The most memory of Redis that the two logs of one environment may take, such as 4GB; the oldest then go before their time, and what is not done never. No bound by default."`
	Place  document.Place
}

type sourceConfig struct {
	Key   string        `yaml:"key" required:"true" doc:"Names the source in connections, logs and metrics."`
	Kind  document.Text `yaml:"kind" required:"true" doc:"The vendor."`
	Name  string        `yaml:"name" doc:"For people."`
	Place document.Place
}

type environmentConfig struct {
	Key         string                      `yaml:"key" required:"true" doc:"Names the environment in logs, metrics and the API."`
	Partitions  int                         `yaml:"partitions" doc:"How many slices its users are spread over; fixed for the environment's life. Default 8."`
	Destination destinationConfig           `yaml:"destination" doc:"Where actions go."`
	Connections map[string]connectionConfig `yaml:"connections" doc:"The sources of this environment, by their keys."`
	Rules       []document.Text             `yaml:"rules" doc:"Rule files, as patterns relative to this file."`
	Place       document.Place
}

type connectionConfig struct {
	WriteKeys     []string      `yaml:"write_keys" required:"true" doc:"The keys that senders post to; two while one is being replaced."`
	Verify        *verifyConfig `yaml:"verify" doc:"How the sender proves who it is. Without it the write key alone is the credential."`
	IdentifyUsers bool          `yaml:"identify_users" doc:"Every identify event creates or updates its user, without a rule."`

	Rows      *rowsConfig              `yaml:"rows" doc:"What becomes of the rows of a reverse-ETL."`
	Map       *rules.MappingText       `yaml:"map" doc:"Expressions over body and headers that read any JSON."`
	Schemas   map[string]document.Text `yaml:"schemas" doc:"JSON Schemas of the data of events, by the events' names; files relative to this one."`
	OnInvalid string                   `yaml:"on_invalid" enum:"quarantine,warn,reject" doc:"What becomes of an event that does not fit its schema. quarantine (the default): logged as invalid; warn: goes on; reject: refused with 400 when it came alone."`
	Limits    limitsConfig             `yaml:"limits" doc:"What this connection may send, to each process."`
	Place     document.Place
}

// rowsConfig is the adapters' own section, with its place.
type rowsConfig struct {
	rows.Config
	Place document.Place
}

type limitsConfig struct {
	Rate  float64 `yaml:"rate" doc:"Events a second; more are answered 429 with Retry-After. Default: any number."`
	Burst int     `yaml:"burst" doc:"How many events may come at once before the rate counts. Default: a second's worth."`
	Body  int     `yaml:"body" doc:"The most bytes of a request after decompression. Default: 16 MiB."`
	Batch int     `yaml:"batch" doc:"The most events of a request. Default: 4000."`
	Place document.Place
}

// verifyConfig is the adapters' own section, with its place.
type verifyConfig struct {
	verify.Config
	Place document.Place
}

// withDefaults fills what the file leaves out.
func (c *config) withDefaults() {
	fill(&c.Listen.Value, "127.0.0.1:8080")
	fill(&c.AdminListen.Value, "127.0.0.1:8081")
	fill(&c.Redis.Value, "embedded")
	fill(&c.Ack.Value, ackLocal)
	fill(&c.Retention.Events, 30*24*time.Hour)
	fill(&c.Retention.Action, 30*24*time.Hour)
	fill(&c.Retention.Dedupe, 24*time.Hour)
	for i := range c.Environments {
		c.Environments[i].withDefaults()
	}
}

const defaultPartitions = 8

// When an event is acknowledged.
const (
	ackLocal      = "local"
	ackReplicated = "replicated"
)

func (e *environmentConfig) withDefaults() {
	fill(&e.Partitions, defaultPartitions)
	e.Destination.withDefaults()
}

func fill[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}
