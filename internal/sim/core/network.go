package core

import "fmt"

// DefaultVPC is where everything is that names no VPC.
const DefaultVPC = "vpc-0ebb5e1f0a1c2d3e4"

// SubnetID is the subnet of a VPC in a zone: each VPC has one in each zone. Empty is the default VPC.
func SubnetID(vpc, zone string) string {
	if vpc == "" || vpc == DefaultVPC {
		return "subnet-" + zone
	}
	var sum uint64
	for _, b := range []byte(vpc + " " + zone) {
		sum = Mix(sum ^ uint64(b))
	}
	return fmt.Sprintf("subnet-0%016x", sum)
}
