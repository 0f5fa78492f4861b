// Package host does what the steps of `ebb-agent` say on the host: it runs commands, sends signals, stops units of systemd, makes HTTP
// calls, empties log shippers, tells Zabbix, copies logs to S3, and waits until work is done.
//
// Which step comes next, how often one is tried and what follows a failure is decided elsewhere. The package never shows a secret: what a step
// has read as one is spelled [secret] in its output and its errors, and is never an argument of a command. A process that runs commands with
// this package must have no other children: what a command leaves behind becomes its child.
package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.yaml.in/yaml/v4"

	"github.com/ebbhq/ebb/internal/plain"
)

// Job is one attempt at a step.
type Job struct {
	Step    string
	Attempt int
	Env     map[string]string // EBB_INSTANCE_ID, EBB_GROUP, EBB_CAUSE, EBB_DEADLINE (RFC 3339, UTC), EBB_STEP, EBB_ATTEMPT
	Until   time.Time         // the attempt is ended then
	Out     io.Writer         // what is said of the attempt, for people; the caller bounds it, as Tail does
	Secrets func(ctx context.Context, where string) (string, error)
	AWS     aws.Config // for S3
}

func (j *Job) say(format string, args ...any) { fmt.Fprintf(j.Out, format+"\n", args...) }

// Kind does steps of one kind.
type Kind interface {
	// Check looks whether the step could work now, and changes nothing.
	Check(ctx context.Context, j Job) error
	// Run does the step. When ctx ends it ends what it has begun and returns soon.
	Run(ctx context.Context, j Job) error
}

// written is a kind as it is read from YAML. complete says what is missing or wrong, and sets what is left out.
type written interface {
	Kind
	complete() error
}

func kinds() map[string]written {
	return map[string]written{
		"command": &command{}, "signal": &signal{}, "systemd": &systemd{}, "http": &call{}, "wait": &wait{}, "logship": &logship{},
		"fluentd": &fluentd{}, "fluent_bit": &fluentBit{}, "zabbix": &zabbix{},
	}
}

// Kinds are the keys of which a step has exactly one, in order.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds())) }

// Parse reads what a step does from the mapping that describes the step. Keys that are not of a kind are left to the caller.
func Parse(step *yaml.Node) (Kind, error) {
	var kind written
	for i := 0; step.Kind == yaml.MappingNode && i+1 < len(step.Content); i += 2 {
		key := step.Content[i]
		fresh := kinds()[key.Value]
		switch {
		case fresh == nil:
			continue
		case kind != nil:
			return nil, fmt.Errorf("line %d: the step does two things; make a step of its own for %s", key.Line, key.Value)
		}
		kind = fresh
		if err := load(step.Content[i+1], key.Value, kind); err != nil {
			return nil, err
		}
	}
	if kind == nil {
		return nil, fmt.Errorf("line %d: the step does not say what to do; give it one of the keys %s", step.Line, strings.Join(Kinds(), ", "))
	}
	return guarded{kind}, nil
}

var unknownField = regexp.MustCompile(`field (\S+) not found in type \S+`)

// load reads the value of a kind's key. A list is what a command runs, and a text what a call asks.
func load(value *yaml.Node, key string, kind written) error {
	for value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	if short := map[string]string{"command": "run", "http": "url"}[key]; short != "" && value.Kind != yaml.MappingNode {
		inner := []*yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str", Value: short, Line: value.Line}, value}
		value = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: value.Line, Content: inner}
	}
	if err := value.Load(kind, yaml.WithKnownFields()); err != nil {
		text := unknownField.ReplaceAllString(err.Error(), key+" has no key $1")
		return errors.New(strings.Join(strings.Fields(strings.TrimPrefix(text, "yaml: ")), " "))
	}
	if err := kind.complete(); err != nil {
		return fmt.Errorf("line %d: %s: %w", value.Line, key, err)
	}
	return nil
}

var (
	hole  = regexp.MustCompile(`\$\{[^}]*\}`)
	where = regexp.MustCompile(`^(env|file|ssm|secretsmanager):.`)
)

// fill puts the values of ${EBB_...} and the secrets of ${ssm:NAME} and the like into a text. spell makes a value fit to where it stands.
func (j *Job) fill(ctx context.Context, text string, spell func(string) string) (string, error) {
	var failed error
	out := hole.ReplaceAllStringFunc(text, func(h string) string {
		name := h[2 : len(h)-1]
		v, ok := j.Env[name]
		if where.MatchString(name) {
			var err error
			v, err = j.Secrets(ctx, name)
			failed = errors.Join(failed, err)
		} else if !ok {
			failed = errors.Join(failed, fmt.Errorf("%s is not known; the reference has a list", plain.Text(h, plain.Short)))
		}
		return spell(v)
	})
	return out, failed
}

func asIs(s string) string { return s }

// needSecret refuses a secret that stands in the configuration itself.
func needSecret(key, text string) error {
	if text != "" && !where.MatchString(text) {
		return fmt.Errorf("%s must say where the secret stands: env:NAME, file:/PATH, ssm:NAME or secretsmanager:NAME", key)
	}
	return nil
}

// needURL refuses what is no URL. It does not show it: a token may stand in it.
func needURL(key, text string, schemes ...string) error {
	u, err := url.Parse(hole.ReplaceAllString(text, "x"))
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "" || u.User != nil {
		return fmt.Errorf("%s must begin with %s://, and have no user and password", key, strings.Join(schemes, ":// or "))
	}
	return nil
}

// needWord reads a word that has few possible values; the first holds if nothing is said.
func needWord(key string, value *string, words ...string) error {
	if *value == "" {
		*value = words[0]
	}
	if !slices.Contains(words, *value) {
		return fmt.Errorf("%s may be %s", key, strings.Join(words, ", "))
	}
	return nil
}

// sleep waits, and reports whether it has waited to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
