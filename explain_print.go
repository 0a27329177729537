package main

import (
	"fmt"
	"io"
	"strings"

	"switchyard/engine"
	"switchyard/httpapi"
)

// printExplained writes an explanation for people: the rules that matched or failed first, then the nearest misses, then
// the others in one line each, or with every clause.
func printExplained(out io.Writer, e *httpapi.Explained, all bool) {
	event := e.Event
	fmt.Fprintf(out, "%s %q from %s in %s", shownOr(event.Type, "event"), event.Name, event.Source, event.Environment)
	if event.UserID != "" {
		fmt.Fprintf(out, ", user %q", event.UserID)
	}
	fmt.Fprintf(out, "\n%s", e.Outcome)
	if e.Reason != "" {
		fmt.Fprintf(out, ": %s", e.Reason)
	}
	rules := e.Matched + e.Failed + e.Missed
	if e.Outcome == engine.OutcomeInvalid {
		fmt.Fprintln(out)
	} else {
		fmt.Fprintf(out, " (of %d rules %d matched, %d failed)\n", rules, e.Matched, e.Failed)
	}
	for _, note := range event.Notes {
		fmt.Fprintf(out, "  note: %s\n", note)
	}
	for _, action := range e.Actions {
		printExplainedAction(out, "the connection's identify_users: ", httpapi.ExplainAction(action))
	}
	others := 0
	for i := range e.Rules {
		rule := &e.Rules[i]
		if rule.Result != "missed" || rule.Nearest || all {
			printExplainedRule(out, rule, all)
			continue
		}
		if others++; others == 1 {
			fmt.Fprint(out, "\nothers\n")
		}
		fmt.Fprintf(out, "  %s: %s\n", rule.Key, because(rule))
	}
	if more := rules - len(e.Rules); more > 0 && !all {
		fmt.Fprintf(out, "  … and %d more; --all shows them, --rule KEY one of them\n", more)
	}
}

// because is why a rule missed, in one line.
func because(rule *httpapi.ExplainedRule) string {
	if rule.FirstFailing == nil {
		return rule.Pruned
	}
	clause := &rule.Clauses[*rule.FirstFailing]
	line := fmt.Sprintf("%s is %s", clause.Text, clause.Verdict)
	if values := valuesOf(clause); values != "" && clause.Verdict == "false" {
		line += ", " + values
	}
	return line
}

func printExplainedRule(out io.Writer, rule *httpapi.ExplainedRule, all bool) {
	what := rule.Result
	if rule.Nearest {
		what = "nearest"
	}
	fmt.Fprintf(out, "\n%s %s", what, rule.Key)
	if rule.Name != "" {
		fmt.Fprintf(out, " (%s)", rule.Name)
	}
	fmt.Fprintf(out, " %s:%d\n", rule.File, rule.Line)
	if rule.Error != "" {
		fmt.Fprintf(out, "  error: %s\n", rule.Error)
	}
	printExplainedClauses(out, rule.Clauses, rule.MoreClauses, "  ", all)
	for _, hint := range rule.Hints {
		fmt.Fprintf(out, "  hint: %s\n", hint)
	}
	if rule.Pruned != "" {
		fmt.Fprintf(out, "  not looked at: %s\n", rule.Pruned)
	}
	for _, transform := range rule.Transforms {
		fmt.Fprintf(out, "  %s = %s\n", transform.Text, shownOr(transform.Value, "nil"))
	}
	for _, action := range rule.Actions {
		printExplainedAction(out, "  ", action)
	}
}

// printExplainedClauses writes what each clause came to; the values of those that are true are left out unless all is
// asked for.
func printExplainedClauses(out io.Writer, clauses []httpapi.ExplainedClause, more int, indent string, all bool) {
	for i := range clauses {
		clause := &clauses[i]
		fmt.Fprintf(out, "%s%-7s  %s", indent, clause.Verdict, clause.Text)
		if values := valuesOf(clause); values != "" && (all || clause.Verdict != "true") {
			fmt.Fprintf(out, "   # %s", values)
		}
		fmt.Fprintln(out)
		if clause.Verdict != "true" || all {
			fmt.Fprintf(out, "%s         at %s:%d:%d\n", indent, clause.File, clause.Line, clause.Col)
		}
		if clause.Error != "" {
			fmt.Fprintf(out, "%s         %s\n", indent, clause.Error)
		}
		printExplainedClauses(out, clause.Clauses, clause.MoreClauses, indent+"    ", all)
	}
	if more > 0 {
		fmt.Fprintf(out, "%s… and %d more\n", indent, more)
	}
}

// valuesOf are what a clause looked at, with their types.
func valuesOf(clause *httpapi.ExplainedClause) string {
	var values []string
	for _, value := range clause.Values {
		if value.Type == "missing" {
			values = append(values, value.Text+" is missing")
			continue
		}
		values = append(values, fmt.Sprintf("%s is the %s %s", value.Text, value.Type, value.Value))
	}
	return strings.Join(values, ", ")
}

func printExplainedAction(out io.Writer, before string, action httpapi.ExplainedAction) {
	if action.Reason != "" {
		fmt.Fprintf(out, "%s%s %s: %s\n", before, action.Action, action.Status, action.Reason)
		return
	}
	fmt.Fprintf(out, "%s%s %s\n", before, action.Action, action.Payload)
}

func shownOr(text, absent string) string {
	if text == "" {
		return absent
	}
	return text
}
