// Package config turns a file, the environment and flags into one validated struct: what Ebb manages, and how.
//
// It never talks to AWS, never guesses what a wrong value meant, and never stops at the first mistake: all are reported.
package config

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

// Config is everything that can be set. All values have been checked.
type Config struct {
	Queue           string // URL of the SQS queue to read; empty: there is no queue, which Serves refuses
	Region          string // empty: the one in the queue's URL, and if it has none, what the AWS SDK finds
	Endpoint        string // URL for all AWS calls, for a simulated cloud; empty: AWS
	Journal         string // "memory:", "sqlite:///absolute/path" or "dynamodb://table"
	JournalEndpoint string // URL of DynamoDB alone; empty: Endpoint
	Hook            string // name of the lifecycle hook that Ebb answers
	Foreign         string // what to do with messages about other groups and hooks: Acknowledge or Leave
	Admin           string // address that answers /metrics, /livez and /readyz; empty: none does
	Metrics         string // EMF, or empty
	LogLevel        string // debug, info, warn, error
	LogFormat       string // text, json
	LostAfter       time.Duration
	DaemonGrace     time.Duration
	Groups          []Group // in the order of the file
	Clusters        []Cluster
	Scaling         []Scaling
	Notify          []Notify
}

// Notify is one way to people. One of the receivers is set.
type Notify struct {
	Name     string   // no other has it
	Events   []string // what takes it; none: all
	Groups   []string // patterns of path.Match; none: all
	Digest   string   // time of day in UTC of the daily digest, like 08:00; empty: there is none
	Channel  string   // of a Slack bot: the id of a channel
	Template string   // of a webhook: path of a file

	Slack, SlackBot, Webhook string // where the secret stands: a webhook's URL, or a bot's token
	SNS, EventBridge         string // ARN of a topic; name or ARN of an event bus
}

// Cluster says how tasks of an ECS cluster are taken care of that ECS stops with notice, such as those on Fargate Spot. The cluster of a group
// needs no entry: without one its tasks go with the group.
type Cluster struct {
	Name     string // no other entry has it
	Mode     string // Drain or Observe
	Services []Service
	// AllowRehearsal: interruptions of its tasks may be rehearsed.
	AllowRehearsal bool
}

// Service is what is wanted for one ECS service. One of OnDemand and TrafficFirst is set, or both are.
type Service struct {
	Name     string
	OnDemand string        // the service that stands in for this one while Fargate Spot has no capacity; no service has two of these places
	After    time.Duration // for how long capacity must have been missing
	Floor    int           // of how many tasks those that are missing are replaced; 0: of all that are desired

	TrafficFirst time.Duration // its targets are taken out so long before their host is set DRAINING; 0: they are not
	Quiet        string        // URL that says how many connections a target has; empty: nobody is asked
}

// StandIns are the services of the cluster for which others stand in.
func (c Cluster) StandIns() []Service {
	return slices.DeleteFunc(slices.Clone(c.Services), func(s Service) bool { return s.OnDemand == "" })
}

// Group says how the Auto Scaling groups with certain names are drained.
type Group struct {
	Match          string         // pattern of path.Match
	Cluster        string         // ECS cluster; empty: found from the container instance
	Deadline       time.Duration  // from the termination's notice until Ebb lets go of what still runs
	OnDeadline     string         // Continue
	Mode           string         // Drain or Observe
	ReplaceFirst   bool           // replacements start before the tasks on its instances stop, whatever maximumPercent says; Cluster is set
	Capacity       string         // Keep or Raise: what follows when tasks of a service under scaling find no place; with Raise, Cluster is set
	MaxUnavailable MaxUnavailable // how many of its instances leave at once; zero: as many as Auto Scaling terminates
	Agent          bool           // its instances have a second hook, which ebb-agent on them answers
	Rebalance      string         // Ignore or Drain: what follows when EC2 says that an instance is likely to be interrupted
	AllowRehearsal bool           // interruptions of its instances, and of the tasks of its cluster, may be rehearsed
}

// MaxUnavailable is a number of instances, or a share of those that a group has.
type MaxUnavailable struct{ Count, Percent int }

// Words that settings take.
const (
	Acknowledge = "acknowledge"
	Leave       = "leave"
	Continue    = "continue"
	Drain       = "drain"
	Observe     = "observe"
	Ignore      = "ignore"
	Keep        = "keep"
	Raise       = "raise"
	EMF         = "emf"
)

// textVariable holds the configuration itself, where there is no file to put it in: a container, a function.
const textVariable = "EBB_CONFIG_TEXT"

// Load reads the file and lays the environment and the overrides over it: flag > environment > file > default. With an empty path the
// file is the one that EBB_CONFIG names, or the text in EBB_CONFIG_TEXT, or none. Overrides are values of flags by key: "log_level" for
// --log-level; an empty value counts as not set. Every error is an *Error.
func Load(file string, env func(string) string, overrides map[string]string) (Config, error) {
	named := "--config " + file
	if file == "" {
		file = env("EBB_CONFIG")
		named = "EBB_CONFIG=" + file
	}
	inline := env(textVariable)
	switch {
	case file != "" && inline != "":
		return Config{}, &Error{Problems: []Problem{{Text: fmt.Sprintf("%s names a configuration file and %s holds a configuration; give "+
			"one of them", named, textVariable)}}}
	case file == "":
		return parse(textVariable, []byte(inline), env, overrides)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return Config{}, &Error{Problems: []Problem{{Where: file, Text: fmt.Sprintf("cannot read the configuration: %v", err)}}}
	}
	return parse(file, text, env, overrides)
}

// parse is Load without the disk.
func parse(file string, text []byte, env func(string) string, overrides map[string]string) (Config, error) {
	doc := readDocument(file, text)
	c := Config{Groups: doc.groups, Clusters: doc.clusters, Scaling: doc.scaling, Notify: doc.notify}
	all := settings(&c)
	for _, s := range all {
		for _, name := range s.env {
			if v := env(name); v != "" {
				doc.values[s.key] = value{text: v, at: Problem{Where: name}}
				break
			}
		}
		if v := overrides[s.key]; v != "" {
			doc.values[s.key] = value{text: v, at: Problem{Where: "--" + strings.ReplaceAll(s.key, "_", "-")}}
		}
	}
	problems := append(doc.problems, apply(all, doc.values)...)
	problems = append(problems, checkRegion(&c, doc.values)...)
	if len(problems) > 0 {
		return Config{}, newError(problems, text, doc.hidden)
	}
	return c, nil
}

// checkRegion takes the Region from the queue's URL where none is set, and refuses two that differ: one Ebb works in one Region.
func checkRegion(c *Config, values map[string]value) []Problem {
	ofQueue := queueRegion(c.Queue)
	if c.Region == "" {
		c.Region = ofQueue
	}
	if ofQueue == "" || ofQueue == c.Region {
		return nil
	}
	at := values["region"].at
	at.Text = fmt.Sprintf("region is %q but the queue is in %q; Ebb works in one Region, so write the same", c.Region, ofQueue)
	return []Problem{at}
}

// Serves returns an error that says what is missing for ebb serve: a queue and at least one group or cluster.
func (c Config) Serves() error {
	return c.complete(c.Queue != "", "no queue is set; write queue: with the queue's URL, or set EBB_QUEUE or --queue")
}

// Invoked returns an error that says what is missing for ebb lambda: at least one group or cluster, and a journal that outlives an invocation.
func (c Config) Invoked() error {
	return c.complete(c.JournalTable() != "", fmt.Sprintf("journal is %q, but invocations can share only a table; write journal: "+
		"dynamodb://TABLE, or set EBB_JOURNAL", c.Journal))
}

// complete is the error for what is missing, groups included; without says what to do where there is not what is wanted.
func (c Config) complete(there bool, without string) error {
	e := &Error{}
	if !there {
		e.Problems = append(e.Problems, Problem{Text: without})
	}
	if len(c.Groups)+len(c.Clusters)+len(c.Scaling) == 0 {
		e.Problems = append(e.Problems, Problem{
			Text: `neither groups, clusters nor scaling are set, so there is nothing to manage; write groups: with at least "- match: NAME"; for tasks on ` +
				`Fargate Spot clusters: with at least "- name: NAME"; or, to scale services, scaling:`,
		})
	}
	if len(e.Problems) == 0 {
		return nil
	}
	return e
}

// Group finds the settings for an Auto Scaling group: the first whose pattern matches the name. False means that the group is not
// managed.
func (c Config) Group(name string) (Group, bool) {
	return fleet.FirstMatch(c.Groups, name, func(g Group) string { return g.Match })
}

// Rehearses reports whether interruptions of the tasks of a cluster may be rehearsed: as its own entry says, or that of the first group with it.
func (c Config) Rehearses(cluster string) bool {
	for _, own := range c.Clusters {
		if own.Name == cluster {
			return own.AllowRehearsal
		}
	}
	for _, g := range c.Groups {
		if g.Cluster == cluster && cluster != "" {
			return g.AllowRehearsal
		}
	}
	return false
}

// JournalFile is the path of the SQLite journal, or empty for another kind.
func (c Config) JournalFile() string { return after(sqliteScheme, c.Journal) }

// JournalTable is the name of the journal's DynamoDB table, or empty for another kind.
func (c Config) JournalTable() string { return after(dynamodbScheme, c.Journal) }

// after is what follows the scheme, or empty.
func after(scheme, url string) string {
	if rest, ok := strings.CutPrefix(url, scheme); ok {
		return rest
	}
	return ""
}
