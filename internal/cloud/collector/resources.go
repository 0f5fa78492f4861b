package collector

import (
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/inventory"
)

// resources reads the resources of a container instance. PORTS are those in use, also among the remaining resources; GPU lists
// device ids.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Resource.html
func resources(in []ecstypes.Resource) (out inventory.Resources) {
	for _, r := range in {
		switch aws.ToString(r.Name) {
		case "CPU":
			out.CPU = int(r.IntegerValue)
		case "MEMORY":
			out.Memory = int(r.IntegerValue)
		case "GPU":
			out.GPU = max(int(r.IntegerValue), len(r.StringSetValue))
		case "PORTS":
			out.Ports = numbers(r.StringSetValue)
		case "PORTS_UDP":
			out.UDP = numbers(r.StringSetValue)
		}
	}
	return out
}

func numbers(in []string) (out []int) {
	for _, s := range in {
		if n, err := strconv.Atoi(s); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// number reads CPU units or MiB as a task or its definition spell them; what is absent or no number is 0.
func number(s *string) int {
	n, _ := strconv.Atoi(aws.ToString(s))
	return n
}
