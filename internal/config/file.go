package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/ebbhq/ebb/internal/scale"
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
	clusters []Cluster
	services []Service // of the cluster that is being read
	notify   []Notify
	scaling  []Scaling
	rules    []scale.Rule   // of the service that is being read
	windows  []scale.Window // of the same
	problems []Problem
	hidden   []string // what no problem shows
}

// readDocument reads the YAML as a tree and walks it, because that gives every mistake its line and column, and because environment
// variables and flags replace single values before they are checked.
func readDocument(file string, text []byte) *document {
	d := &document{file: file, values: map[string]value{}}
	var root yaml.Node
	if err := yaml.Load(text, &root); err != nil {
		d.syntax(err)
	} else if len(root.Content) > 0 && root.Content[0].Tag != "!!null" {
		d.values = d.mapping(root.Content[0], "the configuration", append(keys(settings(&Config{})), "groups", "clusters", "scaling", "notify"))
	}
	return d
}

func keys(settings []setting) []string {
	out := make([]string, len(settings))
	for i, s := range settings {
		out[i] = s.key
	}
	return out
}

// entries reads a list of mappings, and hands over each entry with its values, and whether none of them is wrong.
func entries[T any](d *document, node *yaml.Node, what, how string, settings func(*T) []setting, take func(*yaml.Node, T, map[string]value, bool)) {
	secret := what == "a receiver"
	if node.Kind != yaml.SequenceNode {
		d.problem(node, "%s", how)
		if secret {
			d.hides(node)
		}
		return
	}
	for _, entry := range node.Content {
		entry = resolve(entry)
		var v T
		settings := settings(&v)
		known := keys(settings)
		known = append(known, map[string][]string{"a cluster": {"services"}, "a scaled service": {"alarms", "windows"}}[what]...)
		values := d.mapping(entry, what, known)
		if entry.Kind != yaml.MappingNode { // mapping has reported it
			if secret {
				d.hides(entry)
			}
			continue
		}
		wrong := apply(settings, values)
		d.problems = append(d.problems, wrong...)
		take(entry, v, values, len(wrong) == 0)
	}
}

// at reports a problem with a value at its place.
func (d *document) at(v value, format string, args ...any) {
	v.at.Text = fmt.Sprintf(format, args...)
	d.problems = append(d.problems, v.at)
}

func (d *document) readGroups(node *yaml.Node) {
	how := `groups must be a list; write each group on a line of its own, like "- match: web-*"`
	entries(d, node, "a group", how, groupSettings, func(entry *yaml.Node, g Group, values map[string]value, _ bool) {
		match, ok := values["match"]
		switch {
		case !ok:
			d.problem(entry, "the group has no match; write the name of the Auto Scaling group, or a pattern like web-*")
		case g.Match != "" && slices.ContainsFunc(d.groups, func(other Group) bool { return other.Match == g.Match }):
			d.at(match, "match %q appears above already, and the first entry counts; remove one of the two", g.Match)
		case g.ReplaceFirst && g.Cluster == "":
			d.problem(entry, "replace_first is set without a cluster; write cluster: with the name of the ECS cluster, so that one Ebb at a time sets "+
				"the desired counts of its services")
		case g.Capacity == Raise && g.Cluster == "":
			d.problem(entry, "capacity: raise is set without a cluster; write cluster: with the name of the ECS cluster whose services under scaling: get "+
				"more instances")
		}
		if g.Rebalance == Drain && g.MaxUnavailable == (MaxUnavailable{}) {
			d.at(values["rebalance"], "rebalance: drain needs max_unavailable, because EC2 may say it of all instances of a group at once; "+
				"write max_unavailable: 1, or more")
		}
		d.groups = append(d.groups, g)
	})
}

func (d *document) readClusters(node *yaml.Node) {
	how := `clusters must be a list; write each cluster on a line of its own, like "- name: prod"`
	entries(d, node, "a cluster", how, clusterSettings, func(entry *yaml.Node, c Cluster, values map[string]value, _ bool) {
		c.Services, d.services = d.services, nil
		name, ok := values["name"]
		switch {
		case !ok:
			d.problem(entry, "the cluster has no name; write the name of the ECS cluster, like name: prod")
		case c.Name != "" && slices.ContainsFunc(d.clusters, func(other Cluster) bool { return other.Name == c.Name }):
			d.at(name, "cluster %q appears above already; remove one of the two", c.Name)
		}
		d.clusters = append(d.clusters, c)
	})
}

func (d *document) readServices(node *yaml.Node) {
	how := `services must be a list; write each service on a line of its own, like "- {name: web, traffic_first: 130s}"`
	taken := map[string]bool{}
	entries(d, node, "a service", how, serviceSettings, func(entry *yaml.Node, s Service, _ map[string]value, good bool) {
		switch {
		case !good:
		case s.Name == "" || s.OnDemand == "" && s.TrafficFirst == 0:
			d.problem(entry, "the service has no name, or neither on_demand nor traffic_first; write the names of the service on Fargate Spot and of the "+
				"one that stands in for it, like {name: web, on_demand: web-od}, or how long its traffic leaves first, like {name: web, traffic_first: 130s}")
		case s.Quiet != "" && s.TrafficFirst == 0:
			d.problem(entry, "quiet is set without traffic_first; write how long to wait at least before the connections are counted, like traffic_first: 130s")
		case s.Name == s.OnDemand || taken[s.Name] || taken[s.OnDemand]:
			d.problem(entry, "a service stands under services twice; give each service on Fargate Spot one of its own that stands in for it")
		}
		taken[s.Name], taken[s.OnDemand] = true, s.OnDemand != ""
		d.services = append(d.services, s)
	})
}

func (d *document) readNotify(node *yaml.Node) {
	how := `notify must be a list; write each receiver on a line of its own, like "- slack: env:SLACK_WEBHOOK_URL"`
	entries(d, node, "a receiver", how, notifySettings, func(entry *yaml.Node, n Notify, values map[string]value, good bool) {
		for _, key := range []string{"slack", "slack_bot", "webhook"} {
			if v := values[key].text; checkSecret(key, v) != nil {
				d.hide(v)
			}
		}
		if !good {
			return
		}
		why := n.complete()
		if why == "" && slices.ContainsFunc(d.notify, func(other Notify) bool { return other.Name == n.Name }) {
			why = fmt.Sprintf("another receiver has the name %q; give each one a name of its own, like name: night-shift", n.Name)
		}
		if why != "" {
			d.problem(entry, "%s", why)
			return
		}
		d.notify = append(d.notify, n)
	})
}

// mapping returns the values of the known keys of a mapping, and reports all other keys. It reads the lists that stand in it.
func (d *document) mapping(node *yaml.Node, what string, known []string) map[string]value {
	values, lines := map[string]value{}, map[string]int{}
	if node.Kind != yaml.MappingNode {
		d.problem(node, "%s must be written as keys with values, like %q", what, known[0]+": ...")
		return values
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, written := node.Content[i], resolve(node.Content[i+1])
		first, twice := lines[key.Value]
		lines[key.Value] = key.Line
		switch {
		case key.Kind != yaml.ScalarNode || !slices.Contains(known, key.Value):
			meant := suggest(key.Value, known)
			d.problem(key, "unknown key %q%s", key.Value, meant)
			if meant == "" || what == "a receiver" || written.Kind != yaml.ScalarNode {
				d.hides(written)
			}
		case twice:
			d.problem(key, "the key %q is in line %d already; remove one of the two", key.Value, first)
			d.hides(written)
		case key.Value == "groups" && slices.Contains(known, "notify"): // a route has a key of that name too
			d.readGroups(written)
		case key.Value == "clusters":
			d.readClusters(written)
		case key.Value == "services":
			d.readServices(written)
		case key.Value == "scaling":
			d.readScaling(written)
		case key.Value == "alarms":
			d.readRules(written)
		case key.Value == "windows":
			d.readWindows(written)
		case key.Value == "notify":
			d.readNotify(written)
		default:
			values[key.Value] = d.scalar(key.Value, written)
		}
	}
	return values
}

// scalar is the text of a value; empty after a mistake, which it reports.
func (d *document) scalar(key string, node *yaml.Node) value {
	switch {
	case node.Kind != yaml.ScalarNode:
		d.problem(node, "%s must be a single value", key)
		d.hides(node)
	case node.Tag == "!!null" || node.Value == "":
		d.problem(node, "%s has no value; write one, or remove the line", key)
	default:
		return value{text: node.Value, at: Problem{Where: d.file, Line: node.Line, Column: node.Column}}
	}
	return value{}
}

func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode && node.Alias != nil {
		return node.Alias
	}
	return node
}

func (d *document) problem(node *yaml.Node, format string, args ...any) {
	d.problems = append(d.problems, Problem{Where: d.file, Line: node.Line, Column: node.Column, Text: fmt.Sprintf(format, args...)})
}

// syntax reports what the YAML parser refuses; it stops at the first mistake.
func (d *document) syntax(err error) {
	at, message := yaml.Node{}, err.Error()
	if failed, ok := errors.AsType[*yaml.LoadError](err); ok {
		at.Line, at.Column, message = failed.Mark.Line, failed.Mark.Column, strings.TrimPrefix(failed.Message, "yaml: ")
		if failed.ContextMsg != "" {
			message = failed.ContextMsg + ": " + message
		}
	}
	if message != "no documents in stream" { // that is a file of comments
		d.problem(&at, "not valid YAML: %s", message)
	}
}
