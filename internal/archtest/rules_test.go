package archtest

// pure lists the packages without clock, I/O, goroutine, shared state or accidental order.
func pure() []string {
	return []string{
		"internal/fleet", "internal/event", "internal/plan", "internal/journal", "internal/drain", "internal/kernel", "internal/sim", "internal/sim/core",
		"internal/sim/appautoscaling", "internal/sim/autoscaling", "internal/sim/cloudwatch",
		"internal/sim/ec2", "internal/sim/ecs", "internal/sim/elb", "internal/sim/events", "internal/sim/imds",
		"internal/sim/lambda", "internal/sim/load",
		"internal/sim/secretsmanager", "internal/sim/sns", "internal/sim/sqs", "internal/sim/ssm", "internal/sim/sts", "internal/sim/traffic",
		"internal/sim/servicediscovery", "internal/sim/vpclattice",
		"internal/inventory", "internal/placement", "internal/advice", "internal/diagnose", "internal/doctor", "internal/lease", "internal/iam",
		"internal/notice", "internal/desired",
	}
}

// pureImports are the standard packages that a pure package may import.
func pureImports() map[string]bool {
	return set(
		"bytes", "cmp", "container/heap", "crypto/md5", "crypto/sha256", "encoding/base64", "encoding/binary", "encoding/hex", "encoding/json",
		"errors", "fmt", "hash/fnv", "iter", "maps", "math", "math/bits", "math/rand/v2", "net/netip", "net/url", "path", "reflect", "regexp",
		"slices", "sort", "strconv", "strings", "time", "unicode", "unicode/utf8",
	)
}

// names says which names of a package may be used: all but the denied, or none but the allowed.
type names struct {
	denied, allowed map[string]bool
	why             string
}

// typesOnly are the packages of which a pure package may use types only: requests and answers of the SDK.
const typesOnly = "github.com/aws/aws-sdk-go-v2/service/"

// pureNames restricts packages that are pure in part.
func pureNames() map[string]names {
	return map[string]names{
		"time": {
			denied: set("Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Local", "LoadLocation"),
			why:    "the time comes in as an argument",
		},
		"fmt":          {denied: set("Print", "Printf", "Println", "Scan", "Scanf", "Scanln"), why: "no input or output"},
		"math/rand/v2": {allowed: set("New", "NewPCG", "NewChaCha8", "Rand", "PCG", "ChaCha8", "Source"), why: "randomness comes from a seed only"},
		"reflect":      {allowed: set("DeepEqual"), why: "the rest sees the order of maps"},
		"maps":         {denied: set("Keys", "Values", "All"), why: "the order is random; sort at once with slices.Sorted, or write " + marker + " and the reason"},
	}
}

// mayImport is the direction of imports: what each package of the module may import of the others. The edges (cloud, source/*,
// journal/*) know the nouns and never each other.
func mayImport() map[string][]string {
	all := []string{
		"archtest", "advice", "agent", "cloud", "cloud/collector", "config", "deploy", "desired", "doctor", "drain",
		"engine", "event", "diagnose", "fleet", "host", "journal",
		"iam", "journal/dynamodb", "journal/memory", "journal/sqlite", "kernel", "lease", "placement", "plain", "plan", "scale", "sim",
		"sim/appautoscaling", "sim/autoscaling", "sim/baseline", "sim/client", "sim/cloudwatch", "sim/core", "sim/ec2", "sim/ecs", "sim/elb", "sim/events",
		"sim/imds", "sim/lambda", "sim/lambda/process", "sim/load", "sim/loadtest", "sim/sns", "sim/sqs",
		"steps", "sim/loopback", "sim/model",
		"sim/secretsmanager", "sim/standin", "sim/ssm", "sim/servicediscovery", "sim/sts", "sim/traffic", "sim/vpclattice", "sim/wire",
		"sim/appautoscaling", "sim/autoscaling", "sim/baseline", "sim/client", "sim/cloudwatch", "sim/core", "sim/demo", "sim/ec2", "sim/ecs", "sim/elb",
		"sim/events", "sim/imds", "sim/lambda", "sim/lambda/process", "sim/load", "sim/loadtest", "sim/scaling", "sim/sns", "sim/sqs",
		"steps", "sim/loopback", "sim/secretsmanager", "sim/standin", "sim/ssm", "sim/servicediscovery", "sim/sts", "sim/traffic", "sim/vpclattice", "sim/wire",
		"source/lambda", "source/sqs", "sim/story", "inventory", "metrics", "notice", "notify",
	}
	return map[string][]string{
		"fleet":            {},
		"event":            {"fleet", "plain"},
		"steps":            {"fleet", "plan", "drain"},
		"agent":            {"fleet", "plan", "drain", "steps", "cloud"},
		"agentcli":         {"fleet", "event", "plan", "steps", "host", "agent", "cloud", "source/sqs", "notice", "notify", "plain"},
		"plan":             {"fleet"},
		"desired":          {"fleet"},
		"scale":            {"fleet"},
		"journal":          {},
		"journal/memory":   {"journal"},
		"journal/sqlite":   {"journal"},
		"journal/dynamodb": {"journal"},
		"lease":            {"journal"},
		"drain":            {"fleet", "event", "plan"},
		"notice":           {"fleet", "journal", "drain", "plain"},
		"notify":           {"notice", "plain"},
		"host":             {"plain"},
		"kernel":           {"fleet", "event", "plan", "journal", "drain", "desired", "notice", "plain", "scale"},
		"engine":           {"fleet", "event", "plan", "journal", "drain", "kernel", "lease", "notice", "plain"},
		"metrics":          {"engine", "journal", "kernel", "plan"},
		"cloud":            {"fleet", "plan"},
		"source/sqs":       {"fleet", "event"},
		// The simulated cloud: a service knows the core and no other service, the wire knows no service, and sim alone knows all.
		"sim/core":             {},
		"sim/appautoscaling":   {"sim/core"},
		"sim/autoscaling":      {"sim/core"},
		"sim/cloudwatch":       {"sim/core"},
		"sim/ec2":              {"sim/core"},
		"sim/ecs":              {"sim/core"},
		"sim/elb":              {"sim/core"},
		"sim/events":           {"sim/core"},
		"sim/imds":             {"sim/core"},
		"sim/lambda":           {"sim/core"},
		"sim/load":             {"sim/core"},
		"sim/sns":              {"sim/core"},
		"sim/sqs":              {"sim/core"},
		"sim/secretsmanager":   {"sim/core"},
		"sim/servicediscovery": {"sim/core"},
		"sim/ssm":              {"sim/core"},
		"sim/sts":              {"sim/core"},
		"sim/traffic":          {"sim/core"},
		"sim/vpclattice":       {"sim/core"},
		"sim": {
			"sim/core", "sim/appautoscaling", "sim/autoscaling", "sim/cloudwatch",
			"sim/ec2", "sim/ecs", "sim/elb", "sim/events", "sim/imds", "sim/lambda", "sim/load", "sim/secretsmanager", "sim/sns", "sim/sqs",
			"sim/ssm",
			"sim/servicediscovery", "sim/sts", "sim/traffic", "sim/vpclattice",
		},
		"sim/model":          {},
		"sim/wire":           {"sim/core", "sim/model"},
		"sim/client":         {"sim/core", "sim/ec2", "sim/servicediscovery", "sim/vpclattice", "sim/wire"},
		"sim/awscli":         {"sim/core"},
		"sim/lambda/process": {"sim", "sim/core", "sim/lambda"},
		"sim/standin":        {},
		"sim/loopback":       {"sim", "sim/core", "sim/imds", "sim/lambda/process", "sim/wire"},
		"sim/loadtest":       {"sim", "sim/core", "sim/ecs", "sim/traffic"},
		"sim/baseline":       {"sim", "sim/client", "sim/core", "sim/wire"},
		"sim/demo": {
			"cloud", "drain", "engine", "fleet", "journal", "journal/memory", "kernel", "scale", "sim", "sim/baseline", "sim/cloudwatch", "sim/core",
			"sim/ecs", "sim/load", "sim/loadtest", "sim/loopback", "sim/standin", "sim/traffic", "source/sqs",
		},
		"sim/scaling": {
			"fleet", "sim", "sim/appautoscaling", "sim/baseline", "sim/client", "sim/cloudwatch", "sim/core", "sim/ecs", "sim/load", "sim/story", "sim/wire",
		},
		"source/lambda": {"fleet", "event"},
		"iam":           {},
		"sim/story": {
			"cloud", "drain", "engine", "event", "fleet", "iam", "journal", "journal/memory", "kernel", "lease", "notice", "plan", "sim", "sim/autoscaling",
			"sim/appautoscaling", "sim/client", "sim/cloudwatch", "sim/core", "sim/ec2", "sim/ecs",
			"sim/load", "sim/servicediscovery", "sim/traffic", "sim/vpclattice", "sim/wire",
			"scale", "source/sqs",
		},
		"inventory":       {"fleet"},
		"placement":       {"fleet", "inventory", "plain"},
		"plain":           {},
		"advice":          {"plain"},
		"diagnose":        {"advice", "fleet", "inventory", "placement", "plain"},
		"doctor":          {"advice", "fleet", "inventory", "placement", "plain"},
		"cloud/collector": {"cloud", "fleet", "plan", "inventory"},
		"config":          {"fleet", "scale"},
		"deploy":          {},
		"archtest":        {},
		"cli":             all[1:],
	}
}

// owners says which packages may import an outside package, by the longest prefix that fits; what is not named here is free. The
// EC2 client is for nobody, tests included: it takes 84 CPU seconds to compile for two calls.
func owners() map[string][]string {
	const sdk = "github.com/aws/aws-sdk-go-v2"
	return map[string][]string{
		sdk: {
			"cloud", "cloud/collector", "sim/baseline", "sim/demo", "source/sqs", "journal/dynamodb", "notify", "host", "agentcli", "cli",
		},
		"github.com/aws/smithy-go":              {"cloud", "cloud/collector", "source/sqs", "sim/wire", "journal/dynamodb"},
		sdk + "/service":                        {},
		sdk + "/service/applicationautoscaling": {"sim/appautoscaling", "sim/client"},
		sdk + "/service/autoscaling":            {"agentcli", "cloud", "cloud/collector", "sim/baseline", "sim/autoscaling", "sim/client"},
		sdk + "/service/cloudwatch":             {"sim/cloudwatch", "sim/client"},
		sdk + "/service/ecs":                    {"agentcli", "cloud", "cloud/collector", "sim/baseline", "sim/ecs", "sim/client"},
		sdk + "/service/elasticloadbalancing":   {"cloud", "cloud/collector", "sim/baseline", "sim/elb", "sim/client"}, // and ...v2
		sdk + "/service/sts":                    {"cloud", "cloud/collector", "sim/sts"},
		sdk + "/service/sqs":                    {"agentcli", "source/sqs", "cloud/collector", "sim/baseline", "sim/sqs", "sim/client"},
		sdk + "/service/dynamodb":               {"journal/dynamodb"},
		sdk + "/service/sns":                    {"sim/sns", "notify"},
		sdk + "/service/s3":                     {"host", "agentcli"},
		sdk + "/service/eventbridge":            {"cloud/collector", "sim/events", "notify"},
		"github.com/aws/aws-lambda-go":          {"source/lambda", "cli"},
		"modernc.org":                           {"journal/sqlite"},
		"github.com/prometheus":                 {"metrics"},
		"github.com/spf13":                      {"agentcli", "cli"},
		"go.yaml.in/yaml":                       {"agentcli", "config", "host", "sim/story", "cli"},
	}
}

// banned is what not even a test may import.
const banned = "github.com/aws/aws-sdk-go-v2/service/ec2"

func set(words ...string) map[string]bool {
	s := make(map[string]bool, len(words))
	for _, w := range words {
		s[w] = true
	}
	return s
}
