package engine

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// books is a ledger that a test writes.
type books struct {
	partitions []Conservation
	err        error
}

func (b *books) Conservation(context.Context, string) ([]Conservation, error) {
	return b.partitions, b.err
}

func equation(left, right int64) []Equation {
	return []Equation{{Name: "events", Text: "accepted = decided", Left: left, Right: right}}
}

func TestABrokenEquationIsToldOnce(t *testing.T) {
	var out bytes.Buffer
	ledger := &books{partitions: []Conservation{{Partition: 0, Equations: equation(5, 5)}, {Partition: 1, Equations: equation(5, 5)}}}
	a := &auditor{environment: "test", ledger: ledger, logger: slog.New(slog.NewTextHandler(&out, nil)), broken: map[imbalance]bool{}}
	audit := func(left, right int64, err error) string {
		out.Reset()
		ledger.partitions[1].Equations, ledger.err = equation(left, right), err
		a.audit(context.Background())
		return out.String()
	}
	for _, step := range []struct {
		left, right int64
		err         error
		want        string
	}{
		{5, 5, nil, ""},
		{5, 4, nil, "CONSERVATION IS BROKEN"},
		{6, 5, nil, ""},
		{6, 6, errors.New("away"), ""},
		{6, 6, nil, "holds again"},
		{6, 6, nil, ""},
		{6, 7, nil, "CONSERVATION IS BROKEN"},
	} {
		got := audit(step.left, step.right, step.err)
		if step.want == "" && got != "" || !strings.Contains(got, step.want) {
			t.Errorf("%d and %d: %q, want %q", step.left, step.right, got, step.want)
		}
		if got != "" && !strings.Contains(got, "partition=1") {
			t.Errorf("it does not say where: %q", got)
		}
	}
}

func TestConservationIsExported(t *testing.T) {
	ledger := &books{partitions: []Conservation{
		{Events: EventTotals{Accepted: 7, Matched: 2, Unmatched: 1, Duplicate: 1, Invalid: 1, Pending: 2}, Actions: ActionTotals{Planned: 3, Succeeded: 1, Open: 2}, Equations: equation(1, 1)},
		{Events: EventTotals{Accepted: 1, Pending: 1}, Actions: ActionTotals{Planned: 2, Skipped: 1, Dead: 1}, Equations: equation(1, 2)},
	}}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(ConservationCollector(func() []string { return []string{"test"} }, ledger))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			got[strings.TrimPrefix(family.GetName(), "switchyard_")+" "+metric.GetLabel()[1].GetValue()] = metric.GetGauge().GetValue()
		}
	}
	want := map[string]float64{
		"log_events accepted": 8, "log_events matched": 2, "log_events unmatched": 1, "log_events duplicate": 1,
		"log_events invalid": 1, "log_events pending": 3,
		"log_actions planned": 5, "log_actions succeeded": 1, "log_actions skipped": 1, "log_actions dead": 1, "log_actions open": 2,
		"conservation_broken events": 1,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
