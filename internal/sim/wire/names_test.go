package wire

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/core"
	simecs "github.com/ebbhq/ebb/internal/sim/ecs"
	"github.com/ebbhq/ebb/internal/sim/servicediscovery"
	"github.com/ebbhq/ebb/internal/sim/vpclattice"
)

// named is a world with a service of three tasks that Cloud Map and VPC Lattice know.
func named(t *testing.T) (*API, *sim.World) {
	t.Helper()
	world, err := sim.Build(sim.Spec{
		Clusters:        []sim.ClusterSpec{{Name: "prod"}},
		Registries:      []sim.RegistrySpec{{Name: "web", Namespace: "internal", TTL: 15 * time.Second}},
		Lattice:         []sim.LatticeSpec{{Name: "mesh", Port: 8080}, {Name: "elsewhere", VPC: "vpc-0abc"}},
		TaskDefinitions: []simecs.TaskDefinition{{Family: "web", Port: 8080, Network: "awsvpc"}},
		Groups:          []sim.GroupSpec{{Name: "asg", Desired: 3, Launch: core.HostSpec{Cluster: "prod"}}},
		Services: []sim.ServiceSpec{{
			Name: "web", Cluster: "prod", Task: "web", Desired: 3, Names: []sim.NamedSpec{{Registry: "web"}},
			Lattice: []sim.BalancerSpec{{TargetGroup: "mesh"}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{World: world, Strict: true}), world
}

// TestCloudMap holds what the API reference of Cloud Map says of the operations that are known here. The way to them is the service in ECS.
func TestCloudMap(t *testing.T) {
	api, world := named(t)
	client := ecs.NewFromConfig(config(api.Handler()))
	service := must[*ecs.DescribeServicesOutput](t)(client.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: new("prod"),
		Services: []string{"web"}})).Services[0]
	if len(service.ServiceRegistries) != 1 || service.ServiceRegistries[0].ContainerPort != nil {
		t.Fatalf("registries: %+v", service.ServiceRegistries)
	}
	arn := *service.ServiceRegistries[0].RegistryArn
	id := core.LastPart(arn)
	tasks := world.Tasks("prod")
	first, ip := core.LastPart(tasks[0].ARN), tasks[0].IP
	asks(t, api, "servicediscovery", "Route53AutoNaming_v20170314", []asked{
		{"GetService", `{"Id":"` + id + `"}`, `{"Service":{"Arn":"` + arn + `","Name":"web","InstanceCount":3,` +
			`"DnsConfig":{"DnsRecords":[{"TTL":15,"Type":"A"}]}}}`},
		{"GetService", `{"Id":"srv-0"}`, "ServiceNotFound: Service not found: srv-0"},
		{"GetInstance", `{"ServiceId":"` + arn + `","InstanceId":"` + first + `"}`, `{"Instance":{"Id":"` + first +
			`","Attributes":{"AWS_INSTANCE_IPV4":"` + ip + `","AWS_INSTANCE_PORT":null,"ECS_CLUSTER_NAME":"prod"}}}`},
		{"DiscoverInstances", `{"NamespaceName":"internal","ServiceName":"web","MaxResults":1}`, `{"Instances":[{"InstanceId":"` + first +
			`","HealthStatus":"HEALTHY","NamespaceName":"internal","ServiceName":"web","Attributes":` + core.JSON(attributes(world, arn)) + `}]}`},
		{"DiscoverInstances", `{"NamespaceName":"external","ServiceName":"web"}`, "ServiceNotFound: Service not found: web"},
		{"DeregisterInstance", `{"ServiceId":"` + id + `"}`,
			"InvalidInput: 1 validation error detected: Value null at 'instanceId' failed to satisfy constraint: Member must not be null"},
		{"DeregisterInstance", `{"ServiceId":"` + id + `","InstanceId":"x"}`, "InstanceNotFound: Instance not found: x"},
		{"DeregisterInstance", `{"ServiceId":"` + id + `","InstanceId":"` + first + `"}`, `{}`},
		{"GetInstance", `{"ServiceId":"` + id + `","InstanceId":"` + first + `"}`, "InstanceNotFound: Instance not found: " + first},
		{"GetOperation", `{"OperationId":"none"}`, "OperationNotFound: Operation not found: none"},
		{"ListInstances", `{"ServiceId":"` + id + `","MaxResults":101}`,
			"InvalidInput: 1 validation error detected: Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100"},
	})
	var left []string
	in := &servicediscovery.ListInstancesInput{ServiceId: &id, MaxResults: new(int32(1))}
	for {
		out := must[*servicediscovery.ListInstancesOutput](t)(Call[servicediscovery.ListInstancesOutput](t.Context(), api, in))
		for _, i := range out.Instances {
			left = append(left, *i.Id)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if want := []string{core.LastPart(tasks[1].ARN), core.LastPart(tasks[2].ARN)}; !cmp.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
	ctx := WithCaller(t.Context(), "ebb")
	out := must[*servicediscovery.DeregisterInstanceOutput](t)(Call[servicediscovery.DeregisterInstanceOutput](ctx, api,
		&servicediscovery.DeregisterInstanceInput{ServiceId: &id, InstanceId: &left[0]}))
	done := must[*servicediscovery.GetOperationOutput](t)(Call[servicediscovery.GetOperationOutput](t.Context(), api,
		&servicediscovery.GetOperationInput{OperationId: out.OperationId}))
	if *done.Operation.Status != "SUCCESS" {
		t.Errorf("operation %+v", done.Operation)
	}
	var by []string
	for _, e := range world.Record() {
		if e.Kind == core.EntryRegistry && e.To == "deregistered" {
			by = append(by, e.By+" "+core.LastPart(e.Task))
		}
	}
	if want := []string{"operator " + first, "ebb " + left[0]}; !cmp.Equal(by, want) {
		t.Errorf("the record says %v, want %v", by, want)
	}
}

// attributes are those of the first instance of a service of Cloud Map.
func attributes(world *sim.World, arn string) map[string]string {
	s, _, _ := world.Registry(arn)
	return s.Instances[0].Attributes
}

// TestLattice holds what the API reference of VPC Lattice says of the operations that are known here. The way to them is the revision.
func TestLattice(t *testing.T) {
	api, world := named(t)
	h := api.Handler()
	client := ecs.NewFromConfig(config(h))
	service := must[*ecs.DescribeServicesOutput](t)(client.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: new("prod"),
		Services: []string{"web"}})).Services[0]
	revisions := must[*ecs.DescribeServiceRevisionsOutput](t)(client.DescribeServiceRevisions(t.Context(),
		&ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: []string{*service.CurrentServiceRevisions[0].Arn}})).ServiceRevisions
	resolved := revisions[0].ResolvedConfiguration.VpcLatticeConfigurations
	if l := revisions[0].VpcLatticeConfigurations; len(resolved) != 1 || len(l) != 1 || *l[0].PortName != "port-8080" {
		t.Fatalf("revision: %+v", revisions[0])
	}
	if len(service.Deployments[0].VpcLatticeConfigurations) != 1 {
		t.Errorf("deployment: %+v", service.Deployments[0])
	}
	arn := *resolved[0].TargetGroupArn
	ask := func(method, path, body string, to any) int {
		r := httptest.NewRequest(method, "http://sim.invalid"+path, strings.NewReader(body))
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=ebb/20261121/eu-west-1/vpc-lattice/aws4_request, "+
			"SignedHeaders=host, Signature=0")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if err := json.Unmarshal(w.Body.Bytes(), to); err != nil {
			t.Fatalf("%s: %v in %s", path, err, w.Body)
		}
		return w.Code
	}
	list := func(path, body string) map[string]string {
		var out vpclattice.ListTargetsOutput
		if code := ask(http.MethodPost, path, body, &out); code != 200 {
			t.Fatalf("%s: %d", path, code)
		}
		all := map[string]string{}
		for _, i := range out.Items {
			all[i.ID+":"+strconv.Itoa(i.Port)] = i.Status
		}
		if out.NextToken != "" {
			all["next"] = out.NextToken
		}
		return all
	}
	tasks := world.Tasks("prod")
	at := func(i int) string { return tasks[i].IP + ":8080" }
	by := "/targetgroups/" + url.PathEscape(arn)
	want := map[string]string{at(0): "HEALTHY", at(1): "HEALTHY", at(2): "HEALTHY"}
	if got := list(by+"/listtargets", ""); !cmp.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	first := list(by+"/listtargets?maxResults=2", "{}")
	if second := list(by+"/listtargets?maxResults=2&nextToken="+url.QueryEscape(first["next"]), "{}"); len(first) != 3 || len(second) != 1 {
		t.Errorf("pages %v and %v", first, second)
	}
	id := "/targetgroups/" + core.LastPart(arn)
	var done vpclattice.DeregisterTargetsOutput
	leaving := `{"targets":[{"id":"` + tasks[0].IP + `","port":8080},{"id":"10.9.9.9"}]}`
	code := ask(http.MethodPost, id+"/deregistertargets", leaving, &done)
	if code != 200 || len(done.Successful) != 2 || len(done.Unsuccessful) != 0 {
		t.Errorf("deregistered: %d %+v", code, done)
	}
	named := `{"targets":[{"id":"` + tasks[0].IP + `"},{"id":"10.9.9.9"}]}`
	if got, want := list(id+"/listtargets", named), map[string]string{at(0): "DRAINING", "10.9.9.9:8080": "UNUSED"}; !cmp.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	world.Advance(world.Now().Add(time.Minute))
	if got := list(id+"/listtargets", named); got[at(0)] != "UNUSED" {
		t.Errorf("a minute later %v", got)
	}
	var groups vpclattice.ListTargetGroupsOutput
	code = ask(http.MethodGet, "/targetgroups?vpcIdentifier=vpc-0ebb5e1f0a1c2d3e4", "", &groups)
	if code != 200 || len(groups.Items) != 1 || groups.Items[0].ARN != arn {
		t.Errorf("groups: %d %+v", code, groups)
	}
	for _, c := range []struct {
		path, body, code string
		status           int
	}{
		{"/targetgroups/tg-0/listtargets", "", "length greater than or equal to 17", 400},
		{"/targetgroups/tg-00000000000000000/listtargets", "", "does not exist", 404}, {id + "/deregistertargets", "{}", "from 1 to 100", 400},
		{id + "/deregistertargets", "{", "not valid JSON", 400}, {id + "/listtargets?maxResults=0", "", "between 1 and 100", 400},
		{id + "/listtargets?nextToken=x", "", "token is invalid", 400},
	} {
		var refused struct{ Message string }
		if got := ask(http.MethodPost, c.path, c.body, &refused); got != c.status || !strings.Contains(refused.Message, c.code) {
			t.Errorf("%s: %d %q, want %d %q", c.path, got, refused.Message, c.status, c.code)
		}
	}
}
