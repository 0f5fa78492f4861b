package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// value is one value as it was written, and the place for complaints about it.
type value struct {
	text string
	at   Problem
}

// document is what a file says: scalars by key, and groups.
type document struct {
	file     string
	values   map[string]value
	groups   []Group
	problems []Problem
}

// readDocument reads the YAML as a tree and walks it by hand, because that gives every mistake its line and column, also those
// that a decoder into structs would find only one at a time.
func readDocument(file string, text []byte) *document {
	d := &document{file: file, values: map[string]value{}}
	if len(bytes.TrimSpace(text)) == 0 {
		return d
	}
	var root yaml.Node
	if err := yaml.Load(text, &root); err != nil {
		d.syntax(err)
		return d
	}
	if len(root.Content) == 0 || root.Content[0].Tag == "!!null" {
		return d
	}
	var known []string
	for _, s := range settings() {
		known = append(known, s.key)
	}
	for key, node := range d.mapping(root.Content[0], "the configuration", append(known, "groups")) {
		if key == "groups" {
			d.readGroups(node)
		} else {
			d.scalar(d.values, key, node)
		}
	}
	return d
}

func (d *document) readGroups(node *yaml.Node) {
	if node.Kind != yaml.SequenceNode {
		d.problem(node, `groups must be a list; write each group on a line of its own, like "- match: web-*"`)
		return
	}
	var known []string
	for _, s := range groupSettings() {
		known = append(known, s.key)
	}
	for _, entry := range node.Content {
		entry = resolve(entry)
		values := map[string]value{}
		for key, n := range d.mapping(entry, "a group", known) {
			d.scalar(values, key, n)
		}
		d.addGroup(entry, values)
	}
}

func (d *document) addGroup(entry *yaml.Node, values map[string]value) {
	if entry.Kind != yaml.MappingNode {
		return // said by mapping
	}
	var g Group
	d.problems = append(d.problems, apply(&g, groupSettings(), values)...)
	for _, s := range groupSettings() {
		if _, ok := values[s.key]; s.required && !ok {
			d.problem(entry, "the group has no %s; write the name of the Auto Scaling group, or a pattern like web-*", s.key)
		}
	}
	if slices.ContainsFunc(d.groups, func(other Group) bool { return other.Match == g.Match && g.Match != "" }) {
		at := values["match"].at
		at.Text = fmt.Sprintf("match %q appears above already, and the first entry counts; remove one of the two", g.Match)
		d.problems = append(d.problems, at)
	}
	d.groups = append(d.groups, g)
}

// mapping yields the known keys of a mapping in their order, and complains about all others.
func (d *document) mapping(node *yaml.Node, what string, known []string) func(yield func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		node = resolve(node)
		if node.Kind != yaml.MappingNode {
			d.problem(node, "%s must be written as keys with values, like %q", what, known[0]+": ...")
			return
		}
		lines := map[string]int{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			first, twice := lines[key.Value]
			lines[key.Value] = key.Line
			switch {
			case key.Kind != yaml.ScalarNode || !slices.Contains(known, key.Value):
				d.problem(key, "unknown key %q%s", key.Value, suggest(key.Value, known))
			case twice:
				d.problem(key, "the key %q is in line %d already; remove one of the two", key.Value, first)
			case !yield(key.Value, resolve(node.Content[i+1])):
				return
			}
		}
	}
}

func (d *document) scalar(into map[string]value, key string, node *yaml.Node) {
	switch {
	case node.Kind != yaml.ScalarNode:
		d.problem(node, "%s must be a single value", key)
	case node.Tag == "!!null" || node.Value == "":
		d.problem(node, "%s has no value; write one, or remove the line", key)
	default:
		into[key] = value{text: node.Value, at: d.at(node.Line, node.Column)}
		return
	}
	into[key] = value{} // there, and complained about
}

func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode && node.Alias != nil {
		return node.Alias
	}
	return node
}

func (d *document) at(line, column int) Problem {
	return Problem{Where: d.file, Line: line, Column: column}
}

func (d *document) problem(node *yaml.Node, format string, args ...any) {
	p := d.at(node.Line, node.Column)
	p.Text = fmt.Sprintf(format, args...)
	d.problems = append(d.problems, p)
}

// syntax reports what the YAML parser refuses; it stops at the first mistake.
func (d *document) syntax(err error) {
	var failed *yaml.LoadError
	if !errors.As(err, &failed) {
		d.problems = append(d.problems, Problem{Where: d.file, Text: fmt.Sprintf("not valid YAML: %v", err)})
		return
	}
	message := strings.TrimPrefix(failed.Message, "yaml: ")
	if message == "no documents in stream" {
		return // comments only
	}
	if failed.ContextMsg != "" {
		message = failed.ContextMsg + ": " + message
	}
	p := d.at(failed.Mark.Line, failed.Mark.Column)
	p.Text = "not valid YAML: " + message
	d.problems = append(d.problems, p)
}
