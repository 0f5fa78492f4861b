package client

import (
	"context"
	"encoding/json"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/internal/sim/servicediscovery"
	"github.com/ebbhq/ebb/internal/sim/vpclattice"
	"github.com/ebbhq/ebb/internal/sim/wire"
)

// TTL is how long clients keep the DNS records of a service of Cloud Map, by GetService.
func TTL(ctx context.Context, a *wire.API, service string) (time.Duration, error) {
	out, err := wire.Call[servicediscovery.GetServiceOutput](ctx, a, &servicediscovery.GetServiceInput{Id: &service})
	if err != nil {
		return 0, err
	}
	return time.Duration(out.Service.DnsConfig.DnsRecords[0].TTL) * time.Second, nil
}

// GetInstance says whether an instance of a service of Cloud Map is there: it fails with InstanceNotFound if not.
func GetInstance(ctx context.Context, a *wire.API, service, instance string) error {
	in := &servicediscovery.GetInstanceInput{ServiceId: &service, InstanceId: &instance}
	_, err := wire.Call[servicediscovery.GetInstanceOutput](ctx, a, in)
	return err
}

// DeregisterInstance is that operation of Cloud Map.
func DeregisterInstance(ctx context.Context, a *wire.API, service, instance string) error {
	in := &servicediscovery.DeregisterInstanceInput{ServiceId: &service, InstanceId: &instance}
	_, err := wire.Call[servicediscovery.DeregisterInstanceOutput](ctx, a, in)
	return err
}

// ListInstances is that operation of Cloud Map: one page.
func ListInstances(ctx context.Context, a *wire.API, service string, token *string) (*servicediscovery.ListInstancesOutput, error) {
	return wire.Call[servicediscovery.ListInstancesOutput](ctx, a, &servicediscovery.ListInstancesInput{ServiceId: &service, NextToken: token})
}

// ListLatticeTargets is ListTargets of VPC Lattice, for targets that are named, or for all if there are none: one page.
func ListLatticeTargets(
	ctx context.Context, a *wire.API, group string, targets []vpclattice.TargetOut, token *string,
) (out vpclattice.ListTargetsOutput, err error) {
	in := &vpclattice.ListTargetsInput{TargetGroupIdentifier: group, NextToken: core.Deref(token)}
	if len(targets) > 0 {
		in.Body = []byte(core.JSON(vpclattice.TargetsIn{Targets: targets}))
	}
	err = rest(ctx, a, in, &out)
	return out, err
}

// DeregisterLatticeTargets is DeregisterTargets of VPC Lattice.
func DeregisterLatticeTargets(
	ctx context.Context, a *wire.API, group string, targets []vpclattice.TargetOut,
) (out vpclattice.DeregisterTargetsOutput, err error) {
	in := &vpclattice.DeregisterTargetsInput{TargetGroupIdentifier: group, Body: []byte(core.JSON(vpclattice.TargetsIn{Targets: targets}))}
	err = rest(ctx, a, in, &out)
	return out, err
}

// rest makes a call of a service that speaks restJson1, and reads its answer as a client does.
func rest[In any](ctx context.Context, a *wire.API, in *In, out any) error {
	answer, err := wire.Call[core.RESTAnswer](ctx, a, in)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(core.JSON(answer.Body)), out)
}
