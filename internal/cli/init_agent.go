package cli

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/ebbhq/ebb/internal/drain"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/iam"
)

// What ebb init --agent writes for the instances.
const (
	agentRoleFile = "ebb-agent-role.json"
	userDataFile  = "ebb-agent-user-data.sh"
)

// agentConfig is /etc/ebb-agent/agent.yaml of the instances.
func (s setup) agentConfig() string {
	var b strings.Builder
	fmt.Fprintf(&b, "region: %s\n", s.region)
	if s.endpoint != "" {
		fmt.Fprintf(&b, "endpoint: %s\n", s.endpoint)
	}
	fmt.Fprintf(&b, "ecs:\n  wait: true # the steps begin once no task is left on the host\nreport: # ebb status shows what the steps did\n  - queue: %s\n",
		s.queueURL(s.name))
	b.WriteString("steps: # docs/reference/agent.md has recipes\n  - name: say goodbye\n    command: [logger, \"this host leaves\"]\n    timeout: 10s\n")
	return b.String()
}

// agentFiles are the rights of the instances, and what their user data gets.
func (s setup) agentFiles() []file {
	if !s.agent {
		return nil
	}
	scope := iam.Scope{Partition: s.partition, Region: s.region, Account: s.account, Groups: s.groups, Queue: s.arn("sqs", s.name)}
	for _, g := range s.managed {
		scope.Clusters = append(scope.Clusters, g.Cluster)
	}
	role, _ := json.MarshalIndent(iam.Policy(iam.Agent, scope), "", "  ") // a policy is texts
	script := "#!/bin/sh\n# Written by ebb init --agent, for the user data of the launch template. make packages makes the packages; put them where\n" +
		"# the instances find them.\nset -e\naws s3 cp s3://BUCKET/ebb-agent.rpm /tmp/ && rpm -U /tmp/ebb-agent.rpm # or a deb, with dpkg -i\n" +
		"cat >/etc/ebb-agent/agent.yaml <<'END'\n" + s.agentConfig() + "END\nebb-agent check\nsystemctl enable --now ebb-agent\n"
	return []file{{agentRoleFile, string(role) + "\n"}, {userDataFile, script}}
}

// agentHooks are the commands for the hooks of the agents. They come last: where no agent answers, such a hook holds each instance for its
// whole heartbeat timeout.
func (s setup) agentHooks(out *script, dir string) {
	if !s.agent {
		return
	}
	out.comment("the agents: allow the role of the instances what %s says, put %s into their user data, replace the instances,",
		filepath.Join(dir, agentRoleFile), filepath.Join(dir, userDataFile))
	out.comment("and only then make the hooks, because without an agent each holds an instance for %s:", hookHeartbeat)
	for _, name := range s.groups {
		out.comment("%s", s.at().PutHook(name, drain.AgentHook, "--lifecycle-transition", fleet.TerminatingTransit, "--heartbeat-timeout",
			fmt.Sprint(int(hookHeartbeat.Seconds())), "--default-result", "CONTINUE").Line())
	}
}
