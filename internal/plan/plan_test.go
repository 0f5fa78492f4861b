package plan

import (
	"strings"
	"testing"
)

// A kind without a row, or with half of one, would be asked for ever.
func TestEveryKindHasARow(t *testing.T) {
	names := map[string]bool{}
	row := func(kind int, name, api string, b Bucket, batch int) {
		t.Helper()
		if name == "" || names[name] || batch == 0 {
			t.Errorf("kind %d is %q (twice: %v), %d in a batch", kind, name, names[name], batch)
		}
		names[name] = true
		service, operation, _ := strings.Cut(api, ":")
		want := map[Bucket]string{AutoScaling: "autoscaling", ECSRead: "ecs", ECSModify: "ecs", ECSServices: "ecs", ELB: "elasticloadbalancing", EC2: "ec2",
			CloudMap: "servicediscovery", Lattice: "vpc-lattice", CloudWatch: "cloudwatch", Queues: "sqs", AppScaling: "application-autoscaling", Endpoints: "http"}[b]
		if service == "" || service != want || operation == "" {
			t.Errorf("%s is answered by %q and draws on %q", name, api, b)
		}
	}
	for k := LookKind(1); k < LookKinds; k++ {
		l := k.Spec()
		row(int(k), l.Name, l.API, l.Bucket, l.Batch)
		if l.Calls+l.Each == 0 {
			t.Errorf("%s costs nothing", k)
		}
	}
	for k := ActionKind(1); k < ActionKinds; k++ {
		a := k.Spec()
		row(int(k), a.Name, a.API, a.Bucket, a.Batch)
	}
	if LookKind(0).String() != "" || LookKinds.String() != "" || ActionKinds.String() != "" {
		t.Error("what is no kind has a name")
	}
}
