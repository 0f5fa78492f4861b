package cloud

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// Names is what is used of AWS Cloud Map. A service is named by its ARN: the id does not do where a namespace is shared between accounts.
// https://docs.aws.amazon.com/cloud-map/latest/api/API_Operations.html
type Names interface {
	// ListInstances lists the ids of up to 100 instances of a service, from a token on; the token of the next page is nil after the last.
	ListInstances(ctx context.Context, service string, token *string) (ids []string, next *string, err error)
	DeregisterInstance(ctx context.Context, service, instance string) error
	// TTL is that of the DNS records of a service, the longest; zero: it has none.
	TTL(ctx context.Context, service string) (time.Duration, error)
}

// Lattice is what is used of VPC Lattice.
// https://docs.aws.amazon.com/vpc-lattice/latest/APIReference/API_Operations.html
type Lattice interface {
	// ListTargets lists up to 100 targets of a target group.
	ListTargets(ctx context.Context, group string, token *string) (found []LatticeTarget, next *string, err error)
	// DeregisterTargets takes up to 100 targets out, and returns those of which it says that it could not.
	DeregisterTargets(ctx context.Context, group string, targets []LatticeTarget) (refused []LatticeRefusal, err error)
}

// LatticeTarget is a target as VPC Lattice spells it.
type LatticeTarget struct {
	ID     string `json:"id"`
	Port   int    `json:"port,omitempty"`
	Status string `json:"status,omitempty"`
	Reason string `json:"reasonCode,omitempty"`
}

// LatticeRefusal is why a target was not taken out.
type LatticeRefusal struct {
	ID      string `json:"id"`
	Code    string `json:"failureCode"`
	Message string `json:"failureMessage"`
}

// names are Cloud Map, and lattice is VPC Lattice, as AWS has them.
type (
	names struct {
		cfg   aws.Config
		count Count // nil: nobody counts
	}
	lattice names
)

func (n names) ask(ctx context.Context, operation string, in, out any) error {
	err := askJSON(ctx, n.cfg, "servicediscovery", "", map[string]string{
		"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Route53AutoNaming_v20170314." + operation,
	}, in, out)
	n.count.tell("ServiceDiscovery", operation, err)
	return err
}

func (n names) ListInstances(ctx context.Context, service string, token *string) (ids []string, next *string, err error) {
	in := struct {
		Service   string  `json:"ServiceId"`
		NextToken *string `json:",omitempty"`
	}{service, token}
	var out struct {
		Instances []struct{ ID string }
		NextToken *string
	}
	err = n.ask(ctx, "ListInstances", in, &out)
	for _, i := range out.Instances {
		ids = append(ids, i.ID)
	}
	return ids, out.NextToken, err
}

func (n names) DeregisterInstance(ctx context.Context, service, instance string) error {
	return n.ask(ctx, "DeregisterInstance", map[string]string{"ServiceId": service, "InstanceId": instance}, &struct{}{})
}

// ask sends a request about a target group, which the path names by its id.
func (l lattice) ask(ctx context.Context, group, operation string, query url.Values, in, out any) error {
	path := "targetgroups/" + url.PathEscape(fleet.ARN(group).Name()) + "/" + strings.ToLower(operation)
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	err := askJSON(ctx, l.cfg, "vpc-lattice", path, map[string]string{"Content-Type": "application/json"}, in, out)
	l.count.tell("VPC Lattice", operation, err)
	return err
}

func (l lattice) ListTargets(ctx context.Context, group string, token *string) (found []LatticeTarget, next *string, err error) {
	query := url.Values{}
	if token != nil {
		query.Set("nextToken", *token)
	}
	var out struct {
		Items     []LatticeTarget `json:"items"`
		NextToken *string         `json:"nextToken"`
	}
	err = l.ask(ctx, group, "ListTargets", query, struct{}{}, &out)
	return out.Items, out.NextToken, err
}

func (l lattice) DeregisterTargets(ctx context.Context, group string, targets []LatticeTarget) ([]LatticeRefusal, error) {
	var out struct {
		Unsuccessful []LatticeRefusal `json:"unsuccessful"`
	}
	err := l.ask(ctx, group, "DeregisterTargets", nil, map[string][]LatticeTarget{"targets": targets}, &out)
	return out.Unsuccessful, err
}

// names looks at instances of one service of Cloud Map. Those of a service that does not exist are absent.
func (s *lookup) names(ctx context.Context, l plan.Look) error {
	err := Pages(func(token *string) (next *string, err error) {
		var ids []string
		err = count(&s.Calls)(ctx, func() error {
			ids, next, err = s.Names.ListInstances(ctx, l.In, token)
			return err
		})
		for _, id := range ids {
			s.View.Health = append(s.View.Health, fleet.Health{TargetGroup: fleet.ARN(l.In), Target: fleet.TargetID{ID: id}, State: "healthy"})
		}
		return next, err
	})
	return unlessGone(err)
}

// latticeTargets looks at targets of one target group of VPC Lattice, as targets does of Elastic Load Balancing.
func (s *lookup) latticeTargets(ctx context.Context, l plan.Look) error {
	all, err := s.listTargets(ctx, count(&s.Calls), l.In)
	if err := unlessGone(err); err != nil {
		return err
	}
	s.View.Health = named(fleet.ARN(l.In), targetsOf(l), all)
	return nil
}

// listTargets lists all targets of a target group of VPC Lattice.
func (c *Cloud) listTargets(ctx context.Context, send Send, group string) (all []fleet.Health, err error) {
	err = Pages(func(token *string) (next *string, err error) {
		var found []LatticeTarget
		err = send(ctx, func() error {
			found, next, err = c.Lattice.ListTargets(ctx, group, token)
			return err
		})
		for _, t := range found {
			all = append(all, fleet.Health{
				TargetGroup: fleet.ARN(group), Target: fleet.TargetID{ID: t.ID, Port: t.Port}, State: strings.ToLower(t.Status), Reason: t.Reason,
			})
		}
		return next, err
	})
	return all, err
}

func unlessGone(err error) error {
	if f := Classify(err); f != nil && f.Class == plan.Gone {
		return nil
	}
	return err
}

// leaveNames begins the deregistration of instances of a service of Cloud Map, one after the other. One that is not registered, or is being
// deregistered already, is as it should be.
// https://docs.aws.amazon.com/cloud-map/latest/api/API_DeregisterInstance.html
func (c *Cloud) leaveNames(ctx context.Context, a plan.Action, out *plan.Outcome) (failed error) {
	for _, t := range a.Targets.Targets {
		err := count(&out.Calls)(ctx, func() error { return c.Names.DeregisterInstance(ctx, string(a.Targets.Group), t.ID) })
		if f := Classify(err); f != nil && f.Class != plan.Gone && f.Code != "DuplicateRequest" {
			failed = err
		}
	}
	return failed
}

// leaveLattice takes targets of a target group of VPC Lattice out. Those whose port is not known it looks up first: ECS registers the port that
// has a name in the task definition.
func (c *Cloud) leaveLattice(ctx context.Context, a plan.Action, out *plan.Outcome) error {
	group, targets := string(a.Targets.Group), a.Targets.Targets
	if slices.ContainsFunc(targets, unsure) {
		all, err := c.listTargets(ctx, count(&out.Calls), group)
		if err != nil {
			return err
		}
		targets = inUse(targets, all)
	}
	for chunk := range slices.Chunk(targets, plan.MaxDeregister) {
		err := count(&out.Calls)(ctx, func() error {
			refused, err := c.Lattice.DeregisterTargets(ctx, group, Convert(chunk, func(t fleet.TargetID) LatticeTarget {
				return LatticeTarget{ID: t.ID, Port: t.Port}
			}))
			for _, r := range refused {
				err = fmt.Errorf("VPC Lattice did not take %s out: %s: %s", r.ID, r.Code, r.Message)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
