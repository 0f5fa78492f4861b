package cli

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/iam"
)

// iamFlags are what the policy is made of, besides the configuration.
type iamFlags struct {
	mode, table, logGroup, tag, account, output string
	groups, clusters                            []string
	secretKeys, topicKeys                       []string
}

func newIAM(p Process) *cobra.Command {
	var f iamFlags
	c := &cobra.Command{
		Use: "iam", Short: "Print the IAM policy that Ebb needs", Args: noArgs,
		Long: `Iam prints an IAM policy with exactly the permissions that Ebb needs, for the groups, clusters, queue, table and receivers of
notices of the configuration or of the flags. It does not call AWS.

The modes are serve, lambda, read-only and agent; why, plan, doctor and status need read-only, and ebb-agent on an
instance needs agent. What each statement is for, and which calls AWS lets a policy limit, is in docs/reference/iam.md.`,
		Example: `  ebb iam --config ebb.yaml
  ebb iam --group web-asg --cluster prod --queue https://sqs.eu-west-1.amazonaws.com/111122223333/ebb
  ebb iam --mode read-only --region eu-west-1 --account 111122223333
  ebb iam --mode agent --config ebb.yaml                      # for the role of the instances of the groups with agent: true`,
	}
	addSettings(c, "config", "queue", "region")
	flags := c.Flags()
	flags.StringVar(&f.mode, "mode", string(iam.Serve), "serve, lambda, read-only or agent")
	flags.StringSliceVar(&f.groups, "group", nil, "Auto Scaling group, or a pattern with * and ?, instead of those of the configuration; may be repeated")
	flags.StringSliceVar(&f.clusters, "cluster", nil, "ECS cluster, instead of those of the configuration; may be repeated")
	flags.StringVar(&f.table, "table", "", "DynamoDB table of the journal, instead of the configuration's")
	flags.StringVar(&f.logGroup, "log-group", "/aws/lambda/ebb", "log group of the Lambda function")
	flags.StringVar(&f.tag, "tag", "", "KEY=VALUE: answer hooks only of groups with this tag")
	flags.StringSliceVar(&f.secretKeys, "secret-key", nil, "ARN of a KMS key of your own with which a secret under notify is encrypted; may be repeated")
	flags.StringSliceVar(&f.topicKeys, "topic-key", nil, "ARN of a KMS key of your own with which a topic under notify is encrypted; may be repeated")
	flags.StringVar(&f.account, "account", "", "AWS account, instead of the one in the queue's URL")
	flags.StringVarP(&f.output, "output", "o", "json", "json")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		mode, err := iam.ParseMode(f.mode)
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		if f.output != "json" {
			return fmt.Errorf("%w: no output form %q; a policy is JSON", errUsage, f.output)
		}
		cfg, err := load(cmd, p)
		if err != nil {
			return err
		}
		scope, err := f.scope(mode, cfg)
		if err != nil {
			return misconfigured(err)
		}
		if len(scope.Clusters) == 0 && mode != iam.ReadOnly {
			fmt.Fprintln(p.Stderr, "ebb: no cluster is named, so the policy reaches every cluster of the account and Region; name them with "+
				"--cluster, or for each group in the configuration")
		}
		return writeJSON(p.Stdout, iam.Policy(mode, scope))
	}
	return c
}

// scope is what the policy reaches. The error says what is missing, and where to write it.
func (f *iamFlags) scope(m iam.Mode, cfg config.Config) (iam.Scope, error) {
	account, name := queueOf(cfg.Queue)
	s := iam.Scope{Region: cfg.Region, Account: cmp.Or(f.account, account), Clusters: f.clusters, Groups: f.groups, LogGroup: f.logGroup}
	if s.Region == "" {
		return s, errors.New("no AWS Region: write --region eu-west-1, or region in the configuration")
	}
	if !accountID.MatchString(s.Account) {
		return s, fmt.Errorf("%q is not an AWS account id; write --account with its 12 digits, or --queue with the queue's URL, "+
			"which has them", s.Account)
	}
	s.Partition = partition(s.Region)
	arn := func(service, account, resource string) string {
		return strings.Join([]string{"arn", s.Partition, service, s.Region, account, resource}, ":")
	}
	if name != "" {
		s.Queue = arn("sqs", account, name)
	}
	if table := cmp.Or(f.table, cfg.JournalTable()); table != "" {
		s.Table = arn("dynamodb", s.Account, "table/"+table)
	}
	s.Scales = len(cfg.Scaling) > 0
	s.Raises = slices.ContainsFunc(cfg.Groups, func(g config.Group) bool { return g.Capacity == config.Raise })
	if m != iam.ReadOnly {
		err := f.acts(m, cfg, &s)
		return s, err
	}
	if len(f.secretKeys)+len(f.topicKeys) > 0 {
		return s, errors.New("--secret-key and --topic-key are for telling people, and read-only tells nobody anything")
	}
	if len(f.groups) > 0 || f.tag != "" {
		return s, errors.New("--group and --tag limit which hooks are answered, and read-only answers none: AWS does not let a policy limit " +
			"which groups are described")
	}
	return s, nil
}

// acts fills in what the controller reaches.
func (f *iamFlags) acts(m iam.Mode, cfg config.Config, s *iam.Scope) error {
	if s.Queue == "" && m != iam.Agent {
		return errors.New("no queue: write --queue https://sqs.eu-west-1.amazonaws.com/111122223333/ebb, or queue in the configuration")
	}
	if m == iam.Lambda && s.Table == "" {
		return errors.New("no table: a Lambda function keeps its journal in DynamoDB; write --table ebb, or journal: dynamodb://ebb in the configuration")
	}
	if f.tag != "" {
		key, value, ok := strings.Cut(f.tag, "=")
		if !ok || key == "" {
			return fmt.Errorf("--tag is %q; write it like --tag ebb=yes", f.tag)
		}
		s.Tag = iam.Tag{Key: key, Value: value}
	}
	if len(s.Groups) == 0 && f.tag == "" {
		for _, g := range cfg.Groups {
			if m != iam.Agent || g.Agent {
				s.Groups = append(s.Groups, g.Match)
			}
		}
		if m == iam.Agent && len(s.Groups) == 0 {
			return errors.New("no group has agent: true in the configuration; write it there, or --group web-asg")
		}
		if s.NoGroups = len(s.Groups) == 0 && len(cfg.Clusters)+len(cfg.Scaling) > 0; len(s.Groups) == 0 && !s.NoGroups {
			return errors.New("no group: write --group web-asg, --tag KEY=VALUE, or groups or clusters in the configuration; --group '*' is every " +
				"group of the account and Region")
		}
	}
	for _, g := range s.Groups {
		if strings.ContainsAny(g, `[\`) {
			return fmt.Errorf(`the group pattern %q has no equal in IAM, which knows * and ? only; write --group for what the policy is to reach`, g)
		}
	}
	if len(f.clusters) == 0 {
		s.Clusters = clustersIn(cfg)
	}
	for _, key := range slices.Concat(f.secretKeys, f.topicKeys) {
		if parts := strings.Split(key, ":"); len(parts) != 6 || parts[2] != "kms" || !strings.HasPrefix(parts[5], "key/") {
			return fmt.Errorf("%q is not the ARN of a KMS key; write it like arn:aws:kms:eu-west-1:111122223333:key/ID, and not as an alias", key)
		}
	}
	if m == iam.Agent {
		if len(f.secretKeys)+len(f.topicKeys) > 0 {
			return errors.New("--secret-key and --topic-key are for those whom the controller tells; the agent's own secrets are in its configuration")
		}
		return nil
	}
	s.Counts = countsIn(cfg)
	for _, c := range cfg.Scaling {
		if q := c.Policy.Queue; q != nil {
			u, _ := url.Parse(q.URL) // the configuration has checked it
			account, name, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
			s.Backlogs = append(s.Backlogs, strings.Join([]string{"arn", s.Partition, "sqs", s.Region, account, name}, ":"))
		}
	}
	s.Rehearsals = rehearsalsIn(cfg)
	s.Notices = noticesIn(cfg, *s)
	s.Notices.SecretKeys, s.Notices.TopicKeys = f.secretKeys, f.topicKeys
	return nil
}

// rehearsalsIn are the clusters in which interruptions of tasks may be rehearsed.
func rehearsalsIn(cfg config.Config) (clusters []string) {
	for _, g := range cfg.Groups {
		if g.Cluster != "" && cfg.Rehearses(g.Cluster) && !slices.Contains(clusters, g.Cluster) {
			clusters = append(clusters, g.Cluster)
		}
	}
	for _, c := range cfg.Clusters {
		if c.AllowRehearsal && !slices.Contains(clusters, c.Name) {
			clusters = append(clusters, c.Name)
		}
	}
	return clusters
}

// countsIn are the services whose desired counts a configuration lets Ebb set.
func countsIn(cfg config.Config) (services []string) {
	for _, g := range cfg.Groups {
		if all := g.Cluster + "/*"; g.ReplaceFirst && !slices.Contains(services, all) {
			services = append(services, all)
		}
	}
	for _, c := range cfg.Clusters {
		for _, s := range c.StandIns() {
			services = append(services, c.Name+"/"+s.OnDemand)
		}
	}
	for _, s := range cfg.Scaling {
		if s.Policy.Observe {
			continue
		}
		services = append(services, s.Cluster+"/"+s.Service)
	}
	return services
}

// noticesIn is what the receivers of a configuration need.
func noticesIn(cfg config.Config, s iam.Scope) (n iam.Notices) {
	arn := func(service, name, resource string) string {
		if strings.HasPrefix(name, "arn:") {
			return name
		}
		return strings.Join([]string{"arn", s.Partition, service, s.Region, s.Account, resource}, ":")
	}
	add := func(to *[]string, arn string) {
		if !slices.Contains(*to, arn) {
			*to = append(*to, arn)
		}
	}
	for _, r := range cfg.Notify {
		kind, name, _ := strings.Cut(r.Slack+r.SlackBot+r.Webhook, ":")
		switch {
		case r.SNS != "":
			add(&n.Topics, r.SNS)
		case r.EventBridge != "":
			add(&n.Buses, arn("events", r.EventBridge, "event-bus/"+r.EventBridge))
		case kind == "ssm":
			bare, _, _ := strings.Cut(name, ":") // without a version
			add(&n.Parameters, arn("ssm", name, "parameter/"+strings.TrimPrefix(bare, "/")))
		case kind == "secretsmanager":
			name, _, _ = strings.Cut(name, "#")
			add(&n.Secrets, arn("secretsmanager", name, "secret:"+name+"-??????"))
		}
		n.Why = n.Why || len(r.Events) == 0 || slices.Contains(r.Events, "stuck")
	}
	n.Why = n.Why || len(cfg.Scaling) > 0 // whether tasks find a place
	return n
}

// clustersIn are the clusters of the configuration, each once; none if some group's cluster is found only when a host leaves.
func clustersIn(cfg config.Config) (all []string) {
	for _, g := range cfg.Groups {
		all = append(all, g.Cluster)
	}
	if slices.Contains(all, "") {
		return nil
	}
	for _, c := range cfg.Clusters {
		all = append(all, c.Name)
	}
	for _, s := range cfg.Scaling {
		all = append(all, s.Cluster)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

var accountID = regexp.MustCompile(`^[0-9]{12}$`)

// queueOf is the account and the name in the URL of a queue.
func queueOf(queueURL string) (account, name string) {
	u, err := url.Parse(queueURL)
	if parts := strings.Split(strings.TrimPrefix(u.Path, "/"), "/"); err == nil && len(parts) == 2 {
		return parts[0], parts[1]
	}
	return "", ""
}

// partition is the part of AWS that a Region belongs to.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}
