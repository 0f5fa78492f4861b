package loopback

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// scene is a cloud that stands still, with two Spot Instances, and the real client of the metadata service of the first.
type scene struct {
	t *testing.T
	*Cloud
	ids []string
	*imds.Client
}

func newScene(t *testing.T) *scene {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Serve(l, sim.Spec{
		Clusters: []sim.ClusterSpec{{Name: "prod"}},
		Groups: []sim.GroupSpec{{Name: "asg", Desired: 2, Launch: core.HostSpec{Cluster: "prod", Spot: true},
			Hooks: []sim.HookSpec{{Name: "ebb-host", Heartbeat: time.Hour}}}},
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	s := &scene{t: t, Cloud: c}
	c.Read(func(w *sim.World) {
		for _, i := range w.DescribeAutoScalingGroups(nil)[0].Instances {
			s.ids = append(s.ids, i.ID)
		}
	})
	s.Client = s.client(s.ids[0])
	return s
}

// client is the SDK's client of the metadata service of an instance, which tries nothing again.
func (s *scene) client(instance string) *imds.Client {
	s.t.Helper()
	url, err := s.Metadata(instance)
	if err != nil {
		s.t.Fatal(err)
	}
	return imds.New(imds.Options{ClientEnableState: imds.ClientEnabled, Endpoint: url, Retryer: aws.NopRetryer{}, EnableFallback: aws.FalseTernary})
}

func (s *scene) do(f func(w *sim.World) error) {
	s.t.Helper()
	s.Read(func(w *sim.World) {
		if err := f(w); err != nil {
			s.t.Fatal(err)
		}
	})
}

func (s *scene) pass(d time.Duration) {
	s.do(func(w *sim.World) error { w.Advance(w.Now().Add(d)); return nil })
}

// get is an item, or the status of the error.
func (s *scene) get(path string) (string, int) {
	s.t.Helper()
	out, err := s.GetMetadata(s.t.Context(), &imds.GetMetadataInput{Path: path})
	if refused, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return "", refused.HTTPStatusCode()
	}
	if err != nil {
		return err.Error(), 0
	}
	defer out.Content.Close()
	b, err := io.ReadAll(out.Content)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b), http.StatusOK
}

func (s *scene) want(path, body string, status int) {
	s.t.Helper()
	if got, code := s.get(path); got != body || code != status {
		s.t.Errorf("%s: %d %q, want %d %q", path, code, got, status, body)
	}
}

func TestAnInstanceReadsWhatItIs(t *testing.T) {
	s := newScene(t)
	s.want("instance-id", s.ids[0], 200)
	s.want("placement/region", "eu-west-1", 200)
	s.want("instance-life-cycle", "spot", 200)
	s.want("instance-type", "m7i.large", 200)
	s.want("no-such-item", "", 404)
	doc, err := s.GetInstanceIdentityDocument(t.Context(), nil)
	if err != nil || doc.InstanceID != s.ids[0] || doc.AccountID != "111122223333" || doc.Region != "eu-west-1" || doc.PrivateIP == "" {
		t.Errorf("%+v, %v", doc, err)
	}
	s.Client = s.client(s.ids[1])
	s.want("instance-id", s.ids[1], 200)
	if _, err := s.Metadata("i-none"); err == nil {
		t.Error("an instance that there is not has a metadata service")
	}
}

// What AWS announces is there from the notice on, and nothing before.
func TestAnInstanceReadsItsNotices(t *testing.T) {
	s := newScene(t)
	s.want("spot/instance-action", "", 404)
	s.want("spot/termination-time", "", 404)
	s.want("events/recommendations/rebalance", "", 404)
	s.want("events/maintenance/scheduled", "[]", 200)
	s.do(func(w *sim.World) error { return w.Recommend(s.ids[0]) })
	s.want("events/recommendations/rebalance", `{"noticeTime":"2026-11-21T09:00:00Z"}`, 200)
	s.pass(time.Minute)
	s.do(func(w *sim.World) error { return w.Interrupt(s.ids[0], "") })
	s.want("spot/instance-action", `{"action":"terminate","time":"2026-11-21T09:03:00Z"}`, 200)
	s.want("spot/termination-time", "2026-11-21T09:03:00Z", 200)
	s.do(func(w *sim.World) error { return w.Interrupt(s.ids[1], "hibernate") })
	s.do(func(w *sim.World) error { return w.ScheduleChange(s.ids[1], "reboot", 24*time.Hour) })
	s.Client = s.client(s.ids[1])
	s.want("spot/instance-action", `{"action":"hibernate","time":"2026-11-21T09:01:00Z"}`, 200)
	s.want("spot/termination-time", "", 404)
	var changes []struct{ Code, NotBefore, State string }
	text, _ := s.get("events/maintenance/scheduled")
	if err := json.Unmarshal([]byte(text), &changes); err != nil || len(changes) != 1 || changes[0].Code != "system-reboot" ||
		changes[0].NotBefore != "22 Nov 2026 09:01:00 GMT" || changes[0].State != "active" {
		t.Errorf("%s: %+v, %v", text, changes, err)
	}
	s.pass(time.Second) // it hibernates: nothing answers any more
	if text, status := s.get("instance-id"); status != 0 {
		t.Errorf("%d %q of an instance that hibernates", status, text)
	}
}

// An instance reads where Auto Scaling takes it before that is through.
func TestAnInstanceReadsItsTargetLifecycleState(t *testing.T) {
	s := newScene(t)
	s.want("autoscaling/target-lifecycle-state", "InService", 200)
	s.do(func(w *sim.World) error { _, err := w.TerminateInstanceInAutoScalingGroup(s.ids[0], true); return err })
	s.pass(10 * time.Second)
	s.want("autoscaling/target-lifecycle-state", "Terminated", 200)
	s.Client = s.client(s.ids[1])
	s.want("autoscaling/target-lifecycle-state", "InService", 200)
}

// Without a token that holds nothing is answered.
func TestTokens(t *testing.T) {
	s := newScene(t)
	url, _ := s.Metadata(s.ids[0])
	other, _ := s.Metadata(s.ids[1])
	ask := func(method, url, path string, header ...string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(context.Background(), method, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(b)
	}
	const token, ttl = "X-aws-ec2-metadata-token", "X-aws-ec2-metadata-token-ttl-seconds"
	for want, h := range map[int][]string{400: {}, 403: {ttl, "60", "X-Forwarded-For", "10.0.0.1"}} {
		if got, _ := ask("PUT", url, "/latest/api/token", h...); got != want {
			t.Errorf("a token with %v: %d, want %d", h, got, want)
		}
	}
	for _, wrong := range []string{"0", "21601", "x"} {
		if got, _ := ask("PUT", url, "/latest/api/token", ttl, wrong); got != 400 {
			t.Errorf("a token for %s s: %d", wrong, got)
		}
	}
	status, mine := ask("PUT", url, "/latest/api/token", ttl, "60")
	if status != 200 || mine == "" {
		t.Fatal(status, mine)
	}
	const id = "/latest/meta-data/instance-id"
	for _, c := range []struct {
		method, url string
		header      []string
		want        int
	}{
		{"GET", url, nil, 401}, {"GET", url, []string{token, "x"}, 401}, {"GET", url, []string{token, mine}, 200}, {"GET", other, []string{token, mine}, 401},
		{"POST", url, []string{token, mine}, 405},
	} {
		if got, _ := ask(c.method, c.url, id, c.header...); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	s.pass(59 * time.Second)
	if got, _ := ask("GET", url, id, token, mine); got != 200 {
		t.Errorf("before its end the token gives %d", got)
	}
	s.pass(time.Second)
	if got, _ := ask("GET", url, id, token, mine); got != 401 {
		t.Errorf("after its end the token gives %d", got)
	}
}

func TestTheMetadataServiceFails(t *testing.T) {
	s := newScene(t)
	s.want("instance-id", s.ids[0], 200)
	post := func(query string) int {
		res, err := http.Post(s.Endpoint+"/_sim/imds?"+query, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	for fault, want := range map[string]int{"429": 429, "503": 503, "": 200} {
		if got := post("instance=" + s.ids[0] + "&fault=" + fault); got != 200 {
			t.Fatal(fault, got)
		}
		if _, got := s.get("instance-id"); got != want {
			t.Errorf("with fault %q: %d, want %d", fault, got, want)
		}
	}
	if got := post("fault=busy"); got != 400 {
		t.Errorf("a fault that there is not: %d", got)
	}
	s.Client = s.client(s.ids[1])
	s.want("instance-id", s.ids[1], 200)
	post("fault=away")
	if text, status := s.get("instance-id"); status != 0 {
		t.Errorf("%d %q while it is away", status, text)
	}
}

// The page says where the metadata service of an instance is.
func TestThePageOfMetadataServices(t *testing.T) {
	s := newScene(t)
	res, err := http.Get(s.Endpoint + "/_sim/imds?instance=" + s.ids[0])
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	if url, _ := s.Metadata(s.ids[0]); !strings.Contains(string(b), `"endpoint":"`+url+`"`) {
		t.Errorf("%s, want %s", b, url)
	}
	if res, err := http.Get(s.Endpoint + "/_sim/imds"); err != nil || res.StatusCode != 404 {
		t.Errorf("%v, %v without an instance", res, err)
	}
}

// Beside its metadata a container instance has the introspection of the ECS agent, by which a program on it sees what still runs there.
func TestAHostAsksItsECSAgent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Serve(l, sim.Spec{
		Clusters:        []sim.ClusterSpec{{Name: "prod"}},
		Groups:          []sim.GroupSpec{{Name: "asg", Desired: 1, Launch: core.HostSpec{Cluster: "prod"}}},
		TaskDefinitions: []ecs.TaskDefinition{{Family: "web", Exit: time.Minute}},
		Services:        []sim.ServiceSpec{{Name: "web", Cluster: "prod", Task: "web", Desired: 1}},
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	var in core.Instance
	c.Read(func(w *sim.World) { w.Settle(); in = *w.Find(w.DescribeAutoScalingGroups(nil)[0].Instances[0].ID) })
	url, err := c.Metadata(in.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := func(path, text string) {
		t.Helper()
		res, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if b, _ := io.ReadAll(res.Body); !strings.Contains(string(b), text) {
			t.Errorf("%s: %s, want %s", path, b, text)
		}
	}
	want("/v1/metadata", `"ContainerInstanceArn":"`+in.ContainerInstance+`"`)
	want("/v1/tasks", `"Family":"web","KnownStatus":"RUNNING"`)
	c.Read(func(w *sim.World) {
		if _, err := w.UpdateService("prod", "web", new(int), ""); err != nil {
			t.Error(err)
		}
		w.Advance(w.Now().Add(10 * time.Second))
	})
	want("/v1/tasks", `"DesiredStatus":"STOPPED","Family":"web","KnownStatus":"RUNNING"`) // its process takes its time
	c.Read(func(w *sim.World) { w.Advance(w.Now().Add(time.Minute)) })
	want("/v1/tasks", `"Tasks":[]`)
}
