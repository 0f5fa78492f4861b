package config

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setting is one key: where its value may come from, and how it is checked and stored.
type setting[T any] struct {
	key     string
	env     []string // the first one that is not empty counts
	initial string   // the default; empty: none
	set     func(*T, string) error
}

const (
	sqliteScheme   = "sqlite://"
	dynamodbScheme = "dynamodb://"
	exampleQueue   = "https://sqs.eu-west-1.amazonaws.com/111122223333/ebb"
	// longest is how long a lifecycle hook can last whatever the heartbeats.
	// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
	longest = 48 * time.Hour
)

// settings are the keys at the top of the file; groups stands apart because it is a list.
func settings() []setting[Config] {
	return []setting[Config]{
		{key: "queue", env: []string{"EBB_QUEUE"}, set: func(c *Config, s string) error { c.Queue = s; return checkQueue(s) }},
		{key: "region", env: []string{"EBB_REGION", "AWS_REGION"}, set: func(c *Config, s string) error { c.Region = s; return checkName("region", regionName, s) }},
		{key: "endpoint", env: []string{"EBB_ENDPOINT", "AWS_ENDPOINT_URL"},
			set: func(c *Config, s string) error { c.Endpoint = s; return checkEndpoint("endpoint", s) }},
		{key: "journal", env: []string{"EBB_JOURNAL"}, initial: "memory:", set: func(c *Config, s string) error { c.Journal = s; return checkJournal(s) }},
		{key: "journal_endpoint", env: []string{"EBB_DYNAMODB_ENDPOINT"}, set: func(c *Config, s string) error {
			c.JournalEndpoint = s
			return checkEndpoint("journal_endpoint", s)
		}},
		{key: "hook", initial: "ebb-drain", set: func(c *Config, s string) error { c.Hook = s; return checkName("hook", hookName, s) }},
		{key: "foreign", initial: Acknowledge, set: func(c *Config, s string) error { c.Foreign = s; return oneOf("foreign", s, Acknowledge, Leave) }},
		{key: "log_level", initial: "info", set: func(c *Config, s string) error {
			c.LogLevel = s
			return oneOf("log_level", s, "debug", "info", "warn", "error")
		}},
		{key: "log_format", initial: "text", set: func(c *Config, s string) error { c.LogFormat = s; return oneOf("log_format", s, "text", "json") }},
		{key: "lost_after", initial: "5m", set: func(c *Config, s string) error {
			return setDuration(&c.LostAfter, "lost_after", s, time.Minute)
		}},
		{key: "daemon_grace", initial: "2m", set: func(c *Config, s string) error {
			return setDuration(&c.DaemonGrace, "daemon_grace", s, time.Second)
		}},
	}
}

// groupSettings are the keys of one entry of groups.
func groupSettings() []setting[Group] {
	return []setting[Group]{
		{key: "match", set: func(g *Group, s string) error { g.Match = s; return checkPattern(s) }},
		{key: "cluster", set: func(g *Group, s string) error { g.Cluster = s; return checkName("cluster", clusterName, s) }},
		{key: "deadline", initial: "30m", set: func(g *Group, s string) error {
			return setDuration(&g.Deadline, "deadline", s, time.Minute)
		}},
		{key: "on_deadline", initial: Continue, set: func(g *Group, s string) error { g.OnDeadline = s; return oneOf("on_deadline", s, Continue) }},
		{key: "max_unavailable", set: func(g *Group, s string) error { return setMaxUnavailable(&g.MaxUnavailable, s) }},
	}
}

// apply stores the values, or the defaults where there are none.
func apply[T any](target *T, settings []setting[T], values map[string]value) []Problem {
	var problems []Problem
	for _, s := range settings {
		v, ok := values[s.key]
		if !ok {
			v.text = s.initial
		}
		if v.text == "" {
			continue
		}
		if err := s.set(target, v.text); err != nil {
			v.at.Text = err.Error()
			problems = append(problems, v.at)
		}
	}
	return problems
}

// checkQueue wants the URL of a queue as SQS gives it out: at AWS, at a VPC endpoint or at a simulated cloud.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
func checkQueue(s string) error {
	if arn := strings.Split(s, ":"); len(arn) == 6 && arn[2] == "sqs" {
		return fmt.Errorf("queue is an ARN; write the queue's URL, https://sqs.%s.amazonaws.com/%s/%s", arn[3], arn[4], arn[5])
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || !match(queuePath, u.Path) || u.RawQuery != "" {
		return fmt.Errorf("queue is %q, which is not the URL of an SQS queue; write it like %s", s, exampleQueue)
	}
	return nil
}

func checkEndpoint(key, s string) error {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return fmt.Errorf("%s is %q, which is not a URL; write it like http://127.0.0.1:4600", key, s)
	}
	return nil
}

func checkJournal(s string) error {
	if table, ok := strings.CutPrefix(s, dynamodbScheme); ok {
		if match(tableName, table) {
			return nil
		}
		return fmt.Errorf("journal is %q, but %q is not a valid name of a DynamoDB table; write dynamodb://NAME with 3 to 255 of letters, digits and . - _", s, table)
	}
	if file, ok := strings.CutPrefix(s, sqliteScheme); s == "memory:" || ok && strings.HasPrefix(file, "/") && !strings.HasSuffix(file, "/") {
		return nil
	}
	return fmt.Errorf("journal is %q; write sqlite:///var/lib/ebb/journal.db (three slashes: the path is absolute), dynamodb://TABLE, or "+
		"memory: to forget at each restart", s)
}

func checkPattern(s string) error {
	if _, err := path.Match(s, ""); err != nil {
		return fmt.Errorf(`match is %q, which is not a valid pattern; write a name, or one with *, ? or [a-z], like web-*; a \ or an opening [ must be completed`, s)
	}
	return nil
}

func oneOf(key, s string, words ...string) error {
	if slices.Contains(words, s) {
		return nil
	}
	return fmt.Errorf("%s is %q; write %s%s", key, s, strings.Join(words, " or "), suggest(s, words))
}

// setMaxUnavailable takes a number of instances, or a share of the group's.
func setMaxUnavailable(b *MaxUnavailable, s string) error {
	number, share := strings.CutSuffix(s, "%")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || share && n > 100 {
		return fmt.Errorf("max_unavailable is %q; write how many instances of the group may leave at once, like 3, or a share of it, like 20%%; "+
			"without the key there is no limit", s)
	}
	if *b = (MaxUnavailable{Count: n}); share {
		*b = MaxUnavailable{Percent: n}
	}
	return nil
}

func setDuration(d *time.Duration, key, s string, least time.Duration) error {
	parsed, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%s is %q, which is not a duration; write a number with its unit, like 90s, 30m or 1h30m", key, s)
	}
	if parsed < least || parsed > longest {
		return fmt.Errorf("%s is %s; write at least %s and at most %s, the longest that a lifecycle hook lasts", key, s, short(least), short(longest))
	}
	*d = parsed
	return nil
}

// short spells a duration without zero parts: 48h, not 48h0m0s.
func short(d time.Duration) string {
	return strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
}

// The forms of names. They are as wide as AWS's own rules, so that what is refused here could never have worked.
const (
	queuePath   = `/[0-9]{12}/[A-Za-z0-9_-]{1,80}(\.fifo)?$`
	queueHost   = `^(?:vpce-[^.]+\.)?sqs(?:-fips)?\.([a-z]{2}[a-z0-9-]+)\.(?:vpce\.)?amazonaws\.com(?:\.cn)?(?::443)?$`
	regionName  = `^[a-z]{2}(-[a-z]+)+-[0-9]+$`
	hookName    = `^[A-Za-z0-9_/-]{1,255}$`
	clusterName = `^[A-Za-z0-9_-]{1,255}$`
	tableName   = `^[A-Za-z0-9_.-]{3,255}$`
)

func match(pattern, s string) bool { return regexp.MustCompile(pattern).MatchString(s) }

func checkName(key, pattern, s string) error {
	if match(pattern, s) {
		return nil
	}
	hint := map[string]string{
		regionName:  "write it like eu-west-1",
		hookName:    "write its name: letters, digits, - _ and /",
		clusterName: "write its name, not its ARN: letters, digits, - and _",
	}[pattern]
	return fmt.Errorf("%s is %q; %s", key, s, hint)
}

// queueRegion is the Region in the URL of a queue at AWS, or empty.
func queueRegion(queue string) string {
	u, err := url.Parse(queue)
	if err != nil {
		return ""
	}
	if m := regexp.MustCompile(queueHost).FindStringSubmatch(u.Host); m != nil {
		return m[1]
	}
	return ""
}
