package cloud

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

const arns = "arn:aws:ecs:eu-west-1:111122223333:"

func missingItem(arn string) ecstypes.Failure {
	return ecstypes.Failure{Arn: aws.String(arn), Reason: aws.String("MISSING")}
}

func failedItem(arn string) ecstypes.Failure {
	return ecstypes.Failure{Arn: aws.String(arn), Reason: aws.String("INTERNAL"), Detail: aws.String("try later")}
}

// A missing item is absent: neither seen nor failed. One that failed otherwise stays unknown.
func TestContainerInstances(t *testing.T) {
	c, f := newFake(theAnswer(&ecs.DescribeContainerInstancesOutput{
		ContainerInstances: []ecstypes.ContainerInstance{{
			ContainerInstanceArn: aws.String("arn:1"), Ec2InstanceId: aws.String("i-0a"), Status: aws.String("DRAINING"),
			AgentConnected: true, RunningTasksCount: 2, PendingTasksCount: 1,
		}},
		Failures: []ecstypes.Failure{missingItem("arn:2"), failedItem("arn:3")},
	}, nil))
	s := c.Look(t.Context(), plan.LookFor(plan.ContainerInstances, arns+"cluster/prod", "arn:1", "arn:2", "arn:3"))
	diff(t, "seen", []fleet.ContainerInstance{{
		ARN: "arn:1", Cluster: "prod", Instance: "i-0a", Status: fleet.Draining, Connected: true, Running: 2, Pending: 1,
	}}, s.View.ContainerInstances)
	diff(t, "unknown", []plan.ItemFailure{{ID: "arn:3", Class: plan.Unclear, Reason: "INTERNAL: try later"}}, s.Failed)
	diff(t, "cluster asked for", arns+"cluster/prod", *f.asked[0].(*ecs.DescribeContainerInstancesInput).Cluster)
}

func TestContainerInstancesOfAClusterThatIsGone(t *testing.T) {
	c, _ := newFake(theAnswer(nil, noCluster))
	s := c.Look(t.Context(), plan.LookFor(plan.ContainerInstances, "prod", "arn:1"))
	if s.Err == nil || s.Err.Class != plan.Gone {
		t.Errorf("got %+v, want gone", s)
	}
}

func TestServices(t *testing.T) {
	first := &ecs.DescribeServicesOutput{
		Services: []ecstypes.Service{
			{
				ServiceName: aws.String("web"), ClusterArn: aws.String(arns + "cluster/prod"), Status: aws.String("ACTIVE"),
				DesiredCount: 4, RunningCount: 3,
				DeploymentConfiguration: &ecstypes.DeploymentConfiguration{MinimumHealthyPercent: aws.Int32(50), MaximumPercent: aws.Int32(200)},
				LoadBalancers:           []ecstypes.LoadBalancer{{TargetGroupArn: aws.String("arn:tg"), ContainerName: aws.String("app"), ContainerPort: aws.Int32(8080)}},
			},
			{ServiceName: aws.String("agent"), SchedulingStrategy: ecstypes.SchedulingStrategyDaemon, Status: aws.String("DRAINING")},
			{ServiceName: aws.String("old"), Status: aws.String("INACTIVE")},
		},
		Failures: []ecstypes.Failure{missingItem(arns + "service/prod/none"), failedItem(arns + "service/prod/sick")},
	}
	c, f := newFake(nil)
	f.answer = func(any) (any, error) {
		if len(f.asked) > 1 {
			return &ecs.DescribeServicesOutput{}, nil
		}
		return first, nil
	}
	names := append([]string{"web", "agent", "old", "none", "sick"}, ids[string]("more-%d", 8)...)
	s := c.Look(t.Context(), plan.LookFor(plan.Services, "prod", names...))
	if s.Calls != 2 || len(f.asked[0].(*ecs.DescribeServicesInput).Services) != plan.MaxDescribeServices {
		t.Errorf("%d calls, want 13 services in chunks of ten", s.Calls)
	}
	diff(t, "seen", []fleet.Service{
		{
			Name: "web", Cluster: "prod", Desired: 4, Running: 3, MinPercent: 50, MaxPercent: 200,
			LoadBalancers: []fleet.LoadBalancer{{TargetGroup: "arn:tg", Container: "app", ContainerPort: 8080}},
		},
		{Name: "agent", Daemon: true},
	}, s.View.Services)
	diff(t, "unknown", plan.ItemFailure{ID: "sick", Class: plan.Unclear, Reason: "INTERNAL: try later"}, s.Failed[0])
}

// Which target groups ECS manages for a revision is read once when its deployment is completed, and each time before.
func TestTheRevisionOfACompletedDeploymentIsReadOnce(t *testing.T) {
	state := ecstypes.DeploymentRolloutStateInProgress
	c, _ := newFake(func(in any) (any, error) {
		if _, ok := in.(*ecs.DescribeServicesInput); ok {
			return &ecs.DescribeServicesOutput{Services: []ecstypes.Service{{
				ServiceName: aws.String("web"), Status: aws.String("ACTIVE"), ResourceManagementType: ecstypes.ResourceManagementTypeEcs,
				CurrentServiceRevisions: []ecstypes.ServiceCurrentRevisionSummary{{Arn: aws.String("arn:revision/1")}},
				Deployments:             []ecstypes.Deployment{{RolloutState: state}},
			}}}, nil
		}
		return &ecs.DescribeServiceRevisionsOutput{ServiceRevisions: []ecstypes.ServiceRevision{{
			ServiceRevisionArn: aws.String("arn:revision/1"), EcsManagedResources: &ecstypes.ECSManagedResources{IngressPaths: []ecstypes.ManagedIngressPath{
				{TargetGroups: []ecstypes.ManagedTargetGroup{{Arn: aws.String("arn:tg")}}},
			}},
		}}}, nil
	})
	for i, want := range []int{2, 2, 2, 1, 1, 2} {
		switch i {
		case 2:
			state = ecstypes.DeploymentRolloutStateCompleted
		case 5:
			state = ecstypes.DeploymentRolloutStateInProgress
		}
		s := c.Look(t.Context(), plan.LookFor(plan.Services, "prod", "web"))
		if s.Calls != want || len(s.View.Services) != 1 || len(s.View.Services[0].LoadBalancers) != 1 {
			t.Errorf("look %d, %s: %d calls, want %d; %+v", i, state, s.Calls, want, s.View)
		}
	}
}

// listing answers ListTasks with one task a page.
type listing struct {
	tasks    map[string][]string // by container instance; empty: the whole cluster
	failPage string              // the page that starts with this task fails
	statuses []string
}

func (l *listing) answer(in any) (any, error) {
	q := in.(*ecs.ListTasksInput)
	l.statuses = append(l.statuses, string(q.DesiredStatus))
	tasks := l.tasks[aws.ToString(q.ContainerInstance)]
	for len(tasks) > 0 && q.NextToken != nil && tasks[0] != *q.NextToken {
		tasks = tasks[1:]
	}
	if len(tasks) == 0 {
		return &ecs.ListTasksOutput{}, nil
	}
	if tasks[0] == l.failPage {
		return nil, throttled
	}
	out := &ecs.ListTasksOutput{TaskArns: tasks[:1]}
	if len(tasks) > 1 {
		out.NextToken = aws.String(tasks[1])
	}
	return out, nil
}

func (l *listing) look(t *testing.T, look plan.Look) (plan.LookResult, []string) {
	t.Helper()
	c, _ := newFake(l.answer)
	s := c.Look(t.Context(), look)
	var seen []string
	for _, task := range s.View.Listed {
		seen = append(seen, strings.Trim(string(task.On+"/"+task.Task), "/"))
	}
	return s, seen
}

func TestListTasks(t *testing.T) {
	for _, c := range []struct {
		name     string
		kind     plan.LookKind
		failPage string
		seen     []string
		failed   []string
		statuses string
	}{
		{"every page of each", plan.ListRunning, "", []string{"ci1/t1", "ci1/t2", "ci1/t3", "ci2/t5", "ci2/t6"}, nil, "RUNNING RUNNING RUNNING RUNNING RUNNING"},
		{"a later page fails", plan.ListRunning, "t6", []string{"ci1/t1", "ci1/t2", "ci1/t3", "ci2/t5"}, []string{"ci2"}, "RUNNING RUNNING RUNNING RUNNING RUNNING"},
		{"the first page fails", plan.ListStopped, "t1", []string{"ci2/t5", "ci2/t6"}, []string{"ci1"}, "STOPPED STOPPED STOPPED"},
	} {
		l := &listing{tasks: map[string][]string{"ci1": {"t1", "t2", "t3"}, "ci2": {"t5", "t6"}}, failPage: c.failPage}
		s, seen := l.look(t, plan.LookFor(c.kind, "prod", "ci1", "ci2"))
		if s.Err != nil || !cmp.Equal(seen, c.seen) || !cmp.Equal(failedIDs(t, s.Failed, plan.Throttled), c.failed) || s.Calls != len(l.statuses) {
			t.Errorf("%s: seen %v, failed %v, error %v, %d calls; want %v and %v", c.name, seen, s.Failed, s.Err, s.Calls, c.seen, c.failed)
		}
		diff(t, c.name, c.statuses, strings.Join(l.statuses, " "))
	}
}

func TestListTasksOfNobody(t *testing.T) {
	s, seen := (&listing{}).look(t, plan.LookFor(plan.ListRunning, "prod", "ci1", "ci2"))
	if s.Err != nil || seen != nil || s.Failed != nil || s.Calls != 2 {
		t.Errorf("got %+v, want complete and empty by 2 calls", s)
	}
}

// A cluster is listed by a few pages at a time, and a page that fails after others is where to go on.
func TestListCluster(t *testing.T) {
	all := []string{"t0", "t1", "t2", "t3", "t4", "t5", "t6"}
	for _, c := range []struct {
		from, failPage string
		seen           []string
		next           string
		err            bool
	}{
		{"", "", all[:plan.ListPages], "t5", false},
		{"t5", "", all[5:], "", false},
		{"", "t3", all[:3], "t3", false},
		{"t3", "t3", nil, "", true},
	} {
		l := &listing{tasks: map[string][]string{"": all}, failPage: c.failPage}
		page := plan.LookFor(plan.ListCluster, "prod", "STOPPED")
		page.Token = c.from
		s, seen := l.look(t, page)
		if !cmp.Equal(seen, c.seen) || s.View.Next != c.next || (s.Err != nil) != c.err || l.statuses[0] != "STOPPED" {
			t.Errorf("from %q, page %q fails: %v, next %q, error %v; want %v, %q", c.from, c.failPage, seen, s.View.Next, s.Err, c.seen, c.next)
		}
	}
}

func TestClusters(t *testing.T) {
	c, _ := newFake(theAnswer(&ecs.DescribeClustersOutput{
		Clusters: []ecstypes.Cluster{{ClusterArn: aws.String("arn:aws:ecs:eu-west-1:111122223333:cluster/prod"), RunningTasksCount: 120, PendingTasksCount: 3}},
		Failures: []ecstypes.Failure{failedItem("arn:aws:ecs:eu-west-1:111122223333:cluster/sick")},
	}, nil))
	s := c.Look(t.Context(), plan.LookFor(plan.Clusters, "", "prod", "sick"))
	diff(t, "clusters", []fleet.Cluster{{Name: "prod", Running: 120, Pending: 3}}, s.View.Clusters)
	diff(t, "unknown", []string{"sick"}, failedIDs(t, s.Failed, plan.Unclear))
}

func TestTasksInChunks(t *testing.T) {
	c, f := newFake(nil)
	f.answer = func(in any) (any, error) {
		if len(f.asked) == 3 {
			return nil, errBroken
		}
		out := &ecs.DescribeTasksOutput{}
		for _, arn := range in.(*ecs.DescribeTasksInput).Tasks {
			out.Tasks = append(out.Tasks, ecstypes.Task{TaskArn: aws.String(arn), LastStatus: aws.String("RUNNING")})
		}
		return out, nil
	}
	s := c.Look(t.Context(), plan.LookFor(plan.Tasks, "prod", ids[fleet.ARN]("t%d", 250)...))
	if s.Err != nil || s.Calls != 3 || len(s.View.Tasks) != 200 {
		t.Errorf("%d tasks by %d calls, error %v; want 200 by 3", len(s.View.Tasks), s.Calls, s.Err)
	}
	diff(t, "unknown", ids[string]("t%d", 250)[200:], failedIDs(t, s.Failed, plan.Unclear))
}

// clusters answers as an account with clusters a, b and c, where instance i-0a is in b as container instance arn:b.
type clusters struct {
	fails   map[string]error // by cluster: ListContainerInstances
	failure []ecstypes.Failure
	filters []string
}

func (cs *clusters) answer(in any) (any, error) {
	switch in := in.(type) {
	case *ecs.ListClustersInput:
		if in.NextToken == nil {
			return &ecs.ListClustersOutput{ClusterArns: []string{"x/a", "x/b"}, NextToken: aws.String("2")}, nil
		}
		return &ecs.ListClustersOutput{ClusterArns: []string{"x/c"}}, nil
	case *ecs.ListContainerInstancesInput:
		cs.filters = append(cs.filters, aws.ToString(in.Filter))
		if err := cs.fails[*in.Cluster]; err != nil {
			return nil, err
		}
		if fleet.ARN(*in.Cluster).Name() == "b" {
			return &ecs.ListContainerInstancesOutput{ContainerInstanceArns: []string{"arn:b"}}, nil
		}
		return &ecs.ListContainerInstancesOutput{}, nil
	case *ecs.DescribeContainerInstancesInput:
		if cs.failure != nil {
			return &ecs.DescribeContainerInstancesOutput{Failures: cs.failure}, nil
		}
		return &ecs.DescribeContainerInstancesOutput{ContainerInstances: []ecstypes.ContainerInstance{{
			ContainerInstanceArn: aws.String("arn:b"), Ec2InstanceId: aws.String("i-0a"), Status: aws.String("ACTIVE"),
		}}}, nil
	}
	return nil, fmt.Errorf("unexpected request %T", in)
}

func TestNoClusters(t *testing.T) {
	cs := clusters{fails: map[string]error{"x/a": noCluster, "x/b": throttled}}
	cloud, _ := newFake(cs.answer)
	diff(t, "unknown to ECS", []string{"x/a"}, cloud.NoClusters(t.Context(), []string{"x/a", "x/b", "x/c"}))
}

func TestFindContainerInstances(t *testing.T) {
	all := map[string]error{"x/a": throttled, "x/b": throttled, "x/c": throttled}
	for _, c := range []struct {
		name    string
		cluster string
		cs      clusters
		seen    int
		failed  []string
		class   plan.Class // of the error, or of the failed
		err     bool
		calls   int
	}{
		{name: "in every cluster", seen: 1, calls: 6},
		{name: "in one cluster", cluster: "b", seen: 1, calls: 2},
		{name: "not in that cluster", cluster: "c", calls: 1},
		{name: "one cluster fails", cs: clusters{fails: map[string]error{"x/c": throttled}}, seen: 1, failed: []string{"i-0b"}, class: plan.Throttled, calls: 6},
		{name: "its cluster fails", cs: clusters{fails: map[string]error{"x/b": throttled}}, failed: []string{"i-0a", "i-0b"}, class: plan.Throttled, calls: 5},
		{name: "all clusters fail", cs: clusters{fails: all}, err: true, class: plan.Throttled, calls: 5},
		{name: "the one cluster fails", cluster: "x/a", cs: clusters{fails: all}, err: true, class: plan.Throttled, calls: 1},
		{name: "the one cluster is gone", cluster: "x/a", cs: clusters{fails: map[string]error{"x/a": noCluster}}, calls: 1},
		{name: "a cluster was deleted meanwhile", cs: clusters{fails: map[string]error{"x/c": noCluster}}, seen: 1, calls: 6},
		{name: "it left between list and describe", cs: clusters{failure: []ecstypes.Failure{missingItem("arn:b")}}, calls: 6},
		{name: "it cannot be described", cs: clusters{failure: []ecstypes.Failure{failedItem("arn:b")}}, failed: []string{"i-0a", "i-0b"},
			class: plan.Unclear, calls: 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			cloud, _ := newFake(c.cs.answer)
			s := cloud.Look(t.Context(), plan.LookFor(plan.FindContainerInstances, c.cluster, "i-0a", "i-0b"))
			if c.err && (s.Err == nil || s.Err.Class != c.class) || !c.err && s.Err != nil {
				t.Fatalf("error %v, want one: %v of class %q", s.Err, c.err, c.class)
			}
			if len(s.View.ContainerInstances) != c.seen || s.Calls != c.calls {
				t.Errorf("%d seen by %d calls, want %d by %d", len(s.View.ContainerInstances), s.Calls, c.seen, c.calls)
			}
			if !c.err {
				diff(t, "unknown", c.failed, failedIDs(t, s.Failed, c.class))
			}
			if c.seen > 0 {
				diff(t, "seen", fleet.ContainerInstance{ARN: "arn:b", Cluster: "b", Instance: "i-0a", Status: fleet.Active}, s.View.ContainerInstances[0])
			}
			diff(t, "filter", "ec2InstanceId in ['i-0a','i-0b']", c.cs.filters[0])
		})
	}
}
