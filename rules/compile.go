package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"switchyard/engine"
	"switchyard/rules/document"
)

// Compile makes the rules of one environment into a Set, in the order of the files. The error is document.Problems:
// everything that is wrong with any of them.
func Compile(environment string, files []*File) (*Set, error) {
	return NewCompiler().Compile(environment, files)
}

// Compile is the function Compile, with what the Compiler knows.
func (c *Compiler) Compile(environment string, files []*File) (*Set, error) {
	count := 0
	for _, file := range files {
		count += len(file.Rules)
	}
	work := &compilation{Compiler: c, environment: environment, base: c.language(), places: make(map[string]document.Place, count)}
	rules := make([]*rule, 0, count)
	for _, file := range files {
		for _, compiled := range work.file(file) {
			if compiled != nil && compiled.enabled {
				rules = append(rules, compiled)
			}
		}
	}
	if err := work.problems.Err(); err != nil {
		return nil, err
	}
	set := newSet(environment, rules, c.book)
	c.used += set.tree.paths
	return set, nil
}

type compilation struct {
	*Compiler
	environment string
	base        *language
	places      map[string]document.Place // of the keys so far
	problems    document.Problems
}

// mostProblems is more than anybody reads; whoever wrote as much wrong need not wait for the rest.
const mostProblems = 1000

func (c *compilation) report(problem *document.Problem) {
	if problem != nil && len(c.problems) < mostProblems {
		c.problems = append(c.problems, *problem)
	}
}

func (c *compilation) wrong(place document.Place, format string, args ...any) {
	problem := place.Problem(format, args...)
	c.report(&problem)
}

// file compiles the rules of one, unless it has not changed. One that is wrong is not remembered, or the next Compiler
// would take it for right.
func (c *compilation) file(file *File) []*rule {
	key, before := compiledFor{c.environment, file}, len(c.problems)
	compiled := c.recall(key)
	for i := range file.Rules {
		c.key(file.Rules[i].Key)
	}
	if compiled == nil {
		compiled = make([]*rule, len(file.Rules))
		for i := range file.Rules {
			if len(c.problems) >= mostProblems {
				break
			}
			compiled[i] = c.rule(&file.Rules[i])
		}
	}
	if len(c.problems) == before {
		c.compiled[key] = compiled
	}
	return compiled
}

func (c *compilation) rule(written *Rule) *rule {
	compiled := &rule{key: written.Key.Value, enabled: written.Enabled == nil || *written.Enabled}
	if problem := written.tooLarge(); problem != nil {
		c.report(problem)
		return compiled
	}
	var problem *document.Problem
	compiled.match, problem = c.base.match(written.Match, c.book)
	c.report(problem)
	language := c.transforms(compiled, written.Transform)
	for i := range written.Actions {
		c.action(compiled, language, &written.Actions[i])
	}
	compiled.info = describe(written, compiled)
	c.report(compiled.tooCostly(written.Place))
	compiled.mentions = nil // only for the compilation
	return compiled
}

func (c *compilation) key(key document.Text) {
	first, taken := c.places[key.Value]
	switch {
	case isRuleKey(key.Value) && !taken && key.Value != engine.IdentifySwitchRule:
		c.places[key.Value] = key.Place()
	case key.Value == engine.IdentifySwitchRule:
		c.wrong(key.Place(), "the key %s is the name of a connection's own switch; choose another", key.Value)
	case !isRuleKey(key.Value):
		c.wrong(key.Place(), "a rule's key is made of a-z, 0-9, _ and -, and starts with a letter or digit")
	case taken:
		c.wrong(key.Place(), "the key %s is taken in this environment, at %s:%d", key.Value, first.File(), first.Line)
	}
}

// isRuleKey reports a text of a-z, 0-9, _ and - that starts with a letter or digit.
func isRuleKey(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', i > 0 && (c == '_' || c == '-'):
		default:
			return false
		}
	}
	return text != ""
}

// transforms compiles them, and returns the language in which they are all visible.
func (c *compilation) transforms(compiled *rule, written document.Ordered[document.Text]) *language {
	language := c.base
	visible := map[string][]string{} // the reserved traits that each mentions
	for i := range written {
		one := &written[i]
		value, problem := c.expression(language, &one.Value)
		c.report(problem)
		if wrong := c.transformName(one.Name.Value); wrong != "" {
			c.wrong(one.Name.Place(), "%s", wrong)
			continue
		}
		if problem != nil {
			value = &expression{code: new(code)} // so that what uses it is checked too
		}
		visible[one.Name.Value] = value.mentions(visible)
		compiled.transforms = append(compiled.transforms, transform{one.Name.Value, value})
		language = c.language(append(slices.Clone(language.transforms), one.Name.Value)...)
	}
	compiled.mentions = visible
	return language
}

var transformName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// keywords are words that an expression reads as something other than a name.
var keywords = []string{"true", "false", "nil", "let", "if", "else", "in", "not", "and", "or", "matches", "contains", "startsWith", "endsWith"}

func (c *compilation) transformName(name string) (wrong string) {
	_, isEventName := eventNameAt(name)
	switch {
	case !transformName.MatchString(name) || slices.Contains(keywords, name):
		return fmt.Sprintf("%q can not be a name in expressions", name)
	case isEventName:
		return fmt.Sprintf("%s is a name of the event already; choose another", name)
	case c.base.offers(name):
		return fmt.Sprintf("%s is a function; choose another name", name)
	}
	return ""
}

func (c *compilation) action(compiled *rule, language *language, written *Action) {
	switch {
	case written.Identify != nil && written.Trigger != nil:
		c.wrong(written.Place, "an action is an identify or a trigger, not both; write two")
	case written.Identify != nil:
		c.identify(compiled, language, written.Identify)
	case written.Trigger != nil:
		c.trigger(compiled, language, written.Trigger)
	default:
		c.wrong(written.Place, "an action is an identify or a trigger; this is neither")
	}
}

func (c *compilation) identify(compiled *rule, language *language, written *Identify) {
	one := action{kind: engine.ActionIdentify}
	one.userID = c.field(&one, compiled, language, "user_id", &written.UserID)
	one.traits = c.field(&one, compiled, language, "traits", &written.Traits)
	if one.traits != nil {
		one.keep = one.traits.mentions(compiled.mentions)
	}
	compiled.actions = append(compiled.actions, one)
}

func (c *compilation) trigger(compiled *rule, language *language, written *Trigger) {
	one := action{kind: engine.ActionTrigger, workflow: written.Workflow}
	one.note("workflow", written.Workflow)
	one.recipients = c.field(&one, compiled, language, "recipients", &written.Recipients)
	one.actor = c.field(&one, compiled, language, "actor", &written.Actor)
	one.data = c.field(&one, compiled, language, "data", &written.Data)
	one.tenant = c.field(&one, compiled, language, "tenant", &written.Tenant)
	one.cancellationKey = c.field(&one, compiled, language, "cancellation_key", &written.CancellationKey)
	compiled.actions = append(compiled.actions, one)
}

// field compiles one field of an action; nil when the file does not have it, or it is wrong.
func (c *compilation) field(one *action, compiled *rule, language *language, name string, text *document.Text) *expression {
	if text.IsZero() {
		return nil
	}
	one.note(name, text.Value)
	compiledText, problem := c.expression(language, text)
	c.report(problem)
	if problem != nil {
		return nil
	}
	return compiledText
}

// note adds one field, as written, to the action's parameters; they keep the order of the file format.
func (a *action) note(name, written string) {
	inside := bytes.TrimSuffix(bytes.TrimPrefix(a.parameters, []byte("{")), []byte("}"))
	if len(inside) > 0 {
		inside = append(inside, ',')
	}
	a.parameters = json.RawMessage(fmt.Sprintf("{%s%s:%s}", inside, asJSON(name), asJSON(written)))
}

func asJSON(text string) string {
	doc, _ := encodeJSON(text) // a string can always be encoded
	return string(doc)
}

func describe(written *Rule, compiled *rule) engine.RuleText {
	info := engine.RuleText{
		Key: written.Key.Value, Name: written.Name, Match: written.Match.Value,
		File: written.Place.File(), Line: written.Place.Line, Indexed: compiled.match.indexed(),
	}
	var transforms []string
	for _, one := range written.Transform {
		transforms = append(transforms, asJSON(one.Name.Value)+":"+asJSON(one.Value.Value))
	}
	if len(transforms) > 0 {
		info.Transform = json.RawMessage("{" + strings.Join(transforms, ",") + "}")
	}
	info.Actions = listed(compiled.actions)
	info.Version, info.Cost = version(&info), compiled.cost()
	return info
}

// listed is what all actions say, as one list. Their parameters become parts of it, rather than being there twice.
func listed(actions []action) json.RawMessage {
	var each []string
	for _, one := range actions {
		each = append(each, fmt.Sprintf("{%s:%s}", asJSON(one.kind), one.parameters))
	}
	list := json.RawMessage("[" + strings.Join(each, ",") + "]")
	at := 0
	for i := range actions {
		parameters := &actions[i].parameters
		at += bytes.Index(list[at:], *parameters)
		*parameters = list[at : at+len(*parameters) : at+len(*parameters)]
		at += len(*parameters)
	}
	return list
}
