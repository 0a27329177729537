package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"switchyard/engine"
	"switchyard/httpapi"
	"switchyard/rules"
	"switchyard/rules/document"
)

// learnedAnswer is what /event-schemas of an environment answers.
type learnedAnswer struct {
	Items []*httpapi.EventSchema `json:"items"`
}

// learningWait is how long a server may take for all environments.
const learningWait = 2 * time.Minute

// warnings are those of the plan, and with --learned or --server those by what events were seen to have.
func (c *checking) warnings(p *plan) (document.Problems, error) {
	var learned []*httpapi.EventSchema
	var err error
	switch {
	case len(p.environments) == 0: // there are no rules, or nobody could read them
	case c.learned != "":
		learned, err = readLearned(c.learned, p)
	case c.server.base != "":
		learned, err = c.fetchLearned(p)
	}
	if err != nil || learned == nil {
		return p.warnings, err
	}
	warnings := p.warnings
	for _, e := range p.environments {
		shapes := p.shapes[e.key]
		for _, schema := range learned {
			if schema.Environment == e.key {
				shapes.Learned = append(shapes.Learned, schema.Shape())
			}
		}
		if p.sets[e.key] != nil {
			_, all := rules.CheckTypes(p.written[e.key], shapes)
			warnings = appendNew(warnings, all)
		}
	}
	_ = warnings.Err() // which sorts
	return warnings, nil
}

// readLearned reads a saved answer. One of an environment that is not configured would be checked against nothing.
func readLearned(file string, p *plan) ([]*httpapi.EventSchema, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("what was learned can not be read: %w", err)
	}
	if err := engine.CheckJSON(text, engine.DefaultJSONLimits); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var answer learnedAnswer
	if err := json.Unmarshal(text, &answer); err != nil || answer.Items == nil {
		return nil, fmt.Errorf("%s is not what /event-schemas answers: there are no items in it", file)
	}
	keys := make([]string, len(p.environments))
	for i, e := range p.environments {
		keys[i] = e.key
	}
	for _, schema := range answer.Items {
		if schema == nil || !slices.Contains(keys, schema.Environment) {
			return nil, fmt.Errorf("%s has events of an environment that is not configured; there are %s", file, strings.Join(keys, ", "))
		}
	}
	return answer.Items, nil
}

// fetchLearned asks a server for all environments.
func (c *checking) fetchLearned(p *plan) ([]*httpapi.EventSchema, error) {
	ctx, cancel := context.WithTimeout(context.Background(), learningWait)
	defer cancel()
	all := []*httpapi.EventSchema{}
	for _, e := range p.environments {
		var answer learnedAnswer
		if err := c.server.get(ctx, "/api/v1/environments/"+url.PathEscape(e.key)+"/event-schemas", &answer); err != nil {
			return nil, err
		}
		all = append(all, answer.Items...)
	}
	return all, nil
}
