package archtest

import "strings"

// pure lists the packages without clock, I/O, goroutine, shared state or accidental order.
func pure() []string {
	return []string{
		"internal/fleet", "internal/event", "internal/plan", "internal/journal", "internal/drain", "internal/kernel", "internal/sim", "internal/sim/core",
		"internal/inventory", "internal/placement", "internal/diagnose", "internal/doctor", "internal/lease", "internal/iam",
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
		"archtest", "cloud", "cloud/collector", "config", "deploy", "doctor", "drain", "engine", "event", "diagnose", "fleet", "baseline", "journal",
		"iam", "journal/conformance", "journal/dynamodb", "journal/memory", "journal/sqlite", "kernel", "lease", "placement", "plan", "sim",
		"sim/core", "sim/lambda", "sim/wire",
		"source/lambda", "source/sqs", "story", "inventory", "loadtest",
	}
	return map[string][]string{
		"fleet":               {},
		"event":               {"fleet"},
		"plan":                {"fleet"},
		"journal":             {},
		"journal/memory":      {"journal"},
		"journal/sqlite":      {"journal"},
		"journal/dynamodb":    {"journal"},
		"lease":               {"journal"},
		"journal/conformance": {"journal"},
		"drain":               {"fleet", "event", "plan"},
		"kernel":              {"fleet", "event", "plan", "journal", "drain"},
		"engine":              {"fleet", "event", "plan", "journal", "drain", "kernel", "lease"},
		"cloud":               {"fleet", "plan"},
		"source/sqs":          {"fleet", "event"},
		"sim":                 {"sim/core"},
		"sim/core":            {},
		"sim/wire":            {"sim", "sim/core"},
		"sim/lambda":          {"sim", "sim/core", "sim/wire"},
		"source/lambda":       {"fleet", "event"},
		"iam":                 {},
		"story": {
			"cloud", "drain", "engine", "event", "fleet", "journal", "journal/memory", "kernel", "lease", "plan", "sim", "sim/core", "sim/wire",
			"source/sqs",
		},
		"inventory":       {"fleet"},
		"placement":       {"fleet", "inventory"},
		"diagnose":        {"fleet", "inventory", "placement"},
		"doctor":          {"fleet", "inventory", "placement"},
		"cloud/collector": {"cloud", "fleet", "plan", "inventory"},
		"baseline":        {},
		"loadtest":        {"sim"},
		"config":          {"fleet"},
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
		sdk:                                   {"cloud", "cloud/collector", "baseline", "source/sqs", "sim/wire", "journal/dynamodb", "cli"},
		"github.com/aws/smithy-go":            {"cloud", "cloud/collector", "source/sqs", "sim/wire", "journal/dynamodb"},
		sdk + "/service":                      {},
		sdk + "/service/autoscaling":          {"cloud", "cloud/collector", "baseline", "sim/wire"},
		sdk + "/service/ecs":                  {"cloud", "cloud/collector", "baseline", "sim/wire"},
		sdk + "/service/elasticloadbalancing": {"cloud", "cloud/collector", "sim/wire"}, // and ...v2
		sdk + "/service/sts":                  {"cloud", "cloud/collector", "sim/wire"},
		sdk + "/service/sqs":                  {"source/sqs", "cloud/collector", "baseline", "sim/wire"},
		sdk + "/service/dynamodb":             {"journal/dynamodb"},
		sdk + "/service/sns":                  {"sim/wire"},
		sdk + "/service/eventbridge":          {"cloud/collector", "sim/wire"},
		"github.com/aws/aws-lambda-go":        {"source/lambda", "cli"},
		"modernc.org":                         {"journal/sqlite"},
		"github.com/spf13":                    {"cli"},
		"go.yaml.in/yaml":                     {"config", "story", "cli"},
	}
}

// unfinished reports whether a file, or the folder that it is in, is still excused from Limits.
func unfinished(file string) bool {
	for _, prefix := range []string{
		"internal/drain/", "internal/kernel/", "internal/engine/", "internal/story/", "internal/journal/", "internal/sim/", "internal/source/",
	} {
		if strings.HasPrefix(file, prefix) {
			return true
		}
	}
	return false
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
