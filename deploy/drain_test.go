package deploy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"github.com/ebbhq/ebb/internal/cli"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// sdkEnvironment sets the environment that the AWS SDK reads; caller is who calls.
func sdkEnvironment(t *testing.T, caller string) {
	t.Helper()
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "",
		"AWS_ACCESS_KEY_ID": caller, "AWS_SECRET_ACCESS_KEY": "none",
	} {
		t.Setenv(name, value)
	}
}

// ebb runs a command line to its end, and returns its exit code and what it printed.
func ebb(ctx context.Context, env map[string]string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = cli.Main(ctx, args, cli.Process{Stdout: &out, Stderr: &errs, Env: func(name string) string { return env[name] }})
	return code, out.String(), errs.String()
}

// drainsOne runs ebb serve, lets one leave, waits until Ebb has done its part, and holds that it heard of it through rule and queue.
func (a *account) drainsOne(t *testing.T, f *formation, env map[string]string, args ...string) {
	t.Helper()
	type end struct {
		code int
		log  string
	}
	a.api.ResetCounts()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan end, 1)
	go func() {
		code, _, log := ebb(ctx, env, append([]string{"serve", "--clock", a.endpoint}, args...)...)
		ended <- end{code, log}
	}()
	a.until(t, "a sweep, after which only the message can tell in time", func() bool {
		n := a.api.CountsBy("ebb")
		return n["autoscaling.DescribeAutoScalingGroups"]+n["ecs.ListTasks"]+n["cloudwatch.DescribeAlarms"] > 0
	})
	id := a.leaves.begin(t, f)
	a.until(t, "what ebb does about "+id, func() bool { return a.leaves.done(a, id) })
	a.untilTold(t, env)
	stop()
	got := <-ended
	if got.code != cli.ExitOK || !strings.Contains(got.log, a.leaves.heard(id)) || strings.Contains(got.log, "AccessDenied") {
		t.Errorf("ebb serve ended with %d and should have heard of %s:\n%s", got.code, id, got.log)
	}
}

// hold holds the caller ebb to the policies of Ebb's role.
func (f *formation) hold(t *testing.T, a *account) {
	t.Helper()
	for _, document := range f.documents(t) {
		policy, err := wire.ParsePolicy(document)
		if err != nil {
			t.Fatal(err)
		}
		a.api.Attach("ebb", policy)
	}
}

// checkRights holds that no call was denied, and that the policies were asked.
func (a *account) checkRights(t *testing.T) {
	t.Helper()
	acted := false
	for check := range a.api.Checks() {
		if !check.Allowed {
			t.Errorf("denied: %+v", check)
		}
		acted = acted || check.Action == a.leaves.asked
	}
	if !acted {
		t.Error("no policy was asked about " + a.leaves.asked)
	}
}

// documents are the policies of Ebb's role.
func (f *formation) documents(t *testing.T) (all [][]byte) {
	t.Helper()
	for _, id := range f.order {
		if f.made[id].kind == "AWS::IAM::RolePolicy" {
			b, err := json.Marshal(f.rolled[id]["PolicyDocument"])
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b)
		}
	}
	return all
}

func (f *formation) terminateOne(t *testing.T) string {
	t.Helper()
	out, err := f.asg.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{"demo-asg"}})
	if err != nil {
		t.Fatal(err)
	}
	id := out.AutoScalingGroups[0].Instances[0].InstanceId
	_, err = f.asg.TerminateInstanceInAutoScalingGroup(t.Context(), &autoscaling.TerminateInstanceInAutoScalingGroupInput{InstanceId: id,
		ShouldDecrementDesiredCapacity: aws.Bool(false)})
	if err != nil {
		t.Fatal(err)
	}
	return *id
}
