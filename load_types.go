package main

import (
	"log/slog"

	"switchyard/adapters"
	"switchyard/engine"
	"switchyard/rules"
	"switchyard/rules/document"
)

// types holds an environment's rules against the schemas of its connections. Sources are all that are connected.
func (l *loader) types(e *plannedEnvironment, sources []string) {
	shapes := rules.Shapes{Sources: sources, Declared: declaredShapes(e)}
	l.plan.shapes[e.key] = shapes
	if l.plan.sets[e.key] == nil {
		return // there is enough to complain of
	}
	problems, warnings := rules.CheckTypes(l.plan.written[e.key], shapes)
	l.problems = appendNew(l.problems, problems) // environments may share files
	l.plan.warnings = appendNew(l.plan.warnings, warnings)
	_ = l.plan.warnings.Err() // which sorts
}

// declaredShapes are those of the schemas of an environment. An event that does not fit comes to the rules only where
// that is asked for.
func declaredShapes(e *plannedEnvironment) []engine.EventShape {
	var shapes []engine.EventShape
	for _, c := range e.connections {
		for _, name := range sortedKeys(c.settings.Schemas) {
			if schema := c.settings.Schemas[name]; schema != nil {
				shapes = append(shapes, engine.EventShape{
					Source: c.Source, Name: name, Enforced: c.settings.OnInvalid != adapters.Warn, Data: schema.Shape(),
				})
			}
		}
	}
	return shapes
}

// appendNew adds the problems that are not among them.
func appendNew(problems, more document.Problems) document.Problems {
	known := make(map[document.Problem]bool, len(problems))
	for _, problem := range problems {
		known[problem] = true
	}
	for _, problem := range more {
		if !known[problem] {
			problems = append(problems, problem)
		}
	}
	return problems
}

// warn logs what is odd about a plan that is now live.
func (p *plan) warn(logger *slog.Logger) {
	const most = 20
	for _, warning := range p.warnings[:min(len(p.warnings), most)] {
		logger.Warn("a rule is odd", "warning", warning.Error())
	}
	if more := len(p.warnings) - most; more > 0 {
		logger.Warn("more rules are odd; switchyard check tells of all", "more", more)
	}
}
