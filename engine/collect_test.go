package engine

import (
	"fmt"
	"iter"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// series counts the series of each metric that some rules come to.
func series(t *testing.T, rules []RuleInfo) map[string]int {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(RuleCollector(func() []string { return []string{"e"} }, func() iter.Seq2[string, RuleInfo] {
		return func(yield func(string, RuleInfo) bool) {
			for _, rule := range rules {
				if !yield("e", rule) {
					return
				}
			}
		}
	}))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, family := range families {
		counts[family.GetName()] = len(family.GetMetric())
	}
	return counts
}

func TestRuleSeries(t *testing.T) {
	rules := make([]RuleInfo, maxIdleRules)
	for i := range rules {
		rules[i].Key = fmt.Sprint("r", i)
	}
	rules[3].Stats = RuleStats{Survivors: 2, Evaluations: 1}
	rules[4].Quarantined = &Quarantine{Reason: QuarantineBudget}
	for _, test := range []struct {
		rules         []RuleInfo
		counted, held int
	}{
		{nil, 0, 0},
		{rules, maxIdleRules, 1},
		{append(rules, RuleInfo{RuleText: RuleText{Key: "one-more"}}), 2, 1}, // only those that an event has found, or that are held
	} {
		counts := series(t, test.rules)
		if counts["switchyard_rule_survivors_total"] != test.counted || counts["switchyard_rule_evaluations_total"] != test.counted ||
			counts["switchyard_rule_quarantined"] != test.held || counts["switchyard_rules_loaded"] != 1 {
			t.Errorf("%d rules: %v", len(test.rules), counts)
		}
	}
}
