package rules

import (
	"errors"
	"math"
	"slices"
	"sync"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"switchyard/engine"
	"switchyard/rules/document"
)

// expression is one compiled expression, or one part of a match, where it stands.
type expression struct {
	text *document.Text
	*code
}

// code is what an expression does; all that read alike, in whichever rules, share it.
type code struct {
	// program is nil for one that is made when it is wanted first, of the text, which has been checked; see ready.
	program *vm.Program
	broken  *document.Problem
	late    sync.Once
	// part is its number in a match, or noPart, and transforms are the names that the text sees.
	part       int32
	transforms []string
	// loops is true when it goes through lists.
	loops bool
	// uses are the event's names in it, traits the reserved ones that it names, and others the names in it that are not
	// the event's.
	uses   nameSet
	traits []string
	others []string
	// members are those that it looks up by a literal name, of a value that has a name; is is the name that is all of it.
	members []memberUse
	is      string
	// once is what it costs beside its loops, and cost about what all of it does, in steps.
	once, cost int32
}

// noPart is the number of an expression that is not a part of a match.
const noPart = -1

// ready is the program, which is made when the first event wants it where it was not kept.
func (e *expression) ready() (*vm.Program, error) {
	e.late.Do(func() {
		if e.program == nil {
			e.program, e.broken = remade(*e.text, int(e.part), e.transforms)
		}
	})
	if e.broken != nil {
		return nil, *e.broken
	}
	return e.program, nil
}

// remade compiles a text that has been checked, or a part of it.
func remade(text document.Text, part int, transforms []string) (*vm.Program, *document.Problem) {
	l := newLanguage(eventPlace, transforms...)
	node, problem := l.parse(text)
	if problem != nil {
		return nil, problem
	}
	if part != noPart {
		node = conjuncts(node, nil)[part]
	}
	return l.program(text, node)
}

// build compiles a checked node of an expression; the node is changed.
func (l *language) build(text document.Text, node ast.Node) (*expression, *document.Problem) {
	e, problem := l.survey(text, node)
	if problem != nil {
		return nil, problem
	}
	e.program, problem = l.program(text, node)
	if problem != nil {
		return nil, problem
	}
	return e, nil
}

// program compiles a checked node; the node is changed.
func (l *language) program(text document.Text, node ast.Node) (*vm.Program, *document.Problem) {
	ast.Walk(&node, &rewrite{cache: &l.config.NtCache, cost: costOf(node)})
	root := &ast.SequenceNode{Nodes: []ast.Node{node}}
	program, err := compiler.Compile(&parser.Tree{Node: root}, l.config)
	if err != nil {
		return nil, at(text, node.Location().From, "this expression can not be compiled")
	}
	root.Nodes = nil // the program would keep the tree, which is larger than itself and of no more use
	return program, nil
}

func (l *language) compile(text document.Text) (*expression, *document.Problem) {
	node, problem := l.parse(text)
	if problem != nil {
		return nil, problem
	}
	return l.build(text, node)
}

// survey is an expression without its program.
func (l *language) survey(text document.Text, node ast.Node) (*expression, *document.Problem) {
	cost := costOf(node)
	if problem := cost.refusal(text, node); problem != nil {
		return nil, problem
	}
	c := &code{is: nameOf(node), once: int32(cost.once), cost: int32(min(cost.nominal, math.MaxInt32)), transforms: l.transforms, part: noPart}
	ast.Walk(&node, &survey{c, l.place})
	return &expression{&text, c}, nil
}

// survey finds out what an expression uses.
type survey struct {
	*code
	place *place
}

// Visit implements ast.Visitor.
func (s *survey) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		i, ok := eventNameAt(n.Value)
		if _, seen := s.place.names[n.Value]; ok && seen {
			s.uses |= 1 << i
		} else if !slices.Contains(s.others, n.Value) {
			s.others = append(s.others, n.Value)
		}
	case *ast.StringNode: // a literal, the key of an object or the name of a member
		if slices.Contains(engine.ReservedTraits, n.Value) && !slices.Contains(s.traits, n.Value) {
			s.traits = append(s.traits, n.Value)
		}
	case *ast.PredicateNode:
		s.loops = true
	case *ast.VariableDeclaratorNode:
		s.leave(n)
	}
	s.lookup(*node)
}

// mentions are the reserved traits that the expression names, itself or by the transforms that it uses.
func (e *expression) mentions(transforms map[string][]string) []string {
	all := slices.Clone(e.traits)
	for _, name := range e.others {
		all = append(all, transforms[name]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// run is the expression's value. The error is a document.Problem at the place that raised it.
func (e *expression) run(s *scope) (value any, err error) {
	defer func() {
		if r := recover(); r != nil { // a fault of expr's, or ours, is this rule's only
			err = *at(*e.text, 0, "this expression failed: %v", r)
		}
		s.budget.end()
	}()
	if err := s.budget.begin(int(e.once)); err != nil {
		return nil, e.overBudget(s, err)
	}
	program, err := e.ready()
	if err != nil {
		return nil, err
	}
	if err := s.load(e.uses); err != nil {
		return nil, *at(*e.text, 0, "%s", err.Error())
	}
	machine := &s.machine
	if e.loops {
		machine = new(vm.VM) // a machine keeps what its loops took, and a pooled one would keep it for good
	}
	machine.MemoryBudget = uint(s.budget.left)
	s.values[budgetName] = &s.budget
	value, err = machine.Run(program, s.values)
	if err != nil {
		if isOverBudget(err) {
			return nil, e.overBudget(s, err)
		}
		return nil, e.problem(err)
	}
	return value, nil
}

// overBudget is the error of going over, which the rule's budget remembers.
func (e *expression) overBudget(s *scope, err error) error {
	if s.budget.frugal {
		err = errEventLong
	}
	problem := e.problem(err)
	s.budget.overrun(problem)
	return problem
}

func (e *expression) problem(err error) document.Problem {
	var located *file.Error
	if !errors.As(err, &located) {
		return *at(*e.text, 0, "%s", plainly(err.Error()))
	}
	message := plainly(located.Message)
	if ours := (own{}); errors.As(err, &ours) {
		message = ours.Error()
	}
	return *at(*e.text, located.From, "%s", message)
}

// holds is the value of a condition.
func (e *expression) holds(s *scope) (bool, error) {
	value, err := e.run(s)
	if err != nil {
		return false, err
	}
	met, err := truth(value)
	if err != nil {
		return false, *at(*e.text, 0, "%s", err.Error())
	}
	return met, nil
}
