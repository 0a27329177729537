package httpapi

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"github.com/gofiber/fiber/v2"

	"switchyard/engine"
)

const (
	// learnedDefault and learnedMost are the newest events of each name that are looked at.
	learnedDefault, learnedMost = 200, 2000
	// learnedEvents and learnedBytes bound those of all names, learnedGaps the stretches of the log that are read for a
	// filter that is rare, and learningTime the time for all of it.
	learnedEvents = 20_000
	learnedBytes  = 64 << 20
	learnedGaps   = 20
	learningTime  = 15 * time.Second
	// learnedPage is how many events are in memory at a time.
	learnedPage = 100
)

// EventSchema is what the data of the newest events of one name were seen to have. It is written as the API has it.
type EventSchema struct {
	Environment string `json:"environment"`
	Source      string `json:"source"`
	Type        string `json:"type"`
	Name        string `json:"name"`
	// Events is how many were looked at. Invalid ones and repeats are not: no rule sees them.
	Events int `json:"events"`
	FieldSchemas
}

// FieldSchemas are the members of objects by name.
type FieldSchemas struct {
	Fields map[string]*FieldSchema `json:"fields,omitempty"`
	// More is true when there are more members than are listed, or when their names are data themselves.
	More bool `json:"more_fields,omitempty"`
}

// FieldSchema is what was seen of one field, or of the items of a list.
type FieldSchema struct {
	// Seen is how often it was there. Presence is the share of the objects around it that had it, 0 to 1; absent for the
	// items of a list.
	Seen     int      `json:"seen"`
	Presence *float64 `json:"presence,omitempty"`
	// Types are the shares of each type: string, number, boolean, object, list, null.
	Types map[string]float64 `json:"types"`
	// Example is a value that is neither list nor object, a long text cut.
	Example json.RawMessage `json:"example,omitempty"`
	FieldSchemas
	Items *FieldSchema `json:"items,omitempty"`
}

// eventSchemas answers what the newest events had. When the time is up it is of the events that were read until then.
func (a *admin) eventSchemas(c *fiber.Ctx) error {
	p := readParameters(c, "source", "type", "name", "events")
	query := engine.EventQuery{
		Environment: c.Params("env"), Source: p.text("source"), Type: p.text("type"), Name: p.text("name"), Limit: learnedPage,
	}
	perName := p.count("events", learnedDefault, learnedMost)
	if p.err != nil {
		return p.err
	}
	ctx, cancel := context.WithTimeout(c.UserContext(), 2*learningTime)
	defer cancel()
	shapes, err := learn(ctx, a.Log(), query, perName)
	if err != nil {
		return err
	}
	return c.JSON(listView[*EventSchema]{Items: list(shapes, func(shape engine.EventShape) *EventSchema {
		return viewEventSchema(query.Environment, shape)
	})})
}

// learn reads the newest events, all names together.
func learn(ctx context.Context, log EventLog, query engine.EventQuery, perName int) ([]engine.EventShape, error) {
	learner, until := engine.NewLearner(perName), time.Now().Add(learningTime)
	for events, bytes, gaps := 0, 0, 0; events < learnedEvents && bytes < learnedBytes && gaps < learnedGaps && time.Now().Before(until); {
		page, err := log.Events(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, record := range page.Items {
			learner.Add(record.Event)
			bytes += len(record.Original)
		}
		if events += len(page.Items); len(page.Items) < query.Limit {
			gaps++
		}
		if query.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	return learner.Shapes(), nil
}

func viewEventSchema(environment string, shape engine.EventShape) *EventSchema {
	return &EventSchema{
		Environment: environment, Source: shape.Source, Type: shape.Type, Name: shape.Name, Events: shape.Events,
		FieldSchemas: viewFields(shape.Data),
	}
}

func viewFields(shape *engine.Shape) FieldSchemas {
	fields := FieldSchemas{More: shape.Members != nil && shape.Rest != engine.RestClosed}
	if len(shape.Members) > 0 {
		fields.Fields = make(map[string]*FieldSchema, len(shape.Members))
	}
	for name, member := range shape.Members {
		field := viewField(member)
		presence := share(member.Seen(), shape.Count(engine.JSONObject))
		field.Presence = &presence
		fields.Fields[name] = field
	}
	return fields
}

func viewField(shape *engine.Shape) *FieldSchema {
	field := &FieldSchema{Seen: shape.Seen(), Types: map[string]float64{}, Example: shape.Example, FieldSchemas: viewFields(shape)}
	for i, count := range shape.Counts {
		if count > 0 {
			field.Types[engine.JSONTypeNames[i]] = share(count, field.Seen)
		}
	}
	if shape.Items != nil {
		field.Items = viewField(shape.Items)
	}
	return field
}

// share is a part of all, to four digits.
func share(part, all int) float64 { return math.Round(1e4*float64(part)/float64(max(all, 1))) / 1e4 }

// Shape is what the schema was made of.
func (s *EventSchema) Shape() engine.EventShape {
	data := &engine.Shape{}
	data.Saw(engine.JSONObject, s.Events)
	s.into(data)
	return engine.EventShape{Source: s.Source, Type: s.Type, Name: s.Name, Events: s.Events, Data: data}
}

func (s *FieldSchema) shape() *engine.Shape {
	shape := &engine.Shape{Example: s.Example}
	for i, name := range engine.JSONTypeNames {
		if part := s.Types[name]; part > 0 {
			shape.Saw(1<<i, max(1, int(math.Round(part*float64(s.Seen)))))
		}
	}
	s.into(shape)
	if s.Items != nil {
		shape.Items = s.Items.shape()
	}
	return shape
}

// into gives a shape the members.
func (s *FieldSchemas) into(shape *engine.Shape) {
	if !shape.Types.Has(engine.JSONObject) {
		return
	}
	shape.Members, shape.Rest = make(map[string]*engine.Shape, len(s.Fields)), engine.RestClosed
	if s.More {
		shape.Rest = engine.RestUnsaid
	}
	for name, field := range s.Fields {
		if field != nil {
			shape.Members[name] = field.shape()
		}
	}
}
