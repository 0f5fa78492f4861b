package config

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setting is one key: where its value may come from, and what checks and stores it.
type setting struct {
	key     string
	env     []string // the first one that is not empty counts
	initial string   // the default; empty: none
	set     func(key, value string) error
}

const (
	sqliteScheme   = "sqlite://"
	dynamodbScheme = "dynamodb://"
	exampleQueue   = "https://sqs.eu-west-1.amazonaws.com/111122223333/ebb"
	// longest is how long a lifecycle hook can last whatever the heartbeats.
	// https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
	longest = 48 * time.Hour
)

// settings are the keys at the top of the file, for c; groups, clusters and notify stand apart because they are lists.
func settings(c *Config) []setting {
	return []setting{
		{"queue", []string{"EBB_QUEUE"}, "", text(&c.Queue, checkQueue)},
		{"region", []string{"EBB_REGION", "AWS_REGION"}, "", text(&c.Region, like(regionName, "write it like eu-west-1"))},
		{"endpoint", []string{"EBB_ENDPOINT", "AWS_ENDPOINT_URL"}, "", text(&c.Endpoint, checkEndpoint)},
		{"journal", []string{"EBB_JOURNAL"}, "memory:", text(&c.Journal, checkJournal)},
		{"journal_endpoint", []string{"EBB_DYNAMODB_ENDPOINT"}, "", text(&c.JournalEndpoint, checkEndpoint)},
		{"hook", nil, "ebb-drain", text(&c.Hook, like(hookName, "write its name: letters, digits, - _ and /"))},
		{"foreign", nil, Acknowledge, text(&c.Foreign, oneOf(Acknowledge, Leave))},
		{"admin", []string{"EBB_ADMIN"}, "", text(&c.Admin, checkAdmin)},
		{"metrics", []string{"EBB_METRICS"}, "", text(&c.Metrics, oneOf(EMF))},
		{"log_level", nil, "info", text(&c.LogLevel, oneOf("debug", "info", "warn", "error"))},
		{"log_format", nil, "text", text(&c.LogFormat, oneOf("text", "json"))},
		{"lost_after", nil, "5m", duration(&c.LostAfter, time.Minute)},
		{"daemon_grace", nil, "2m", duration(&c.DaemonGrace, time.Second)},
	}
}

// groupSettings are the keys of one entry of groups, for g.
func groupSettings(g *Group) []setting {
	return []setting{
		{"match", nil, "", text(&g.Match, checkPattern)},
		{"cluster", nil, "", text(&g.Cluster, like(clusterName, "write its name, not its ARN: letters, digits, - and _"))},
		{"deadline", nil, "30m", duration(&g.Deadline, time.Minute)},
		{"on_deadline", nil, Continue, text(&g.OnDeadline, oneOf(Continue))},
		{"mode", nil, Drain, text(&g.Mode, oneOf(Drain, Observe))},
		{"max_unavailable", nil, "", func(key, s string) error { return setMaxUnavailable(&g.MaxUnavailable, key, s) }},
		{"rebalance", nil, Ignore, text(&g.Rebalance, oneOf(Ignore, Drain))},
		{"replace_first", nil, "false", yesOrNo(&g.ReplaceFirst)},
		{"capacity", nil, Keep, text(&g.Capacity, oneOf(Keep, Raise))},
		{"allow_rehearsal", nil, "false", yesOrNo(&g.AllowRehearsal)},
		{"agent", nil, "false", yesOrNo(&g.Agent)},
	}
}

// clusterSettings are the keys of one entry of clusters, for c.
func clusterSettings(c *Cluster) []setting {
	return []setting{
		{"name", nil, "", text(&c.Name, like(clusterName, "write its name, not its ARN: letters, digits, - and _"))},
		{"mode", nil, Drain, text(&c.Mode, oneOf(Drain, Observe))},
		{"allow_rehearsal", nil, "false", yesOrNo(&c.AllowRehearsal)},
	}
}

// serviceSettings are the keys of one entry of services, for s.
func serviceSettings(s *Service) []setting {
	name := like(clusterName, "write the service's name, not its ARN: letters, digits, - and _")
	return []setting{
		{"name", nil, "", text(&s.Name, name)},
		{"on_demand", nil, "", text(&s.OnDemand, name)},
		{"after", nil, "2m", duration(&s.After, time.Minute)},
		{"floor", nil, "", number(&s.Floor)},
		{"traffic_first", nil, "", duration(&s.TrafficFirst, time.Second)},
		{"quiet", nil, "", text(&s.Quiet, checkQuiet)},
	}
}

// notifySettings are the keys of one entry of notify, for n.
func notifySettings(n *Notify) []setting {
	return []setting{
		{"name", nil, "", text(&n.Name, like(routeName, "write letters, digits, - and _"))},
		{"slack", nil, "", text(&n.Slack, checkSecret)},
		{"slack_bot", nil, "", text(&n.SlackBot, checkSecret)},
		{"channel", nil, "", text(&n.Channel, like(channelID, "write the channel's id, such as C0123ABCD, which its details in Slack show"))},
		{"webhook", nil, "", text(&n.Webhook, checkSecret)},
		{"template", nil, "", text(&n.Template, checkPath)},
		{"sns", nil, "", text(&n.SNS, like(topicARN, "write the ARN of a topic, such as arn:aws:sns:eu-west-1:111122223333:ebb"))},
		{"eventbridge", nil, "", text(&n.EventBridge, like(busName, "write the name or the ARN of an event bus, such as default"))},
		{"events", nil, "", list(&n.Events, oneOf("started", "stuck", "forced", "let-go", "done", "planned", "scaled", digest))},
		{"digest", nil, "", text(&n.Digest, checkTimeOfDay)},
		{"groups", nil, "", list(&n.Groups, checkPattern)},
	}
}

// complete sets the name that a receiver has without one, and says what is wrong with it, if something is.
func (n *Notify) complete() string {
	kinds := []struct{ key, value string }{
		{"slack", n.Slack}, {"slack_bot", n.SlackBot}, {"webhook", n.Webhook}, {"sns", n.SNS}, {"eventbridge", n.EventBridge},
	}
	var set []string
	for _, k := range kinds {
		if k.value != "" {
			set = append(set, k.key)
		}
	}
	switch {
	case len(set) != 1:
		return "an entry of notify has one receiver: write one of slack, slack_bot, webhook, sns and eventbridge"
	case (n.SlackBot != "") != (n.Channel != ""):
		return "slack_bot and channel belong together; write both, or slack with an incoming webhook"
	case n.Template != "" && n.Webhook == "":
		return "template is for a webhook only; remove it"
	case slices.Contains(n.Events, digest) && n.Digest == "":
		return `events has digest, but no time is set; write a key digest with a time of day, like digest: "08:00"`
	}
	n.Name = cmp.Or(n.Name, set[0])
	return ""
}

// checkSecret wants the place of a secret. The error does not repeat what is written: it may be the secret.
func checkSecret(key, s string) error {
	kind, name, _ := strings.Cut(s, ":")
	known := kind == "env" || kind == "ssm" || kind == "secretsmanager" || kind == "file" && strings.HasPrefix(name, "/")
	if !known || name == "" {
		return fmt.Errorf("%s must say where the secret stands, and not what it is: env:NAME, file:/absolute/path, ssm:/parameter or "+
			"secretsmanager:NAME", key)
	}
	return nil
}

// digest is the event of a route that takes its daily digest; one that takes nothing else names it alone.
const digest = "digest"

// checkTimeOfDay wants hours and minutes.
func checkTimeOfDay(key, s string) error {
	if !match(timeOfDay, s) {
		return fmt.Errorf("%s is %q; write a time of day in UTC with hours and minutes, like 08:00", key, s)
	}
	return nil
}

func checkPath(key, s string) error {
	if !strings.HasPrefix(s, "/") {
		return fmt.Errorf("%s is %q; write the absolute path of a file", key, s)
	}
	return nil
}

// list stores values that are written with commas between them.
func list(to *[]string, check func(key, value string) error) func(key, value string) error {
	return func(key, s string) error {
		for v := range strings.SplitSeq(s, ",") {
			v = strings.TrimSpace(v)
			if err := check(key, v); err != nil {
				return err
			}
			*to = append(*to, v)
		}
		return nil
	}
}

// apply stores the values, or the defaults where there are none.
func apply(settings []setting, values map[string]value) []Problem {
	var problems []Problem
	for _, s := range settings {
		v, ok := values[s.key]
		if !ok {
			v.text = s.initial
		}
		if v.text == "" {
			continue
		}
		if err := s.set(s.key, v.text); err != nil {
			v.at.Text = err.Error()
			problems = append(problems, v.at)
		}
	}
	return problems
}

// text stores a value as it is written.
func text(to *string, check func(key, value string) error) func(key, value string) error {
	return func(key, s string) error {
		*to = s
		return check(key, s)
	}
}

// checkQueue wants the URL of a queue as SQS gives it out: at AWS, at a VPC endpoint or at a simulated cloud.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
func checkQueue(key, s string) error {
	if arn := strings.Split(s, ":"); len(arn) == 6 && arn[2] == "sqs" {
		return fmt.Errorf("%s is an ARN; write the queue's URL, https://sqs.%s.amazonaws.com/%s/%s", key, arn[3], arn[4], arn[5])
	}
	u, err := url.Parse(s)
	if err == nil && u.User != nil {
		return withPassword(key)
	}
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || !match(queuePath, u.Path) || u.RawQuery != "" {
		return fmt.Errorf("%s is %q, which is not the URL of an SQS queue; write it like %s", key, s, exampleQueue)
	}
	return nil
}

// withPassword refuses what every log would show.
func withPassword(key string) error {
	return fmt.Errorf("%s has a user or a password in it; leave out what stands before the @, for AWS takes neither", key)
}

func checkEndpoint(key, s string) error {
	u, err := url.Parse(s)
	if err == nil && u.User != nil {
		return withPassword(key)
	}
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return fmt.Errorf("%s is %q, which is not a URL; write it like http://127.0.0.1:4600", key, s)
	}
	return nil
}

// checkQuiet wants the URL of an endpoint that is asked about one target.
func checkQuiet(key, s string) error {
	if !strings.Contains(s, "{id}") {
		return fmt.Errorf("%s is %q; write a URL in which {id} stands for the address or instance of a target, like http://{id}:9102/connections", key, s)
	}
	return checkEndpoint(key, strings.NewReplacer("{id}", "10.0.0.1", "{port}", "80").Replace(s))
}

// checkAdmin wants host and port. Without a host all the world could ask.
func checkAdmin(key, s string) error {
	host, port, err := net.SplitHostPort(s)
	if n, wrong := strconv.ParseUint(port, 10, 16); err != nil || host == "" || wrong != nil || n == 0 && port != "0" {
		return fmt.Errorf("%s is %q; write an address and a port, like 127.0.0.1:9092, or 0.0.0.0:9092 to let other machines ask too", key, s)
	}
	return nil
}

func checkJournal(key, s string) error {
	if table, ok := strings.CutPrefix(s, dynamodbScheme); ok {
		if match(tableName, table) {
			return nil
		}
		return fmt.Errorf("%s is %q, but %q is not a valid name of a DynamoDB table; write dynamodb://NAME with 3 to 255 of letters, digits "+
			"and . - _", key, s, table)
	}
	if file, ok := strings.CutPrefix(s, sqliteScheme); s == "memory:" || ok && strings.HasPrefix(file, "/") && !strings.HasSuffix(file, "/") {
		return nil
	}
	return fmt.Errorf("%s is %q; write sqlite:///var/lib/ebb/journal.db (three slashes: the path is absolute), dynamodb://TABLE, or "+
		"memory: to forget at each restart", key, s)
}

func checkPattern(key, s string) error {
	if _, err := path.Match(s, ""); err != nil {
		return fmt.Errorf(`%s is %q, which is not a valid pattern; write a name, or one with *, ? or [a-z], like web-*; a \ or an opening [ `+
			"must be completed", key, s)
	}
	return nil
}

func oneOf(words ...string) func(key, value string) error {
	return func(key, s string) error {
		if slices.Contains(words, s) {
			return nil
		}
		return fmt.Errorf("%s is %q; write %s%s", key, s, strings.Join(words, " or "), suggest(s, words))
	}
}

// like wants a value of a form; hint says what to write.
func like(form, hint string) func(key, value string) error {
	return func(key, s string) error {
		if match(form, s) {
			return nil
		}
		return fmt.Errorf("%s is %q; %s", key, s, hint)
	}
}

// setMaxUnavailable takes a number of instances, or a share of the group's.
func setMaxUnavailable(b *MaxUnavailable, key, s string) error {
	number, share := strings.CutSuffix(s, "%")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || share && n > 100 {
		return fmt.Errorf("%s is %q; write how many instances of the group may leave at once, like 3, or a share of it, like 20%%; "+
			"without the key there is no limit", key, s)
	}
	if *b = (MaxUnavailable{Count: n}); share {
		*b = MaxUnavailable{Percent: n}
	}
	return nil
}

func yesOrNo(to *bool) func(key, value string) error {
	return func(key, s string) error {
		*to = s == "true"
		return oneOf("true", "false")(key, s)
	}
}

// number stores a number of tasks.
func number(to *int) func(key, value string) error {
	return func(key, s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return fmt.Errorf("%s is %q; write a number of tasks, like 4", key, s)
		}
		*to = n
		return nil
	}
}

func duration(to *time.Duration, least time.Duration) func(key, value string) error {
	return durationUpTo(to, least, longest)
}

func durationUpTo(to *time.Duration, least, longest time.Duration) func(key, value string) error {
	return func(key, s string) error {
		parsed, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("%s is %q, which is not a duration; write a number with its unit, like 90s, 30m or 1h30m", key, s)
		}
		if parsed < least || parsed > longest {
			return fmt.Errorf("%s is %s; write at least %s and at most %s", key, s, short(least), short(longest))
		}
		*to = parsed
		return nil
	}
}

// short spells a duration without zero parts: 48h, not 48h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// The forms of names. They are as wide as AWS's own rules, so that what is refused here could never have worked.
const (
	queuePath   = `/[0-9]{12}/[A-Za-z0-9_-]{1,80}(\.fifo)?$`
	queueHost   = `^(?:vpce-[^.]+\.)?sqs(?:-fips)?\.([a-z]{2}[a-z0-9-]+)\.(?:vpce\.)?amazonaws\.com(?:\.cn)?(?::443)?$`
	regionName  = `^[a-z]{2}(-[a-z]+)+-[0-9]+$`
	hookName    = `^[A-Za-z0-9_/-]{1,255}$`
	clusterName = `^[A-Za-z0-9_-]{1,255}$`
	routeName   = `^[A-Za-z0-9_-]{1,64}$`
	timeOfDay   = `^([01][0-9]|2[0-3]):[0-5][0-9]$`
	channelID   = `^[A-Z0-9]{2,32}$`
	topicARN    = `^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$`
	busName     = `^[A-Za-z0-9_./:-]{1,512}$`
	tableName   = `^[A-Za-z0-9_.-]{3,255}$`
)

func match(pattern, s string) bool { return regexp.MustCompile(pattern).MatchString(s) }

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
