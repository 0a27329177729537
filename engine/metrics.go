package engine

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the counters of the road of an event. Every label is bounded by the configuration or by a list of ours:
// environments, sources, rules, types, outcomes, statuses; never a user, an id or an event name.
type Metrics struct {
	EventsReceived *prometheus.CounterVec
	EventsRejected *prometheus.CounterVec
	EventsDecided  *prometheus.CounterVec
	Ingest         prometheus.Histogram
	Lag            *prometheus.HistogramVec
	Actions        *prometheus.CounterVec
	ActionSeconds  *prometheus.HistogramVec
	GaveWay        *prometheus.CounterVec
	Paced          *prometheus.CounterVec
	Postponed      *prometheus.CounterVec
	Reloads        *prometheus.CounterVec
	RedisErrors    *prometheus.CounterVec
}

// NewMetrics makes the metrics and registers them.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "switchyard_" + name, Help: help}, labels)
		registry.MustRegister(vec)
		return vec
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		vec := prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "switchyard_" + name, Help: help, Buckets: buckets, NativeHistogramBucketFactor: 1.1,
		}, labels)
		registry.MustRegister(vec)
		return vec
	}
	quick := []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
	slow := append(quick[:len(quick):len(quick)], 10, 30, 60, 300, 1800, 3600)
	m := &Metrics{
		EventsReceived: counter("events_received_total", "Events stored on the event log, repeats and invalid ones included.", "environment", "source", "type"),
		EventsRejected: counter("events_rejected_total", "Requests refused before anything of them was stored, by reason.", "environment", "source", "reason"),
		EventsDecided:  counter("events_decided_total", "Events decided, by outcome.", "environment", "source", "outcome"),
		Lag:            histogram("event_lag_seconds", "From receipt of an event to its decision.", slow, "environment"),
		Actions:        counter("actions_total", "Attempts and ends of actions, by the status they led to.", "environment", "rule", "action", "status"),
		ActionSeconds:  histogram("action_seconds", "Duration of one attempt at a destination.", slow, "environment", "destination", "action"),
		GaveWay:        counter("actions_gave_way_total", "Actions that are dead because too many of their user waited behind them, or for too long.", "environment"),
		Paced:          counter("paced_seconds_total", "Time for which actions that may be due waited for the rate of their destination.", "environment", "destination"),
		Postponed:      counter("actions_postponed_total", "Actions that were not attempted for it was not their turn: the destination has used up a limit, or fails.", "environment", "destination"),
		Reloads:        counter("config_reloads_total", "Reloads of the configuration and rules, by result.", "result"),
		RedisErrors:    counter("redis_errors_total", "Failed Redis operations.", "op"),
		Ingest: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "switchyard_ingest_seconds", Help: "From a request at the ingest door to its answer.",
			Buckets: quick, NativeHistogramBucketFactor: 1.1,
		}),
	}
	registry.MustRegister(m.Ingest)
	for _, result := range []string{"success", "failure"} {
		m.Reloads.WithLabelValues(result)
	}
	return m
}

// TypeLabel is an event type as a label: the types that we know, and "other".
func TypeLabel(eventType string) string {
	switch eventType {
	case TypeTrack, TypeIdentify, TypePage, TypeScreen, TypeGroup, TypeAlias, TypeDelete, TypeRecord:
		return eventType
	}
	return "other"
}

func (m *Metrics) received(event *Event) {
	m.EventsReceived.WithLabelValues(event.Environment, event.Source, TypeLabel(event.Type)).Inc()
}

func (m *Metrics) decided(verdict *Verdict) {
	event := verdict.Event
	m.EventsDecided.WithLabelValues(event.Environment, event.Source, string(verdict.Decision.Outcome)).Inc()
	m.Lag.WithLabelValues(event.Environment).Observe(max(0, verdict.DecidedAt.Sub(event.ReceivedAt).Seconds()))
}

func (m *Metrics) action(action *Action) {
	m.Actions.WithLabelValues(action.Environment, action.Rule, action.Kind, string(action.Status)).Inc()
}

func (m *Metrics) attempted(action *Action, gaveWay bool) {
	m.action(action)
	if gaveWay {
		m.GaveWay.WithLabelValues(action.Environment).Inc()
	}
	took := action.Attempts[len(action.Attempts)-1].Took
	m.ActionSeconds.WithLabelValues(action.Environment, action.Destination, action.Kind).Observe(took.Seconds())
}
