package story

import (
	"context"
	"errors"
	"path"
	"strconv"
	"time"

	"github.com/ebbhq/ebb/internal/cloud"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
	"github.com/ebbhq/ebb/internal/sim/client"
	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/ec2"
	"github.com/ebbhq/ebb/internal/sim/servicediscovery"
	"github.com/ebbhq/ebb/internal/sim/vpclattice"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// What Ebb asks without a client of the SDK, as direct calls.

// sdkless are EC2, Cloud Map and VPC Lattice.
type sdkless struct{ api *wire.API }

func (p sdkless) DescribeInstances(ctx context.Context, ids []string) ([]plan.InstanceStatus, error) {
	found, err := client.DescribeInstances(ctx, p.api, ids)
	return cloud.Convert(found, func(i core.Instance) plan.InstanceStatus {
		return plan.InstanceStatus{ID: fleet.InstanceID(i.ID), State: fleet.InstanceState(i.State), VPC: i.Host.VPC}
	}), err
}

func (p sdkless) DescribeSubnets(ctx context.Context, ids []string) ([]plan.SubnetIn, error) {
	found, err := client.DescribeSubnets(ctx, p.api, ids)
	return cloud.Convert(found, func(s ec2.Subnet) plan.SubnetIn { return plan.SubnetIn{Subnet: s.ID, VPC: s.VPC} }), err
}

func (p sdkless) DescribeSpotInstanceRequests(ctx context.Context, ids []string) ([]plan.SpotStatus, error) {
	found, err := client.DescribeSpotInstanceRequests(ctx, p.api, ids)
	return cloud.Convert(found, func(s core.SpotRequest) plan.SpotStatus {
		status := fleet.SpotRequest{Code: s.Status.Code, Action: s.Action, Since: s.Status.Updated}
		return plan.SpotStatus{Instance: fleet.InstanceID(s.Instance), SpotRequest: status}
	}), err
}

func (p sdkless) ListInstances(ctx context.Context, service string, token *string) ([]string, *string, error) {
	out, err := client.ListInstances(ctx, p.api, service, token)
	if err != nil {
		return nil, nil, err
	}
	return cloud.Convert(out.Instances, func(i servicediscovery.InstanceOut) string { return *i.Id }), out.NextToken, nil
}

func (p sdkless) DeregisterInstance(ctx context.Context, service, instance string) error {
	return client.DeregisterInstance(ctx, p.api, service, instance)
}

func (p sdkless) TTL(ctx context.Context, service string) (time.Duration, error) {
	return client.TTL(ctx, p.api, service)
}

// connections is an endpoint that counts the connections of a target, as a sidecar would: http://HOST/ID:PORT. The fault "connections" keeps it
// from answering.
func (r *run) connections(_ context.Context, where string) (string, error) {
	if r.faultOf("connections", 0).How != "" {
		return "", errors.New("connection refused")
	}
	return strconv.Itoa(r.w.Connections(path.Base(where))), nil
}

func (p sdkless) ListTargets(ctx context.Context, group string, token *string) ([]cloud.LatticeTarget, *string, error) {
	out, err := client.ListLatticeTargets(ctx, p.api, group, nil, token)
	return cloud.Convert(out.Items, func(t vpclattice.TargetOut) cloud.LatticeTarget {
		return cloud.LatticeTarget{ID: t.ID, Port: t.Port, Status: t.Status, Reason: t.ReasonCode}
	}), core.Optional(out.NextToken), err
}

func (p sdkless) DeregisterTargets(ctx context.Context, group string, targets []cloud.LatticeTarget) ([]cloud.LatticeRefusal, error) {
	out, err := client.DeregisterLatticeTargets(ctx, p.api, group, cloud.Convert(targets, func(t cloud.LatticeTarget) vpclattice.TargetOut {
		return vpclattice.TargetOut{ID: t.ID, Port: t.Port}
	}))
	return cloud.Convert(out.Unsuccessful, func(f vpclattice.TargetFailure) cloud.LatticeRefusal {
		return cloud.LatticeRefusal{ID: f.ID, Code: f.FailureCode, Message: f.FailureMessage}
	}), err
}
