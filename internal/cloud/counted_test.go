package cloud

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ebbhq/ebb/internal/plan"
)

// Each request is counted once with what came of it, EC2's too.
func TestRequestsAreCounted(t *testing.T) {
	throttles := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if throttles {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"__type":"ThrottlingException","message":"Rate exceeded"}`))
			return
		}
		_, _ = w.Write([]byte(`{}`))
	}))
	defer server.Close()
	var got []string
	count := func(service, operation string, c plan.Class) { got = append(got, service+" "+operation+" "+string(c)) }
	c := FromConfig(Counted(aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(server.URL), Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "ebb", SecretAccessKey: "none"}, nil
		}),
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}, count))
	c.EC2 = ec2Answers(http.StatusOK, `<DescribeInstancesResponse/>`)
	c.CountPlain(count)
	look := plan.LookFor(plan.FindContainerInstances, "prod", "i-0")
	c.Look(t.Context(), look)
	throttles = true
	c.Look(t.Context(), look)
	c.Look(t.Context(), plan.LookFor(plan.Instances, "", "i-0"))
	want := []string{"ECS ListContainerInstances ", "ECS ListContainerInstances throttled", "EC2 DescribeInstances "}
	if !slices.Equal(got, want) {
		t.Errorf("counted %q, want %q", got, want)
	}
}
