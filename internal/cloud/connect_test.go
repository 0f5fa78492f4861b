package cloud

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// alone takes everything of AWS out of the environment, so that the test is the same everywhere.
func alone(t *testing.T) {
	t.Helper()
	for _, e := range os.Environ() {
		if name, _, _ := strings.Cut(e, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // so that it is put back
			os.Unsetenv(name)
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func credentials(t *testing.T) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
}

// server answers each request with the next answer; the last one is repeated. It returns its URL and what was asked.
func server(t *testing.T, status int, answers ...string) (string, *[]*http.Request, *[]string) {
	t.Helper()
	var asked []*http.Request
	var bodies []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read the request: %v", err)
		}
		asked, bodies = append(asked, r), append(bodies, string(body))
		w.WriteHeader(status)
		if _, err := io.WriteString(w, answers[min(len(asked), len(answers))-1]); err != nil {
			t.Errorf("answer: %v", err)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, &asked, &bodies
}

func connect(t *testing.T, endpoint string) *Cloud {
	t.Helper()
	alone(t)
	credentials(t)
	cfg, err := AWSConfig(t.Context(), Options{Region: "eu-west-1", Endpoint: endpoint})
	if err != nil {
		t.Fatal(err)
	}
	return FromConfig(cfg)
}

func TestAConfigurationSaysWhatIsMissing(t *testing.T) {
	alone(t)
	for _, c := range []struct {
		o    Options
		want []string
	}{
		{Options{}, []string{"no AWS Region", "AWS_REGION"}},
		{Options{Region: "eu-west-1"}, []string{"no AWS credentials", "IAM role"}},
		{Options{Region: "eu-west-1", Endpoint: "http://127.0.0.1:1"}, []string{"no AWS credentials", "http://127.0.0.1:1 is the simulated cloud"}},
		{Options{Region: "eu-west-1", Profile: "nobody"}, []string{"nobody", "check the profile"}},
	} {
		_, err := AWSConfig(t.Context(), c.o)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: error %v, want %q in it", c.o, err, want)
			}
		}
	}
}

// The kernel counts requests and repeats them; the SDK must not.
func TestNoCallIsRepeated(t *testing.T) {
	url, asked, _ := server(t, http.StatusInternalServerError, "")
	c := connect(t, url)
	for name, s := range map[string]plan.LookResult{
		"autoscaling": c.Look(t.Context(), plan.Look{Kind: plan.Hooks, In: "web-asg"}),
		"ecs":         c.Look(t.Context(), plan.LookFor(plan.Tasks, "", "arn:1")),
		"elb":         c.Look(t.Context(), plan.LookFor(plan.Targets, "", "i-0a")),
		"ec2":         c.Look(t.Context(), plan.LookFor(plan.Instances, "", "i-0000000a")),
	} {
		if s.Err == nil || s.Err.Class != plan.Unclear || s.Calls != 1 {
			t.Errorf("%s: %+v, want one unclear call", name, s)
		}
	}
	if len(*asked) != 4 {
		t.Errorf("%d requests, want 4", len(*asked))
	}
}

func TestConnectNobodyListens(t *testing.T) {
	url, _, _ := server(t, http.StatusOK, "")
	c := connect(t, url+"0") // no such port
	s := c.Look(t.Context(), plan.Look{Kind: plan.Groups})
	if s.Err == nil || s.Err.Class != plan.Unclear || s.Calls != 1 {
		t.Errorf("got %+v, want one unclear call", s)
	}
}

const (
	page1 = `<?xml version="1.0"?><DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet>
		<item><instancesSet><item><instanceId>i-0000000a</instanceId><instanceState><code>16</code><name>running</name></instanceState></item>
		<item><instanceId>i-0000000b</instanceId><instanceState><name>shutting-down</name></instanceState></item></instancesSet></item>
		</reservationSet><nextToken>more</nextToken></DescribeInstancesResponse>`
	page2 = `<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet>
		<item><instancesSet><item><instanceId>i-0000000c</instanceId><instanceState><name>terminated</name></instanceState></item></instancesSet></item>
		</reservationSet></DescribeInstancesResponse>`
	refusal = `<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized</Message></Error></Errors>` +
		`<RequestID>1</RequestID></Response>`
)

func TestEC2ByHand(t *testing.T) {
	url, asked, bodies := server(t, http.StatusOK, page1, page2)
	s := connect(t, url).Look(t.Context(), plan.LookFor(plan.Instances, "", "i-0000000a", "i-0000000b", "i-0000000c"))
	diff(t, "instances", []plan.InstanceStatus{
		{ID: "i-0000000a", State: fleet.StateRunning}, {ID: "i-0000000b", State: fleet.StateShuttingDown}, {ID: "i-0000000c", State: fleet.StateTerminated},
	}, s.View.Instances)
	if len(*asked) != 2 {
		t.Fatalf("%d requests, want 2", len(*asked))
	}
	if auth := (*asked)[0].Header.Get("Authorization"); !strings.Contains(auth, "/eu-west-1/ec2/aws4_request") {
		t.Errorf("authorization %q, want a signature for ec2 in eu-west-1", auth)
	}
	const want = "Action=DescribeInstances&InstanceId.1=i-0000000a&InstanceId.2=i-0000000b&InstanceId.3=i-0000000c&Version=2016-11-15"
	diff(t, "first form", want, (*bodies)[0])
	if !strings.Contains((*bodies)[1], "NextToken=more") {
		t.Errorf("second form %q, want the token", (*bodies)[1])
	}
}

func TestEC2Errors(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   plan.Class
	}{
		{http.StatusForbidden, refusal, plan.Denied},
		{http.StatusServiceUnavailable, strings.Replace(refusal, "UnauthorizedOperation", "RequestLimitExceeded", 1), plan.Throttled},
		{http.StatusBadGateway, "<html>bad gateway</html>", plan.Unclear},
		{http.StatusOK, "<DescribeInstancesResponse><reserv", plan.Unclear},
		{http.StatusOK, "<html></html>", plan.Unclear},
	} {
		url, _, _ := server(t, c.status, c.body)
		s := connect(t, url).Look(t.Context(), plan.LookFor(plan.Instances, "", "i-0000000a"))
		if s.Err == nil || s.Err.Class != c.want {
			t.Errorf("status %d, body %.40q: %+v, want class %q", c.status, c.body, s, c.want)
		}
	}
}

func TestEC2Endpoint(t *testing.T) {
	for region, want := range map[string]string{
		"eu-west-1": "https://ec2.eu-west-1.amazonaws.com/", "us-gov-west-1": "https://ec2.us-gov-west-1.amazonaws.com/",
		"cn-north-1": "https://ec2.cn-north-1.amazonaws.com.cn/",
	} {
		if got := endpointOf(aws.Config{Region: region}, "ec2"); got != want {
			t.Errorf("EC2 in %s is at %s, want %s", region, got, want)
		}
	}
	diff(t, "with an endpoint", "http://127.0.0.1:4566/", endpointOf(aws.Config{BaseEndpoint: aws.String("http://127.0.0.1:4566")}, "ec2"))
}
