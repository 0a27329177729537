package engine

import (
	"context"
	"iter"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Backlog is what stands in an environment now.
type Backlog struct {
	// Pending events are accepted and not decided.
	Pending int64
	// Lanes with an action that is not ended.
	LanesWaiting int64
	// Dead actions that can be run again.
	Dead int64
}

// BacklogCollector reads the backlogs at scrape time, so that a scrape never shows an old figure as today's: while the
// store is away the three gauges are absent.
func BacklogCollector(environments func() []string, read func(ctx context.Context, environment string) (Backlog, error)) prometheus.Collector {
	return &backlogCollector{environments, read}
}

type backlogCollector struct {
	environments func() []string
	read         func(ctx context.Context, environment string) (Backlog, error)
}

var (
	pendingDesc = prometheus.NewDesc("switchyard_pending_events", "Events accepted and not decided yet.", []string{"environment"}, nil)
	lanesDesc   = prometheus.NewDesc("switchyard_lanes_waiting", "Lanes with an action that has not ended: users, or single actions where the order is relaxed.", []string{"environment"}, nil)
	deadDesc    = prometheus.NewDesc("switchyard_actions_dead", "Actions that ended dead and were not run again.", []string{"environment"}, nil)
)

// Describe names the three gauges.
func (c *backlogCollector) Describe(out chan<- *prometheus.Desc) {
	out <- pendingDesc
	out <- lanesDesc
	out <- deadDesc
}

// Collect reads each environment's backlog, for two seconds at most in all.
func (c *backlogCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, environment := range c.environments() {
		backlog, err := c.read(ctx, environment)
		if err != nil {
			continue // counted by the store as a Redis error
		}
		gauge := func(desc *prometheus.Desc, value int64) {
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), environment)
		}
		gauge(pendingDesc, backlog.Pending)
		gauge(lanesDesc, backlog.LanesWaiting)
		gauge(deadDesc, backlog.Dead)
	}
}

// ConservationCollector reads at scrape time what each environment's log comes to, and which equations do not hold; while
// the store is away it exports nothing.
func ConservationCollector(environments func() []string, ledger Ledger) prometheus.Collector {
	return &conservationCollector{environments, ledger}
}

type conservationCollector struct {
	environments func() []string
	ledger       Ledger
}

var (
	logEventsDesc  = prometheus.NewDesc("switchyard_log_events", "Events ever accepted, by what became of them: accepted is the sum of the others.", []string{"environment", "state"}, nil)
	logActionsDesc = prometheus.NewDesc("switchyard_log_actions", "Actions ever planned, by where they stand: planned is the sum of the others.", []string{"environment", "state"}, nil)
	brokenDesc     = prometheus.NewDesc("switchyard_conservation_broken", "1 when an equation does not hold in some partition: something was lost, or came from nowhere.", []string{"environment", "equation"}, nil)
)

// Describe names the three gauges.
func (c *conservationCollector) Describe(out chan<- *prometheus.Desc) {
	out <- logEventsDesc
	out <- logActionsDesc
	out <- brokenDesc
}

// Collect reads each environment's partitions, for two seconds at most in all.
func (c *conservationCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, environment := range c.environments() {
		partitions, err := c.ledger.Conservation(ctx, environment)
		if err != nil {
			continue // counted by the store as a Redis error
		}
		collectConservation(out, environment, partitions)
	}
}

func collectConservation(out chan<- prometheus.Metric, environment string, partitions []Conservation) {
	var events EventTotals
	var actions ActionTotals
	broken := map[string]int64{}
	for _, partition := range partitions {
		events, actions = events.Plus(partition.Events), actions.Plus(partition.Actions)
		for _, equation := range partition.Equations {
			if !equation.Holds() {
				broken[equation.Name] = 1
			} else if broken[equation.Name] == 0 {
				broken[equation.Name] = 0
			}
		}
	}
	gauges := func(desc *prometheus.Desc, values map[string]int64) {
		for label, value := range values {
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), environment, label)
		}
	}
	gauges(logEventsDesc, map[string]int64{"accepted": events.Accepted, "matched": events.Matched, "unmatched": events.Unmatched,
		"duplicate": events.Duplicate, "invalid": events.Invalid, "pending": events.Pending})
	gauges(logActionsDesc, map[string]int64{"planned": actions.Planned, "succeeded": actions.Succeeded, "skipped": actions.Skipped,
		"dead": actions.Dead, "open": actions.Open})
	gauges(brokenDesc, broken)
}

// DestinationCollector exports how the destinations of each environment do, as this process knows it.
func DestinationCollector(environments func() []string, of func(environment string) []DestinationInfo) prometheus.Collector {
	return &destinationCollector{environments, of}
}

type destinationCollector struct {
	environments func() []string
	of           func(environment string) []DestinationInfo
}

var (
	breakerDesc = prometheus.NewDesc("switchyard_destination_breaker", "Circuit breaker of a destination: 0 closed, 1 half-open, 2 open.", []string{"environment", "destination"}, nil)
	pausedDesc  = prometheus.NewDesc("switchyard_destination_paused", "1 for a destination that is paused.", []string{"environment", "destination"}, nil)
)

// Describe names the two gauges.
func (c *destinationCollector) Describe(out chan<- *prometheus.Desc) {
	out <- breakerDesc
	out <- pausedDesc
}

// Collect asks nobody else.
func (c *destinationCollector) Collect(out chan<- prometheus.Metric) {
	breaker := map[BreakerState]float64{BreakerHalfOpen: 1, BreakerOpen: 2}
	for _, environment := range c.environments() {
		for _, d := range c.of(environment) {
			paused := 0.0
			if d.Paused != nil {
				paused = 1
			}
			out <- prometheus.MustNewConstMetric(breakerDesc, prometheus.GaugeValue, breaker[d.Breaker], environment, d.Name)
			out <- prometheus.MustNewConstMetric(pausedDesc, prometheus.GaugeValue, paused, environment, d.Name)
		}
	}
}

// RuleCollector exports the counters that the rules keep themselves, and for every environment how many it has: none is
// a figure too, and one to be woken by. Of an environment with thousands of rules only those are exported that an event
// has found: the others would be hundreds of thousands of series that are zero.
func RuleCollector(environments func() []string, rules func() iter.Seq2[string, RuleInfo]) prometheus.Collector {
	return &ruleCollector{environments, rules}
}

type ruleCollector struct {
	environments func() []string
	rules        func() iter.Seq2[string, RuleInfo]
}

var (
	ruleLabels      = []string{"environment", "rule"}
	survivorsDesc   = prometheus.NewDesc("switchyard_rule_survivors_total", "Events for which the index found a rule.", ruleLabels, nil)
	evaluationsDesc = prometheus.NewDesc("switchyard_rule_evaluations_total", "Events on which a rule's match was evaluated.", ruleLabels, nil)
	matchesDesc     = prometheus.NewDesc("switchyard_rule_matches_total", "Events that a rule matched.", ruleLabels, nil)
	errorsDesc      = prometheus.NewDesc("switchyard_rule_errors_total", "Events on which a rule failed.", ruleLabels, nil)
	spentDesc       = prometheus.NewDesc("switchyard_rule_eval_seconds_total", "Time spent in a rule's expressions.", ruleLabels, nil)
	quarantinesDesc = prometheus.NewDesc("switchyard_rule_quarantines_total", "How often a rule was put into quarantine.", ruleLabels, nil)
	quarantinedDesc = prometheus.NewDesc("switchyard_rule_quarantined", "1 for a rule that is in quarantine, and not evaluated.", []string{"environment", "rule", "reason"}, nil)
	loadedDesc      = prometheus.NewDesc("switchyard_rules_loaded", "Live rules.", []string{"environment"}, nil)
)

// Describe names the rule metrics.
func (c *ruleCollector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{survivorsDesc, evaluationsDesc, matchesDesc, errorsDesc, spentDesc, quarantinesDesc, quarantinedDesc, loadedDesc} {
		out <- desc
	}
}

// maxIdleRules is the size of an environment up to which rules that no event has found are exported too.
const maxIdleRules = 2000

// Collect reads every rule's counters.
func (c *ruleCollector) Collect(out chan<- prometheus.Metric) {
	loaded, idle := map[string]int{}, map[string][]RuleInfo{}
	for _, environment := range c.environments() {
		loaded[environment] = 0
	}
	for environment, rule := range c.rules() {
		loaded[environment]++
		if rule.Stats.Survivors > 0 || rule.Quarantined != nil {
			collectRule(out, environment, &rule)
		} else if len(idle[environment]) <= maxIdleRules {
			idle[environment] = append(idle[environment], rule)
		}
	}
	for environment, count := range loaded {
		out <- prometheus.MustNewConstMetric(loadedDesc, prometheus.GaugeValue, float64(count), environment)
		for i := range idle[environment] {
			if count <= maxIdleRules {
				collectRule(out, environment, &idle[environment][i])
			}
		}
	}
}

func collectRule(out chan<- prometheus.Metric, environment string, rule *RuleInfo) {
	counter := func(desc *prometheus.Desc, value float64) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, value, environment, rule.Key)
	}
	counter(survivorsDesc, float64(rule.Stats.Survivors))
	counter(evaluationsDesc, float64(rule.Stats.Evaluations))
	counter(matchesDesc, float64(rule.Stats.Matches))
	counter(errorsDesc, float64(rule.Stats.Errors))
	counter(spentDesc, rule.Stats.Spent.Seconds())
	counter(quarantinesDesc, float64(rule.Stats.Quarantines))
	if q := rule.Quarantined; q != nil {
		out <- prometheus.MustNewConstMetric(quarantinedDesc, prometheus.GaugeValue, 1, environment, rule.Key, q.Reason)
	}
}
