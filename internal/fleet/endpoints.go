package fleet

import (
	"net/netip"
	"slices"
	"strings"
)

// Place is a kind of list of those who get requests.
type Place string

// The places. The values are for people.
const (
	InTargetGroup Place = "a target group"
	InCloudMap    Place = "Cloud Map"
	InLattice     Place = "VPC Lattice"
)

// Endpoint is one registration of a task, by which requests reach it.
type Endpoint struct {
	Place  Place
	In     ARN      // a target group, a service of Cloud Map, a target group of VPC Lattice
	Target TargetID // port 0: each port at which it is registered; in Cloud Map there is none
}

// TargetGroup is a target group of Elastic Load Balancing.
type TargetGroup struct {
	ARN  ARN
	VPC  string
	Type string // instance, ip, lambda, alb
}

// Name is the name in its ARN.
func (g TargetGroup) Name() string {
	parts := strings.Split(string(g.ARN), "/")
	return parts[min(1, len(parts)-1)]
}

// Holds reports whether tasks can be its targets.
func (g TargetGroup) Holds() bool { return g.Type == "instance" || g.Type == "ip" }

// Endpoints are where ECS registers a task of a service: under the instance and host port, or under the task's own address and its container
// port; in Cloud Map under the id of the task. Host is the EC2 instance that it is on, or empty.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-load-balancing.html
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/create-service-discovery.html
func Endpoints(host InstanceID, t *Task, s Service) []Endpoint {
	var all []Endpoint
	add := func(p Place, in ARN, target TargetID) {
		if e := (Endpoint{p, in, target}); !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	for _, lb := range s.LoadBalancers {
		for _, a := range t.Addresses {
			switch at := a.target(host); {
			case lb.TargetGroup == "": // a Classic Load Balancer
			case lb.Container == "":
				add(InTargetGroup, lb.TargetGroup, at)
			case a.Container != lb.Container:
			case a.IP != "": // DescribeTasks names no ports in awsvpc mode
				add(InTargetGroup, lb.TargetGroup, TargetID{a.IP, lb.ContainerPort})
			case a.ContainerPort == lb.ContainerPort:
				add(InTargetGroup, lb.TargetGroup, at)
			}
		}
	}
	for _, group := range s.Lattice {
		for _, a := range t.Addresses {
			add(InLattice, group, a.target(host))
		}
	}
	for _, registry := range s.Registries {
		add(InCloudMap, registry, TargetID{ID: t.ARN.Name()})
	}
	return all
}

// target is what an address is registered as: at whatever port, if it is the task's own.
func (a Address) target(host InstanceID) TargetID {
	if a.IP != "" {
		return TargetID{ID: a.IP}
	}
	return TargetID{string(host), a.HostPort}
}

// Registered are the endpoints of a task among targets, whoever registered it there: under its own address, or under its host and a host port
// of its. IP addresses must be those of its VPC: in another one they are somebody else's.
func Registered(host InstanceID, t *Task, targets []Health) []Endpoint {
	var all []Endpoint
	for _, h := range targets {
		mine := slices.ContainsFunc(t.Addresses, func(a Address) bool {
			at := a.target(host)
			return sameAddress(at.ID, h.Target.ID) && (at.Port == 0 && a.IP != "" || at.Port == h.Target.Port && at.Port != 0)
		})
		if e := (Endpoint{InTargetGroup, h.TargetGroup, h.Target}); mine && h.InUse() && !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return all
}

// Is reports whether a registration is one of the target that is named: without a port, at each.
func (t TargetID) Is(named TargetID) bool {
	return (t.Port == named.Port || named.Port == 0) && sameAddress(t.ID, named.ID)
}

// sameAddress reports whether two texts name one target: IPv6 addresses can be spelt in several ways.
func sameAddress(a, b string) bool {
	if a == b {
		return a != ""
	}
	x, err := netip.ParseAddr(a)
	y, no := netip.ParseAddr(b)
	return err == nil && no == nil && x == y
}
