package main

import (
	"errors"
	"strings"

	"switchyard/adapters"
	"switchyard/adapters/schema"
	"switchyard/engine"
	"switchyard/httpapi"
	"switchyard/rules"
	"switchyard/rules/document"
)

func (l *loader) connection(e *environmentConfig, source string, writeKeys map[string]bool) *plannedConnection {
	c := e.Connections[source]
	kind, name := "", ""
	known := make([]string, len(l.plan.config.Sources))
	for i, s := range l.plan.config.Sources {
		known[i] = s.Key
		if s.Key == source {
			kind, name = s.Kind.Value, s.Name
		}
	}
	if kind == "" {
		l.wrong(c.Place, "there is no source %q%s; add it to sources", source, nearest(source, known))
		return nil
	}
	for _, key := range c.WriteKeys {
		switch {
		case key == "":
			l.wrong(c.Place, "a write key of %s is empty", source)
		case writeKeys[key]:
			l.wrong(c.Place, "a write key of %s is used twice: it must name one connection", source)
		}
		writeKeys[key] = true
	}
	vendor, ok := adapters.Kinds[kind]
	if !ok {
		return nil // reported with its source
	}
	settings := l.settings(&c)
	if vendor.Rows {
		settings.Objects = l.rows(e.Key)
	}
	receiver, err := vendor.Receiver(settings)
	var wrong adapters.SettingErrors
	errors.As(err, &wrong)
	for _, one := range wrong {
		l.wrong(c.section(one.Section), "connection %s: %v", source, one)
	}
	return &plannedConnection{
		Connection: engine.Connection{
			Environment: e.Key, Source: source, Kind: kind, Name: name,
			IdentifyUsers: c.IdentifyUsers, Verified: c.Verify != nil,
		},
		writeKeys: c.WriteKeys, settings: settings, receiver: receiver,
	}
}

// rows are what the rules of an environment use of them. Looking through all rules takes its time, so it is done once.
func (l *loader) rows(environment string) []engine.Object {
	if set := l.plan.sets[environment]; set != nil && l.objects[environment] == nil {
		l.objects[environment] = set.Objects()
	}
	return l.objects[environment]
}

// settings are what a connection sets for its receiver. What does not compile is reported, and left out.
func (l *loader) settings(c *connectionConfig) adapters.Settings {
	settings := adapters.Settings{
		Limits:    adapters.Limits{Rate: c.Limits.Rate, Burst: c.Limits.Burst, Body: c.Limits.Body, Batch: c.Limits.Batch},
		OnInvalid: c.OnInvalid,
		Schemas:   map[string]*schema.Schema{},
	}
	if c.Verify != nil {
		settings.Verify = c.Verify.Config
	}
	if c.Rows != nil {
		settings.Rows = c.Rows.Config
	}
	if c.Map != nil {
		if c.Map.Name.IsZero() && c.Map.Type.IsZero() {
			l.wrong(c.Map.Place, "a track needs a name: map one, or a type that needs none")
		}
		mapping, err := rules.CompileMapping(c.Map, settings.Verify.Header)
		l.add(err)
		if err == nil {
			settings.Map = mapping
		}
	}
	for _, name := range sortedKeys(c.Schemas) {
		if c.Schemas[name].Value == "" {
			l.wrong(c.Place, "schemas.%s names no file", name)
			continue
		}
		settings.Schemas[name] = l.schema(c.Schemas[name])
	}
	l.withoutEffect(c)
	return settings
}

// withoutEffect reports settings that would change nothing.
func (l *loader) withoutEffect(c *connectionConfig) {
	if len(c.Schemas) == 0 && c.OnInvalid != "" {
		l.wrong(c.Place, "on_invalid has no effect without schemas; add them or remove it")
	}
	if c.Limits.Body > httpapi.MaxBody {
		l.wrong(c.Limits.Place, "limits.body has no effect above %d, which is the limit for everybody", httpapi.MaxBody)
	}
	if dedupe := l.plan.config.Retention.Dedupe; c.Rows != nil && c.Rows.Dedupe > dedupe {
		l.wrong(c.Rows.Place, "rows.dedupe has no effect above retention.dedupe, which is %s", dedupe)
	}
}

// schema reads a schema file, once, and has it watched, sound or not; nil for one that is not.
func (l *loader) schema(file document.Text) *schema.Schema {
	path := l.path(file.Value)
	if loaded, again := l.schemas[path]; again {
		return loaded
	}
	l.plan.files = append(l.plan.files, path)
	loaded, err := schema.Load(path)
	if err != nil {
		l.schemaProblems(file, err)
		loaded = nil
	} else {
		l.plan.files = append(l.plan.files, loaded.Files()...)
	}
	l.schemas[path] = loaded
	return loaded
}

// schemaProblems are reported where they are, and those of a file that can not be read where it is named.
func (l *loader) schemaProblems(file document.Text, err error) {
	problems := schema.Problems{{Message: err.Error()}}
	errors.As(err, &problems)
	for _, p := range problems {
		if p.Line == 0 {
			l.wrong(file.Place(), "%v", p)
			continue
		}
		l.problems = append(l.problems, document.Problem{
			File: p.File, Line: p.Line, Col: p.Col, Message: strings.TrimPrefix(p.Pointer+": "+p.Message, ": "),
		})
	}
}

// section is where a part of the connection stands, or the connection itself.
func (c *connectionConfig) section(name string) document.Place {
	switch {
	case name == "verify" && c.Verify != nil:
		return c.Verify.Place
	case name == "rows" && c.Rows != nil:
		return c.Rows.Place
	case name == "map" && c.Map != nil:
		return c.Map.Place
	case name == "limits":
		return c.Limits.Place
	}
	return c.Place
}
