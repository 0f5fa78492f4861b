package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ebbhq/ebb/deploy"
	"github.com/ebbhq/ebb/internal/cloud/collector"
	"github.com/ebbhq/ebb/internal/config"
	"github.com/ebbhq/ebb/internal/doctor"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/plain"
)

// The shapes in which Ebb runs.
const (
	shapeLambda  = "lambda"
	shapeService = "service"
	shapeServe   = "serve"
)

// initFlags are the flags of ebb init.
type initFlags struct {
	groups, clusters, scale []string
	mail                    string
	shape, dir, name, table string
	noticeTopic             string
	emf                     bool
	createTable, yes        bool
	remove, force, agent    bool
}

func newInit(p Process) *cobra.Command {
	var f initFlags
	c := &cobra.Command{
		Use: "init", Short: "Write the files and commands that deploy Ebb for your groups and clusters, or remove it", Args: noArgs,
		Long: `Init reads Auto Scaling groups and the clusters of their instances, and writes the files that deploy Ebb for them: ebb.yaml,
and for a Lambda function or an ECS service a CloudFormation template and its parameters. It prints the next commands, and what in
the account conflicts with the setup. It changes nothing in the account, except that --create-table creates a table.

A cluster that is named and in which none of the groups is, is set up for its tasks on Fargate Spot. That needs no group at all. A service
that --scale names gets alarms on the requests for each of its tasks, and Ebb the permission to set its desired count.

Run it again at any time: it shows what would change in the files, and changes them only with --yes or when you agree. With --remove
it prints the commands that remove Ebb again; while an instance waits in a hook it prints none, unless --force is given. Only commands
for a shell go to standard output.

Exit codes: 0 it is done; 1 it could not do it; 5 with --remove, an instance waits in a hook; 64 wrong usage; 78 wrong configuration.`,
		Example: `  ebb init --group web-asg --cluster prod                     # a Lambda function
  ebb init --group web-asg --group api-asg --shape service     # an ECS service
  ebb init --cluster web                                       # for tasks on Fargate Spot, without any group
  ebb init --group web-asg --notice-topic arn:aws:sns:eu-west-1:111122223333:ops --emf
  ebb init --group web-asg --shape serve                       # one machine with ebb serve, and no CloudFormation
  ebb init --group web-asg --agent                             # ebb-agent on the instances too
  ebb init --scale prod/web --mail ops@example.com             # for a service that follows its requests
  ebb init --group web-asg --shape serve --remove | sh`,
	}
	addSettings(c, "region", "endpoint")
	flags := c.Flags()
	flags.StringSliceVar(&f.groups, "group", nil, "Auto Scaling group to look after; may be repeated")
	flags.StringSliceVar(&f.clusters, "cluster", nil,
		"ECS cluster of their instances, which is found without it, or of tasks on Fargate Spot; may be repeated")
	flags.StringSliceVar(&f.scale, "scale", nil, "CLUSTER/SERVICE: service behind an Application Load Balancer that Ebb is to scale; may be repeated")
	flags.StringVar(&f.mail, "mail", "", "address that gets a mail about the alarms of --scale")
	flags.StringVar(&f.shape, "shape", shapeLambda, "how Ebb is to run: lambda, service (ECS) or serve (a machine)")
	flags.StringVar(&f.dir, "dir", ".", "where to write the files")
	flags.StringVar(&f.name, "name", "ebb", "name of the stack and the queue")
	flags.StringVar(&f.table, "table", "", "DynamoDB table of the journal; without it the name, and for serve a file")
	flags.StringVar(&f.noticeTopic, "notice-topic", "", "ARN of an SNS topic by which Ebb tells people what it does; without it nobody is told")
	flags.BoolVar(&f.emf, "emf", false, "write metrics for CloudWatch, which cost what custom metrics cost")
	flags.BoolVar(&f.createTable, "create-table", false, "make that table now, instead of the stack")
	flags.BoolVar(&f.agent, "agent", false, "also for ebb-agent on the instances: its hook, its rights and what the user data gets")
	flags.BoolVar(&f.yes, "yes", false, "write files that are there already and differ")
	flags.BoolVar(&f.remove, "remove", false, "print the commands that take Ebb out of the account")
	flags.BoolVar(&f.force, "force", false, "print them although an instance waits in a hook, which then ends undrained")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.check(); err != nil {
			return fmt.Errorf("%w: %w; see ebb init --help", errUsage, err)
		}
		cfg, err := load(cmd, p)
		if err != nil {
			return err
		}
		cfg.Queue = "" // that of another setup
		return f.run(cmd.Context(), p, cfg)
	}
	return c
}

// The forms of names. Those of groups and clusters are narrower than AWS's, so that each can stand in a policy's name, a pattern and a command.
const (
	plainName = `^[A-Za-z0-9][A-Za-z0-9_.-]*$`
	stackName = `^[A-Za-z][A-Za-z0-9-]{2,59}$`
	topicARN  = `^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$`
)

// check refuses flags that cannot be meant.
func (f *initFlags) check() error {
	if !slices.Contains([]string{shapeLambda, shapeService, shapeServe}, f.shape) {
		return fmt.Errorf("there is no shape %q; use %s, %s or %s", f.shape, shapeLambda, shapeService, shapeServe)
	}
	if len(f.groups)+len(f.clusters)+len(f.scale) == 0 {
		return fmt.Errorf("no group and no cluster is named; write --group with the name of each Auto Scaling group that Ebb is to look after, " +
			"--cluster with that of each ECS cluster whose tasks on Fargate Spot it is to look after, or --scale with a service")
	}
	if err := f.checkScale(); err != nil {
		return err
	}
	for _, name := range append(slices.Clone(f.groups), f.clusters...) {
		if strings.ContainsAny(name, "*?[") {
			return fmt.Errorf("%q is a pattern, and ebb init takes names: a hook, a rule and a policy are of one group each; write --group for every one", name)
		}
		if !regexp.MustCompile(plainName).MatchString(name) {
			return fmt.Errorf("the name %q has characters other than letters, digits, _ . and -, which ebb init cannot write; set Ebb up by hand", name)
		}
	}
	if !regexp.MustCompile(stackName).MatchString(f.name) {
		return fmt.Errorf("the name %q is not valid for a stack and a queue; use 3 to 60 letters, digits and -, beginning with a letter", f.name)
	}
	if f.noticeTopic != "" && !regexp.MustCompile(topicARN).MatchString(f.noticeTopic) {
		return fmt.Errorf("--notice-topic is %q, which is not the ARN of a topic; write it like arn:aws:sns:eu-west-1:111122223333:ops", f.noticeTopic)
	}
	if f.agent && len(f.groups) == 0 {
		return fmt.Errorf("--agent is for the instances of a group; write --group too")
	}
	if f.createTable && f.table == "" {
		return fmt.Errorf("--create-table makes the table that --table names; write --table %s too", f.name)
	}
	if f.shape == shapeServe {
		return nil
	}
	return f.distinct()
}

// distinct refuses names that come to the same in CloudFormation, which keeps only letters and digits of a name in a resource's id.
func (f *initFlags) distinct() error {
	for _, names := range [][]string{f.groups, f.clusters} {
		ids := map[string]string{}
		for _, name := range names {
			id := regexp.MustCompile(`[^A-Za-z0-9]`).ReplaceAllString(name, "")
			if other, taken := ids[id]; taken {
				return fmt.Errorf("%s and %s are the same to CloudFormation, which sees letters and digits only; give each a stack of its own with --name", other, name)
			}
			ids[id] = name
		}
	}
	return nil
}

func (f *initFlags) run(ctx context.Context, p Process, cfg config.Config) error {
	scope := collector.Scope{Groups: f.groups, Clusters: slices.Clone(f.clusters)}
	for _, name := range f.scale {
		cluster, _, _ := strings.Cut(name, "/")
		scope.Clusters = append(scope.Clusters, cluster)
	}
	seen, err := look(ctx, cfg, scope, time.Now, p.Stderr)
	if err != nil {
		return err
	}
	return f.answer(ctx, p, cfg, seen)
}

// answer does what the flags say about what was seen.
func (f *initFlags) answer(ctx context.Context, p Process, cfg config.Config, seen inventory.Inventory) error {
	s, err := f.setup(cfg, &seen)
	if err != nil {
		return err
	}
	if f.remove {
		if err := s.hooksRead(&seen); err != nil {
			return err
		}
		if err := s.waiting(&seen); err != nil && !f.force {
			return err
		}
		_, err := io.WriteString(p.Stdout, s.removal(&seen))
		return err
	}
	s.remark(p.Stderr, &seen)
	if f.createTable {
		if err := createTable(ctx, p, cfg, f.table); err != nil {
			return err
		}
	}
	return f.write(ctx, p, s)
}

// write brings the files up to date and then prints what comes next.
func (f *initFlags) write(ctx context.Context, p Process, s setup) error {
	parameters, missing, err := s.parameters(filepath.Join(f.dir, parametersFile))
	if err != nil {
		return err
	}
	files := []file{{"ebb.yaml", s.config()}}
	if text := deploy.Template(s.shape); text != "" {
		files = append(files, file{s.templateFile(), text}, file{parametersFile, parameters})
	}
	files = append(files, s.agentFiles()...)
	scaling, more, err := s.scaleFiles(f.dir)
	if err != nil {
		return err
	}
	files = append(files, scaling...)
	if err := writeFiles(ctx, p, f.dir, files, f.yes); err != nil {
		return err
	}
	if len(missing) > 0 {
		fmt.Fprintf(p.Stderr, "fill in these values in %s: %s\n", filepath.Join(f.dir, parametersFile), strings.Join(missing, ", "))
	}
	if len(more) > 0 {
		fmt.Fprintf(p.Stderr, "fill in how many requests a minute are too many and too few for a task: %s\n", strings.Join(more, ", "))
	}
	_, err = io.WriteString(p.Stdout, s.next(f.dir))
	return err
}

// setup works out what is to be written. The error says what does not fit.
func (f *initFlags) setup(cfg config.Config, seen *inventory.Inventory) (setup, error) {
	s := setup{initFlags: *f, partition: "aws", region: seen.Region, account: seen.Account, endpoint: cfg.Endpoint}
	if s.table == "" && s.shape != shapeServe {
		s.table = f.name
	}
	for _, name := range f.clusters {
		c := seen.Cluster(name)
		if c == nil {
			return s, fmt.Errorf("cluster %s does not exist or cannot be read%s; check the name, the Region (%s) and the credentials", name,
				whyUnread(seen, name), seen.Region)
		}
		s.partitionOf(c.ARN)
	}
	for _, name := range f.groups {
		g := seen.Group(name)
		if g == nil {
			return s, fmt.Errorf("group %s does not exist or cannot be read%s; check the name, the Region (%s) and the credentials", name,
				whyUnread(seen, name), seen.Region)
		}
		s.partitionOf(string(g.ARN))
		cluster, err := clusterOfGroup(seen, g, f.clusters)
		if err != nil {
			return s, err
		}
		s.managed = append(s.managed, doctor.Managed{Match: name, Cluster: cluster, Deadline: 30 * time.Minute})
	}
	for _, name := range f.clusters {
		if !slices.ContainsFunc(s.managed, func(m doctor.Managed) bool { return m.Cluster == name }) {
			s.fargate = append(s.fargate, name)
		}
	}
	var err error
	if s.services, err = f.scaledIn(seen); err == nil && len(f.groups)+len(f.clusters) == 0 {
		s.partitionOf(seen.Cluster(s.services[0].cluster).ARN)
	}
	return s, err
}

// partitionOf takes the partition from an ARN.
func (s *setup) partitionOf(arn string) {
	if parts := strings.Split(arn, ":"); len(parts) > 1 {
		s.partition = parts[1]
	}
}

// whyUnread is what the inventory says of a thing that it could not read, in parentheses.
func whyUnread(seen *inventory.Inventory, name string) string {
	for _, u := range seen.Unread {
		if strings.HasSuffix(u.What, " "+name) || !strings.Contains(u.What, " of ") {
			return " (" + u.What + ": " + u.Error + ")"
		}
	}
	return ""
}

// hostsUnread is what the inventory says of a read that would show where instances are registered, and that failed, in parentheses.
func hostsUnread(seen *inventory.Inventory) string {
	for _, u := range seen.Unread {
		operation, _, _ := strings.Cut(u.What, " of ")
		if slices.Contains([]string{"ecs:ListClusters", "ecs:DescribeClusters", "ecs:ListContainerInstances", "ecs:DescribeContainerInstances"}, operation) {
			return " (" + u.What + ": " + u.Error + ")"
		}
	}
	return ""
}

// hooksRead refuses to go on where it is not known which hooks the groups have: without its listener, a hook that stays holds every instance.
func (s setup) hooksRead(seen *inventory.Inventory) error {
	for _, name := range s.groups {
		for _, u := range seen.Unread {
			if u.What == "autoscaling:DescribeLifecycleHooks of group "+name {
				return fmt.Errorf("cannot read the hooks of group %s (%s: %s); allow that operation, or try again: a hook that stays without Ebb "+
					"holds every instance that leaves", name, u.What, u.Error)
			}
		}
	}
	return nil
}

// clusterOfGroup finds the one cluster that a group's instances are in: by the container instances, or if there are none by the capacity
// providers, or because only one was named.
func clusterOfGroup(seen *inventory.Inventory, g *inventory.Group, named []string) (string, error) {
	var in []string
	for _, c := range seen.Clusters {
		if slices.ContainsFunc(c.CapacityProviders, func(p inventory.CapacityProvider) bool { return p.Group == g.Name }) ||
			slices.ContainsFunc(g.Instances, func(m fleet.GroupInstance) bool { return c.Host(m.ID) != nil }) {
			in = append(in, c.Name)
		}
	}
	unread := hostsUnread(seen)
	switch {
	case len(in) <= 1 && unread != "":
		return "", fmt.Errorf("cannot tell in which clusters the instances of group %s are%s; allow that operation, try again, or write --cluster", g.Name,
			unread)
	case len(in) == 1:
		return in[0], nil
	case len(in) > 1:
		return "", fmt.Errorf("the instances of group %s are in several clusters (%s), and Ebb takes one for a group; is the cluster in its "+
			"user data right?", g.Name, strings.Join(in, ", "))
	case len(g.Instances) > 0 && len(named) > 0:
		return "", fmt.Errorf("no instance of group %s is in %s; leave --cluster out to find its cluster", g.Name, strings.Join(named, " or "))
	case len(named) == 1:
		return named[0], nil
	}
	return "", fmt.Errorf("cannot find the cluster of group %s: it has %s, and none is registered in a cluster "+
		"that can be read; write --cluster", g.Name, plain.Count(len(g.Instances), "instance"))
}
