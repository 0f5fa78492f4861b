package agentcli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/ebbhq/ebb/internal/host"
	"github.com/ebbhq/ebb/internal/plain"
	"github.com/ebbhq/ebb/internal/steps"
)

// file is the configuration of the agent.
type file struct {
	Region     string        `yaml:"region"`      // empty: as the instance says
	Endpoint   string        `yaml:"endpoint"`    // of AWS's services; empty: AWS
	IMDS       string        `yaml:"imds"`        // empty: where EC2 has it
	State      string        `yaml:"state"`       // the directory of what the agent remembers
	Hook       string        `yaml:"hook"`        // the terminating hook that is the agent's
	LaunchHook string        `yaml:"launch_hook"` // the launching hook that is the agent's; empty: there is none
	Deadline   time.Duration `yaml:"deadline"`    // from the opening of the hook until it is answered
	ECS        waits         `yaml:"ecs"`         // how it is asked whether tasks are on the host
	Queue      string        `yaml:"queue"`       // URL of a queue that tells of terminations, beside IMDS
	Report     []report      `yaml:"report"`      // who is sent what the steps did
	Directory  string        `yaml:"directory"`   // of executables that are steps too
	Steps      []yaml.Node   `yaml:"steps"`
}

type waits struct {
	Wait   bool     `yaml:"wait"`   // the steps wait until no task is on the host
	URL    string   `yaml:"url"`    // of the ECS agent's introspection
	Ignore []string `yaml:"ignore"` // patterns of task families that nobody waits for
}

// report is one receiver of what the steps did; one of its keys is set.
type report struct {
	Queue       string `yaml:"queue"`       // URL of the controller's queue
	EventBridge string `yaml:"eventbridge"` // a bus
	SNS         string `yaml:"sns"`         // the ARN of a topic
	Webhook     string `yaml:"webhook"`     // where its URL stands, as a secret
	Slack       string `yaml:"slack"`       // where the URL of the incoming webhook stands
	S3          string `yaml:"s3"`          // s3://BUCKET/PREFIX
}

// Defaults of the configuration.
const (
	defaultFile     = "/etc/ebb-agent/agent.yaml"
	defaultState    = "/var/lib/ebb-agent"
	defaultHook     = "ebb-host"
	defaultDeadline = 30 * time.Minute
	defaultTimeout  = 5 * time.Minute // of a step
	defaultPriority = 5
)

// settings is a configuration that has been checked.
type settings struct {
	file
	plan  steps.Plan
	kinds map[string]host.Kind
}

// read reads the configuration. The error names every mistake, one on a line.
func read(name string) (settings, error) {
	s := settings{kinds: map[string]host.Kind{}}
	data, err := os.ReadFile(name)
	if err != nil {
		return s, fmt.Errorf("read the configuration: %w; write one, or name it with --config", err)
	}
	if err := yaml.Load(data, &s.file, yaml.WithKnownFields()); err != nil {
		return s, fmt.Errorf("read %s: %s", name, plain.Text(err.Error(), plain.Long))
	}
	s.State, s.Hook = cmp.Or(s.State, defaultState), cmp.Or(s.Hook, defaultHook)
	s.Deadline = cmp.Or(s.Deadline, defaultDeadline)
	var wrong []error
	if s.Deadline < time.Minute || s.Deadline > 48*time.Hour {
		wrong = append(wrong, fmt.Errorf("deadline is %s; it may be 1m to 48h, which is how long AWS keeps a hook open", s.Deadline))
	}
	for i, r := range s.Report {
		if n := len(strings.Fields(strings.Join([]string{r.Queue, r.EventBridge, r.SNS, r.Webhook, r.Slack, r.S3}, " "))); n != 1 {
			wrong = append(wrong, fmt.Errorf("receiver %d under report has %d of the keys queue, eventbridge, sns, webhook, slack, s3; give it one", i+1, n))
		}
	}
	for i := range s.Steps {
		wrong = append(wrong, s.step(&s.Steps[i]))
	}
	wrong = append(wrong, s.directory())
	if len(s.plan.Steps) == 0 {
		wrong = append(wrong, errors.New("there is no step; list some under steps, or name a directory of executables"))
	}
	s.plan.Hook, s.plan.LaunchHook, s.plan.Deadline, s.plan.ECS = s.Hook, s.LaunchHook, s.Deadline, s.ECS.Wait
	if err := errors.Join(wrong...); err != nil {
		return s, fmt.Errorf("%s cannot be used:\n%w", name, err)
	}
	return s, nil
}

// step is what all steps have, beside the key that says what it does.
type step struct {
	Name      string        `yaml:"name"`
	Timeout   time.Duration `yaml:"timeout"`
	Retries   int           `yaml:"retries"`
	OnFailure steps.Rule    `yaml:"on_failure"`
	When      whens         `yaml:"when"`
	Early     bool          `yaml:"early"`
	Priority  int           `yaml:"priority"`
}

type whens []string

// UnmarshalYAML takes one word for a list of one.
func (w *whens) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*w = whens{n.Value}
		return nil
	}
	return n.Load((*[]string)(w))
}

// step adds one step.
func (s *settings) step(node *yaml.Node) error {
	kind, err := host.Parse(node)
	if err != nil {
		return err
	}
	common, at := *node, step{Timeout: defaultTimeout, OnFailure: steps.Continue, Priority: defaultPriority}
	common.Content = nil
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == "zabbix" {
			at.Retries = 2 // its web server answers 500 while it is busy
		}
		if !slices.Contains(host.Kinds(), node.Content[i].Value) {
			common.Content = append(common.Content, node.Content[i], node.Content[i+1])
		}
	}
	if err := common.Load(&at, yaml.WithKnownFields()); err != nil {
		return errors.New(plain.Text(err.Error(), plain.Long))
	}
	return s.add(node.Line, at, kind)
}

// add checks one step and adds it to the plan.
func (s *settings) add(line int, at step, kind host.Kind) error {
	one := steps.Step{
		Name: at.Name, Timeout: at.Timeout, Retries: at.Retries, OnFailure: at.OnFailure, Early: at.Early, Priority: at.Priority,
	}
	for _, w := range at.When {
		switch cause := steps.Cause(w); {
		case w == "always":
			one.When = append(one.When, slices.DeleteFunc(steps.Causes(), func(c steps.Cause) bool { return c == steps.Launch })...)
		case slices.Contains(steps.Causes(), cause):
			one.When = append(one.When, cause)
		default:
			return fmt.Errorf("line %d: when is %q; it may be always, terminate, spot, launch, replace-root-volume, shutdown", line, plain.Text(w, plain.Short))
		}
	}
	switch {
	case at.Name == "":
		return fmt.Errorf("line %d: the step has no name; write one, like name: flush", line)
	case s.kinds[at.Name] != nil:
		return fmt.Errorf("line %d: another step has the name %q; give each a name of its own", line, at.Name)
	case at.Timeout < time.Second || at.Timeout > 48*time.Hour:
		return fmt.Errorf("line %d: timeout is %s; it may be 1s to 48h, which is how long AWS keeps a hook open", line, at.Timeout)
	case at.Retries < 0 || at.Retries > 100:
		return fmt.Errorf("line %d: retries is %d; it may be 0 to 100", line, at.Retries)
	case !slices.Contains([]steps.Rule{steps.Continue, steps.Stop, steps.Hold}, at.OnFailure):
		return fmt.Errorf("line %d: on_failure is %q; it may be continue, stop, hold", line, plain.Text(string(at.OnFailure), plain.Short))
	}
	s.plan.Steps = append(s.plan.Steps, one)
	s.kinds[at.Name] = kind
	return nil
}

// directory adds the executables of the directory as steps, after the others and in the order of their names.
func (s *settings) directory() error {
	if s.Directory == "" {
		return nil
	}
	found, err := host.Directory(s.Directory)
	if err != nil {
		return err
	}
	var wrong []error
	for _, f := range found {
		at := step{Name: f.Name, Timeout: defaultTimeout, OnFailure: steps.Continue, Priority: defaultPriority}
		wrong = append(wrong, s.add(0, at, f.Kind))
	}
	return errors.Join(wrong...)
}
