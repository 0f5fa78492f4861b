package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/deploy"
	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/doctor"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/plain"
)

const parametersFile = "ebb-parameters.json"

// The hook that every shape has.
const (
	drainHook     = "ebb-drain"
	hookHeartbeat = 900 * time.Second
)

// setup is one Ebb: what it looks after, and where it is to be.
type setup struct {
	initFlags
	partition, region, account, endpoint string
	managed                              []doctor.Managed // the groups, with their clusters
	services                             []scaled
	fargate                              []string // the clusters in which none of the groups is, for their tasks on Fargate Spot
}

func (s setup) templateFile() string { return "ebb-" + s.shape + ".yaml" }

func (s setup) queueURL(name string) string {
	if s.endpoint != "" {
		return strings.TrimSuffix(s.endpoint, "/") + "/" + s.account + "/" + name
	}
	suffix := "amazonaws.com"
	if s.partition == "aws-cn" {
		suffix = "amazonaws.com.cn"
	}
	return fmt.Sprintf("https://sqs.%s.%s/%s/%s", s.region, suffix, s.account, name)
}

func (s setup) arn(service, rest string) string {
	return strings.Join([]string{"arn", s.partition, service, s.region, s.account, rest}, ":")
}

// config is the text of ebb.yaml.
func (s setup) config() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by ebb init. docs/reference/config.md has every key.\nqueue: %s\nregion: %s\n", s.queueURL(s.name), s.region)
	if s.endpoint != "" {
		fmt.Fprintf(&b, "endpoint: %s\n", s.endpoint)
	}
	journal := "sqlite:///var/lib/ebb/journal.db"
	if s.table != "" {
		journal = "dynamodb://" + s.table
	}
	fmt.Fprintf(&b, "journal: %s\n", journal)
	if len(s.managed) > 0 {
		b.WriteString("groups:\n")
	}
	for _, g := range s.managed {
		fmt.Fprintf(&b, "  - match: %q\n    cluster: %q\n", g.Match, g.Cluster)
		if s.agent {
			b.WriteString("    agent: true\n")
		}
	}
	if len(s.fargate) > 0 {
		b.WriteString("clusters: # their tasks on Fargate Spot leave their target groups first\n")
	}
	for _, name := range s.fargate {
		fmt.Fprintf(&b, "  - name: %q\n", name)
	}
	s.scaling(&b)
	s.telling(&b)
	return b.String()
}

// telling writes who is told and what is measured, and in comments what could be.
func (s setup) telling(b *strings.Builder) {
	if s.shape != shapeServe {
		fmt.Fprintf(b, "# The stack has its own copy of all of this, made of %s: NoticeTopic, NoticeDigest and Metrics are for the next lines.\n", parametersFile)
	}
	if s.noticeTopic != "" {
		fmt.Fprintf(b, "notify: # docs/reference/notify.md; try it with ebb notify test\n  - sns: %s\n    # digest: \"08:00\" # once a day\n", s.noticeTopic)
	} else {
		fmt.Fprintf(b, "# notify: # who is told, docs/reference/notify.md\n#   - sns: %s\n#     digest: \"08:00\" # once a day\n", s.arn("sns", "ops"))
	}
	if s.emf {
		b.WriteString("metrics: emf # for CloudWatch, docs/reference/metrics.md\n")
	} else {
		b.WriteString("# metrics: emf # for CloudWatch, docs/reference/metrics.md\n")
	}
	if s.shape == shapeServe {
		b.WriteString("# admin: 127.0.0.1:9092 # answers /metrics for Prometheus, /livez and /readyz\n")
	}
}

// parameter is one of a CloudFormation template, in the form that every version of the AWS CLI reads: Key=Value.
// https://docs.aws.amazon.com/cli/latest/reference/cloudformation/deploy/
type parameter struct{ Key, Value string }

func (p parameter) MarshalText() ([]byte, error) { return []byte(p.Key + "=" + p.Value), nil }

// UnmarshalJSON reads also the form that only version 2 takes, which ebb init wrote before.
func (p *parameter) UnmarshalJSON(b []byte) error {
	if b[0] == '{' {
		before := struct{ ParameterKey, ParameterValue string }{}
		err := json.Unmarshal(b, &before)
		p.Key, p.Value = before.ParameterKey, before.ParameterValue
		return err
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	var ok bool
	if p.Key, p.Value, ok = strings.Cut(text, "="); !ok {
		return fmt.Errorf("%q is not Key=Value", text)
	}
	return nil
}

// parameters is the text of the parameters file. What is not worked out here stays as the file has it; missing names what is empty yet.
func (s setup) parameters(path string) (text string, missing []string, err error) {
	if deploy.Template(s.shape) == "" {
		return "", nil, nil
	}
	var clusters, settings, spot, scaling []string
	for _, g := range s.managed {
		if !slices.Contains(clusters, g.Cluster) {
			clusters = append(clusters, g.Cluster)
		}
		more := ""
		if s.agent {
			more = ", agent: true"
		}
		settings = append(settings, fmt.Sprintf("{match: %q, cluster: %q%s}", g.Match, g.Cluster, more))
	}
	for _, name := range s.fargate {
		spot = append(spot, fmt.Sprintf("{name: %q}", name))
	}
	clusters = s.scaledClusters(append(clusters, s.fargate...))
	for _, v := range s.services {
		scaling = append(scaling, v.settings(s.name))
	}
	list := func(items []string) string { return "[" + strings.Join(items, ", ") + "]" }
	all := []parameter{
		{"Groups", strings.Join(s.groups, ",")}, {"Clusters", strings.Join(clusters, ",")}, {"GroupSettings", list(settings)},
		{"ClusterSettings", list(spot)}, {"Table", s.table}, {"CreateTable", fmt.Sprint(!s.createTable)},
	}
	if s.noticeTopic != "" {
		all = append(all, parameter{"NoticeTopic", s.noticeTopic})
	}
	if s.emf {
		all = append(all, parameter{"Metrics", "true"})
	}
	if len(scaling) > 0 {
		all = append(all, parameter{"ScalingSettings", list(scaling)})
	}
	return merged(path, s.shape, all)
}

// merged is the text of a file with these parameters of a shape's template, and with what else the file has.
func merged(path, shape string, all []parameter) (text string, missing []string, err error) {
	var old []parameter
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &old)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, fmt.Errorf("read %s, to keep what was filled in: %w; fix it, or move it away", path, err)
	}
	was := map[string]string{}
	for _, o := range old {
		was[o.Key] = o.Value
	}
	for _, name := range deploy.Yours(shape) {
		all = append(all, parameter{name, was[name]})
		if was[name] == "" {
			missing = append(missing, name)
		}
	}
	for _, o := range old {
		if !slices.ContainsFunc(all, func(n parameter) bool { return n.Key == o.Key }) {
			all = append(all, o)
		}
	}
	out, err := json.MarshalIndent(all, "", "  ")
	return string(out) + "\n", missing, err
}

// remark writes what conflicts with the setup: what exists already, and what ebb doctor will find once it is made.
func (s setup) remark(w io.Writer, seen *inventory.Inventory) {
	for _, name := range s.groups {
		for _, h := range seen.Group(name).Hooks {
			if h.Name != drainHook {
				continue
			}
			fmt.Fprintf(w, "group %s has a hook %s already (heartbeat timeout %s, %s)", name, h.Name, h.Heartbeat, h.DefaultResult)
			if s.shape == shapeServe {
				fmt.Fprintf(w, "; it gets %s and CONTINUE\n", hookHeartbeat)
			} else {
				c := s.at().DeleteHook(name, h.Name)
				if s.waiting(seen) == nil {
					c = c.Costs(advice.Interrupts, "what the program behind the hook does", "no instance waits in it; none does now")
				}
				fmt.Fprintf(w, "; if stack %s did not make it, delete it first, because the stack makes its own\n%s", s.name,
					advice.Of(c.For("")).Text("  "))
			}
		}
	}
	for _, name := range s.fargate {
		if n := len(seen.Cluster(name).Hosts); n > 0 {
			fmt.Fprintf(w, "cluster %s has %s, and no group is named whose instances they are: Ebb takes care of tasks on Fargate Spot there; "+
				"write --group too if instances are to be drained\n", name, plain.Count(n, "container instance"))
		}
	}
	settings := &doctor.Settings{Hook: drainHook, Queue: s.queueURL(s.name), Groups: s.managed}
	found := doctor.Examine(&doctor.Input{Inventory: s.asItWillBe(seen), Ebb: settings, At: s.at(), Now: seen.At})
	plain.Deep(&found, plain.Long)
	for _, f := range found {
		if f.Severity > doctor.Info {
			fmt.Fprintf(w, "%s: %s: %s.\n  Impact: %s.\n  Fix:\n%s", f.Severity, f.Subject, f.Finding, f.Impact, f.Text("    "))
		}
	}
}

// asItWillBe is the inventory with the hooks, the rule and the queue of the setup in it.
func (s setup) asItWillBe(seen *inventory.Inventory) *inventory.Inventory {
	will := *seen
	queue := s.arn("sqs", s.name)
	will.Groups = nil
	for _, g := range seen.Groups {
		own := *g
		will.Groups = append(will.Groups, &own)
	}
	for _, name := range s.groups {
		g := will.Group(name)
		g.Hooks = append(slices.DeleteFunc(slices.Clone(g.Hooks), func(h fleet.Hook) bool { return h.Name == drainHook }), fleet.Hook{
			Name: drainHook, Group: g.Name, Transition: fleet.TerminatingTransit, Heartbeat: hookHeartbeat, Global: 100 * hookHeartbeat, DefaultResult: "CONTINUE",
		})
	}
	will.Rules = slices.Clone(seen.Rules)
	for _, r := range s.rules() {
		will.Rules = append(will.Rules, inventory.Rule{
			Name: r.name, ARN: s.arn("events", "rule/"+r.name), Pattern: r.pattern, Enabled: true, Targets: []string{queue},
		})
	}
	will.Queues = append(slices.DeleteFunc(slices.Clone(seen.Queues), func(q inventory.Queue) bool { return q.ARN == queue }), inventory.Queue{
		URL: s.queueURL(s.name), ARN: queue, Visibility: 3 * time.Minute, Retention: 4 * 24 * time.Hour, Redrive: queue + "-dead-letters",
		MaxReceives: 5, Policy: s.queuePolicy(),
	})
	return &will
}
