package cloud

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	creds "github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// sends is a client that answers with a function.
type sends func(*http.Request) (*http.Response, error)

func (f sends) Do(r *http.Request) (*http.Response, error) { return f(r) }

// cutOff is a body that breaks off.
type cutOff struct{ io.Reader }

func (c cutOff) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// ec2Answers is an EC2 that gives one answer to everything.
func ec2Answers(status int, body string) EC2 {
	return NewEC2(aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String("http://127.0.0.1:1"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "ebb", SecretAccessKey: "none"}, nil
		}),
		HTTPClient: sends(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body))}, nil
		}),
	})
}

// Whatever keeps EC2's answer away is an error that says what it was: an instance that could not be asked for is not gone.
func TestWhatKeepsEC2sAnswerAway(t *testing.T) {
	static := func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "ebb", SecretAccessKey: "none"}, nil
	}
	answer := func(body io.Reader) sends {
		return func(r *http.Request) (*http.Response, error) {
			if got := r.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/x-www-form-urlencoded") {
				t.Errorf("the form is sent as %q", got)
			}
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(body)}, nil
		}
	}
	for name, c := range map[string]struct {
		endpoint    string
		credentials aws.CredentialsProviderFunc
		client      sends
		want        plan.Class
		says        string
	}{
		"no URL": {"http://127.0.0.1:port", static, answer(strings.NewReader(page2)), plan.Unclear, "invalid port"},
		"no credentials": {"http://127.0.0.1:1", func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errors.New("no role") },
			answer(strings.NewReader(page2)), plan.Denied, "get credentials: no role"},
		"no connection": {"http://127.0.0.1:1", static, func(*http.Request) (*http.Response, error) { return nil, errBroken },
			plan.Unclear, "connection reset by peer"},
		"half a body": {"http://127.0.0.1:1", static, answer(cutOff{strings.NewReader(page2)}), plan.Unclear, "unexpected EOF"},
	} {
		cloud := New(Clients{EC2: NewEC2(aws.Config{
			Region: "eu-west-1", BaseEndpoint: aws.String(c.endpoint), Credentials: c.credentials, HTTPClient: c.client,
		})})
		s := cloud.Look(t.Context(), plan.LookFor(plan.Instances, "", "i-0000000c"))
		if s.Err == nil || s.Err.Class != c.want || !strings.HasPrefix(s.Err.Message, "EC2 DescribeInstances: ") || !strings.Contains(s.Err.Message, c.says) {
			t.Errorf("%s: %+v, want %q with %q", name, s.Err, c.want, c.says)
		}
	}
}

// Counting changes nothing of what is counted: an error stays one.
func TestWhatIsCountedStaysAnError(t *testing.T) {
	url, _, _ := server(t, http.StatusBadRequest, `{"__type":"ThrottlingException","message":"Rate exceeded"}`)
	alone(t)
	credentials(t)
	cfg, err := AWSConfig(t.Context(), Options{Region: "eu-west-1", Endpoint: url})
	if err != nil {
		t.Fatal(err)
	}
	counted := map[plan.Class]int{}
	count := func(_, _ string, c plan.Class) { counted[c]++ }
	c := FromConfig(Counted(cfg, count))
	c.EC2 = ec2Answers(http.StatusServiceUnavailable,
		`<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message></Error></Errors></Response>`)
	c.CountPlain(count)
	for _, l := range []plan.Look{plan.LookFor(plan.ListRunning, "prod", "ci"), plan.LookFor(plan.Instances, "", "i-0")} {
		if s := c.Look(t.Context(), l); s.Err == nil || s.Err.Class != plan.Throttled {
			t.Errorf("%s: %+v, want throttled", l.Kind, s)
		}
	}
	diff(t, "counted", map[plan.Class]int{plan.Throttled: 2}, counted)
}

// TestSpotRequests: what EC2 says of the requests of instances, over its own protocol; one that no request has is absent from the answer.
func TestSpotRequests(t *testing.T) {
	spec := sim.Spec{
		Clusters: []sim.ClusterSpec{{Name: "prod"}},
		Groups:   []sim.GroupSpec{{Name: "spot", Desired: 2, Launch: core.HostSpec{Cluster: "prod", Spot: true}}, {Name: "own", Desired: 1}},
	}
	world, err := sim.Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, i := range world.Instances() {
		ids = append(ids, i.ID)
	}
	if err := world.Interrupt(ids[0], "hibernate"); err != nil {
		t.Fatal(err)
	}
	api := wire.New(wire.Config{World: world, Strict: true, PageSize: 1})
	c := FromConfig(aws.Config{
		Region: "eu-west-1", Credentials: creds.NewStaticCredentialsProvider("ebb", "secret", ""), BaseEndpoint: aws.String("http://sim.invalid"),
		HTTPClient: &http.Client{Transport: handled{api.Handler()}}, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	})
	found := c.Look(t.Context(), plan.LookFor(plan.SpotRequests, "", append(ids, "no instance")...))
	if found.Err != nil || len(found.View.SpotRequests) != 2 {
		t.Fatalf("%+v", found)
	}
	for _, r := range found.View.SpotRequests {
		taken := string(r.Instance) == ids[0]
		if r.Leaves() != taken || taken && (r.Action != "hibernate" || !r.Ends().Equal(world.Now()) || r.Ends().IsZero()) || !taken && r.Code != "fulfilled" {
			t.Errorf("%+v, ends %s", r, r.Ends())
		}
	}
}
