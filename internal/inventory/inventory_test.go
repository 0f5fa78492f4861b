package inventory

import (
	"slices"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

// User data is a shell script, cloud-init, PowerShell or TOML. A setting is read as the agent reads its file: the last one counts, and a
// comment does not.
func TestSettingsOfTheAgent(t *testing.T) {
	for text, want := range map[string]struct {
		value string
		known bool
	}{
		"":                        {"", false},
		"#!/bin/sh\necho hello\n": {"", false},
		"echo ECS_CLUSTER=prod >> /etc/ecs/ecs.config\n":                                                    {"", true},
		"echo ECS_CLUSTER=prod >> /etc/ecs/ecs.config\necho TIME=2m >> /etc/ecs/ecs.config\n":               {"2m", true},
		"cat <<'EOF' >> /etc/ecs/ecs.config\nECS_CLUSTER=prod\nTIME=2m\nTIME=3m\nEOF\n":                     {"3m", true},
		"ECS_CLUSTER=prod\n# TIME=2m\n":                                                                     {"", true},
		"ECS_CLUSTER=prod\n  #TIME=2m\n":                                                                    {"", true},
		"echo \"ECS_CLUSTER=prod\" >> f; echo \"TIME=2m\">>/etc/ecs/ecs.config":                             {"2m", true},
		"TIME='90s'; ECS_CLUSTER=prod":                                                                      {"90s", true},
		"TIME=\nECS_CLUSTER=prod":                                                                           {"", true},
		"[settings.ecs]\ncluster = \"prod\"\n":                                                              {"", false},
		"<powershell>\n[Environment]::SetEnvironmentVariable(\"TIME\", \"2m\", \"Machine\")\nECS_CLUSTER\n": {"", true},
	} {
		g := Group{UserData: text, UserDataKnown: true}
		if value, known := g.AgentSetting("TIME"); value != want.value || known != want.known {
			t.Errorf("%q: %q, %v, want %q, %v", text, value, known, want.value, want.known)
		}
		if g.UserDataKnown = false; text != "" {
			if _, known := g.AgentSetting("TIME"); known {
				t.Errorf("%q: known, though it was not read in full", text)
			}
		}
	}
}

func TestTheStopTimeOfTheAgent(t *testing.T) {
	const prod = "ECS_CLUSTER=prod\n"
	s := &Inventory{}
	if d, known := s.AgentStop("i-0a"); d != DefaultStopTimeout || known {
		t.Errorf("of no group: %s, %v", d, known)
	}
	g := &Group{UserDataKnown: true}
	g.Instances = []fleet.GroupInstance{{ID: "i-0b"}, {ID: "i-0a"}}
	s.Groups = []*Group{{}, g}
	for text, want := range map[string]struct {
		d     time.Duration
		known bool
	}{
		"": {DefaultStopTimeout, false}, prod: {DefaultStopTimeout, true},
		prod + "ECS_CONTAINER_STOP_TIMEOUT=2m": {2 * time.Minute, true}, "ECS_CONTAINER_STOP_TIMEOUT=2m": {2 * time.Minute, true},
		prod + "ECS_CONTAINER_STOP_TIMEOUT=soon":        {DefaultStopTimeout, false},
		prod + "ECS_CONTAINER_STOP_TIMEOUT=-2m":         {DefaultStopTimeout, false},
		prod + "$env:ECS_CONTAINER_STOP_TIMEOUT = '2h'": {DefaultStopTimeout, false},
	} {
		g.UserData = text
		if d, known := s.AgentStop("i-0a"); d != want.d || known != want.known {
			t.Errorf("%q: %s, %v, want %s, %v", text, d, known, want.d, want.known)
		}
	}
}

// Containers that depend on one another stop one after the other; two that do not stop at the same time.
func TestTheStopTimeOfATask(t *testing.T) {
	c := func(name string, stop time.Duration, on ...string) Container {
		return Container{Name: name, StopTimeout: stop, DependsOn: on}
	}
	for name, x := range map[string]struct {
		containers []Container
		want       time.Duration
		chain      []string
		ofAgent    bool
	}{
		"none":                        {nil, 0, nil, false},
		"one of its own":              {[]Container{c("a", 10)}, 10, []string{"a"}, false},
		"the agent's":                 {[]Container{c("a", 0)}, 30, []string{"a"}, true},
		"side by side":                {[]Container{c("a", 10), c("b", 20), c("c", 15)}, 20, []string{"b"}, false},
		"one after the other":         {[]Container{c("a", 10, "b"), c("b", 20, "c"), c("c", 5)}, 35, []string{"a", "b", "c"}, false},
		"the longer of two ways":      {[]Container{c("a", 10, "b", "c"), c("b", 1), c("c", 7)}, 17, []string{"a", "c"}, false},
		"one that is not there":       {[]Container{c("a", 10, "gone")}, 10, []string{"a"}, false},
		"a circle, which AWS refuses": {[]Container{c("a", 10, "b"), c("b", 20, "a")}, 30, []string{"a", "b"}, false},
		"a short way by the agent's":  {[]Container{c("a", 100), c("b", 0)}, 100, []string{"a"}, true},
	} {
		d, chain, ofAgent := (&TaskDefinition{Containers: x.containers}).StopTime(30)
		if d != x.want || !slices.Equal(chain, x.chain) || ofAgent != x.ofAgent {
			t.Errorf("%s: %d by %q, of the agent %v; want %d by %q, %v", name, d, chain, ofAgent, x.want, x.chain, x.ofAgent)
		}
	}
}

// ECS rounds the minimum up and the maximum down, and takes 100 and 200 percent where somebody else deploys.
func TestTheBoundsOfAService(t *testing.T) {
	for x, want := range map[[3]int][2]int{
		{3, 50, 150}: {2, 4}, {1, 50, 199}: {1, 1}, {3, 34, 133}: {2, 3}, {3, 33, 134}: {1, 4}, {0, 100, 200}: {0, 0},
		{7, 0, 100}: {0, 7}, {100, 1, 101}: {1, 101},
	} {
		v := Service{Service: fleet.Service{Desired: x[0], MinPercent: x[1], MaxPercent: x[2]}, Controller: "ECS"}
		if least, most := v.Bounds(); least != want[0] || most != want[1] {
			t.Errorf("of %d by %d and %d percent: %d and %d, want %v", x[0], x[1], x[2], least, most, want)
		}
		for _, v.Controller = range []string{"CODE_DEPLOY", "EXTERNAL"} {
			if least, most := v.Bounds(); least != x[0] || most != 2*x[0] {
				t.Errorf("%s of %d: %d and %d", v.Controller, x[0], least, most)
			}
		}
	}
}

// A delay that was not read is not 0, and one of 0 is known.
func TestTheDelayOfAService(t *testing.T) {
	s := &Inventory{TargetGroups: []*TargetGroup{{ARN: "none", DelayKnown: true}, {ARN: "short", Delay: 5, DelayKnown: true},
		{ARN: "long", Delay: 300, DelayKnown: true}, {ARN: "unread", Delay: 900}}}
	for name, x := range map[string]struct {
		groups []fleet.ARN
		want   time.Duration
		of     fleet.ARN
	}{
		"no target group": {nil, 0, ""}, "the longest": {[]fleet.ARN{"short", "long", "none"}, 300, "long"},
		"one of none": {[]fleet.ARN{"none"}, 0, "none"},
		"not read":    {[]fleet.ARN{"unread", "missing"}, 0, ""}, "one that was read": {[]fleet.ARN{"unread", "short"}, 5, "short"},
	} {
		v := &Service{}
		for _, arn := range x.groups {
			v.LoadBalancers = append(v.LoadBalancers, fleet.LoadBalancer{TargetGroup: arn})
		}
		d, g := s.Delay(v)
		of := fleet.ARN("")
		if g != nil {
			of = g.ARN
		}
		if d != x.want || of != x.of {
			t.Errorf("%s: %d of %q, want %d of %q", name, d, of, x.want, x.of)
		}
	}
}

// A termination that was cancelled and came again began anew.
func TestWhenATerminationBegan(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	g := Group{Activities: []fleet.Activity{{Instance: "i-0a", Start: at}, {Instance: "i-0b", Start: at.Add(time.Hour)},
		{Instance: "i-0a", Start: at.Add(time.Minute)}, {Instance: "i-0a", Start: at.Add(-time.Hour)}}}
	if got := g.TerminatingSince("i-0a"); !got.Equal(at.Add(time.Minute)) {
		t.Errorf("it began at %s", got)
	}
	if got := g.TerminatingSince("i-0c"); !got.IsZero() {
		t.Errorf("one that does not end began at %s", got)
	}
}

// What was missed of one thing was not missed of another, unless the whole operation failed.
func TestWhatWasMissed(t *testing.T) {
	s := &Inventory{Unread: []Unread{{What: "ecs:DescribeTasks of cluster prod"}, {What: "ec2:DescribeInstances"}}}
	for x, want := range map[[2]string]bool{
		{"ecs:DescribeTasks", "cluster prod"}: true, {"ecs:DescribeTasks", ""}: true, {"ecs:DescribeTasks", "cluster prod-2"}: false,
		{"ecs:DescribeTasks", "cluster"}: false, {"ecs:DescribeTask", ""}: false, {"ecs:DescribeTaskSets", ""}: false,
		{"ec2:DescribeInstances", ""}: true, {"ec2:DescribeInstances", "instance i-0a"}: true, {"ec2:DescribeInstanceTypes", ""}: false,
	} {
		if got := s.Missed(x[0], x[1]); got != want {
			t.Errorf("%s of %q was missed: %v", x[0], x[1], got)
		}
	}
}

// A launch type keeps a service from the default strategy of its cluster.
func TestTheStrategyOfAService(t *testing.T) {
	c := &Cluster{DefaultStrategy: []StrategyItem{{Provider: "default"}}}
	own := []StrategyItem{{Provider: "own"}}
	for name, x := range map[string]struct {
		v    Service
		want []StrategyItem
	}{
		"nothing said": {Service{}, c.DefaultStrategy}, "a launch type": {Service{LaunchType: "EC2"}, nil},
		"its own": {Service{Strategy: own}, own},
	} {
		if got := c.StrategyOf(&x.v); !slices.Equal(got, x.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
