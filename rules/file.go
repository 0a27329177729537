package rules

import (
	"switchyard/rules/document"
)

// File is one rules file as written.
type File struct {
	// Path is the file's name, as problems show it.
	Path string `yaml:"-"`
	src  []byte

	Rules []Rule `yaml:"rules" doc:"What to do with which events, in order."`
	Tests []Test `yaml:"tests" doc:"Sample events and what the rules should make of them; switchyard test runs them."`
}

// Rule is one rule as written. Match, the transforms and the fields of its actions are expressions.
type Rule struct {
	Place     document.Place
	Key       document.Text                   `yaml:"key" required:"true" doc:"Names the rule in logs and metrics: lower-case letters, digits, - and _; unique in the environment."`
	Name      string                          `yaml:"name" doc:"A name for people."`
	Enabled   *bool                           `yaml:"enabled" doc:"false switches the rule off; it is still checked."`
	Match     document.Text                   `yaml:"match" doc:"An expression that is true for the events this rule is for; left out, it takes every event."`
	Transform document.Ordered[document.Text] `yaml:"transform" doc:"Names for the values of expressions, in order; each name is visible below it."`
	Actions   []Action                        `yaml:"actions" required:"true" doc:"What to do, in order; identifies are done before triggers."`
}

// Action is one action as written: an identify or a trigger.
type Action struct {
	Place    document.Place
	Identify *Identify `yaml:"identify" doc:"Creates or updates one user."`
	Trigger  *Trigger  `yaml:"trigger" doc:"Starts a notification workflow."`
}

// Identify is an identify action as written.
type Identify struct {
	UserID document.Text `yaml:"user_id" required:"true" doc:"An expression: the user's id."`
	Traits document.Text `yaml:"traits" doc:"An expression: an object of traits, merged into those that the user has."`
}

// Trigger is a trigger action as written. Workflow is literal.
type Trigger struct {
	Workflow        string        `yaml:"workflow" required:"true" doc:"The workflow's key, literally."`
	Recipients      document.Text `yaml:"recipients" required:"true" doc:"An expression: an id, an object with an id (identified first), or a list of either."`
	Actor           document.Text `yaml:"actor" doc:"An expression: who did it, as one recipient."`
	Data            document.Text `yaml:"data" doc:"An expression: an object for the workflow's templates."`
	Tenant          document.Text `yaml:"tenant" doc:"An expression: the tenant's id."`
	CancellationKey document.Text `yaml:"cancellation_key" doc:"An expression: a text by which the workflow can be cancelled."`
}

// Test is one sample event with what the rules should make of it.
type Test struct {
	Place   document.Place
	Name    string            `yaml:"name" required:"true" doc:"What the test shows."`
	Source  document.Text     `yaml:"source" doc:"The key of the source that sends the event; left out, it is read as a source of kind http would."`
	Headers map[string]string `yaml:"headers" doc:"Headers that come with the event, for a connection whose map reads them."`
	Event   any               `yaml:"event" required:"true" doc:"The event, as its source sends it; a row, or a list of rows, for a source that sends rows."`
	Expect  []Expectation     `yaml:"expect" doc:"The actions asked for, all of them, in order; none when left out."`
}

// Expectation is one action that a test expects; what it leaves out is not compared.
type Expectation struct {
	Place           document.Place
	Rule            document.Text     `yaml:"rule" required:"true" doc:"The rule that asks for it; identify_users for the connection's switch."`
	Identify        *ExpectedIdentify `yaml:"identify" doc:"An identify action."`
	Trigger         string            `yaml:"trigger" doc:"A trigger action: the workflow's key."`
	Recipients      any               `yaml:"recipients" doc:"Of a trigger: an id, an object with an id, or a list of either, all of them."`
	Actor           any               `yaml:"actor" doc:"Of a trigger: who did it."`
	Data            any               `yaml:"data" doc:"Of a trigger: all of its data."`
	Tenant          any               `yaml:"tenant" doc:"Of a trigger."`
	CancellationKey any               `yaml:"cancellation_key" doc:"Of a trigger."`
	Skipped         string            `yaml:"skipped" doc:"The action is skipped, with a reason that contains this."`
}

// ExpectedIdentify is what a test expects of an identify.
type ExpectedIdentify struct {
	UserID any `yaml:"user_id" doc:"The user's id."`
	Traits any `yaml:"traits" doc:"All of the traits."`
}

// Parse reads one rules file. The error is document.Problems. Variables are not expanded: an expression has its own use
// of $.
func Parse(path string, src []byte) (*File, error) {
	doc, err := document.Parse(path, src)
	if err != nil {
		return nil, err
	}
	file := &File{Path: path, src: src}
	if err := doc.Decode(file, nil); err != nil {
		return nil, err
	}
	return file, nil
}

// LoadFiles reads rules files, all of them, before it reports what is wrong, as document.Problems.
func LoadFiles(paths []string) ([]*File, error) { return NewCompiler().Load(paths) }

// Schema is the JSON Schema of a rules file, for editors.
func Schema() ([]byte, error) {
	return document.Schema(File{}, "Switchyard rules")
}
