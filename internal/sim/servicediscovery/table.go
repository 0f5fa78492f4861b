package servicediscovery

import (
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// api are the operations of the service.
type api struct{ *ServiceDiscovery }

// Service is Cloud Map as the wire serves it. The limit is what AWS documents for DiscoverInstances; it documents none for the others.
// https://docs.aws.amazon.com/cloud-map/latest/dg/cloud-map-limits.html
func (w *ServiceDiscovery) Service() core.Service {
	return core.Service{
		Name: "servicediscovery", Protocol: core.Protocol{JSON: "1.1"}, Errors: refusals(), Operations: api{w}.operations(),
		Limits: map[string]core.Limit{"servicediscovery.discover": {Burst: 2000, PerSecond: 1000}},
	}
}

func refusals() core.Errors {
	return core.Errors{
		Throttled:  core.Error{Code: "ThrottlingException", Message: "Rate exceeded", Status: 400},
		Internal:   core.Error{Code: "InternalFailure", Message: "We encountered an internal error. Please try again.", Status: 500},
		StaleToken: core.Error{Code: "InvalidInput", Message: "The token is invalid.", Status: 400},
		Missing:    func(member string) error { return core.Null("InvalidInput", member) },
		Invalid:    "InvalidInput",
		Denied:     core.Denial{Code: "AccessDeniedException", Status: 400},
	}
}

// operations are the rows of all operations. What is about one service is checked against it. To change DNS records AWS also wants
// route53:ChangeResourceRecordSets of the caller, which is not simulated.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudmap.html
//
// The columns: needed members, what IAM checks, what the record says, page token, batch.
func (s api) operations() []core.Operation {
	return []core.Operation{
		core.NewOperation("DeregisterInstance", s.deregister, "servicediscovery",
			func(in *DeregisterInstanceInput) []core.Member {
				return core.Members("ServiceId", in.ServiceId, "InstanceId", in.InstanceId)
			},
			func(in *DeregisterInstanceInput) []core.Resource { return s.resource(in.ServiceId) },
			func(in *DeregisterInstanceInput) core.Entry { return s.subject(in.ServiceId, in.InstanceId) },
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("GetInstance", s.getInstance, "servicediscovery",
			func(in *GetInstanceInput) []core.Member {
				return core.Members("ServiceId", in.ServiceId, "InstanceId", in.InstanceId)
			},
			func(in *GetInstanceInput) []core.Resource { return s.resource(in.ServiceId) },
			func(in *GetInstanceInput) core.Entry { return s.subject(in.ServiceId, in.InstanceId) },
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("ListInstances", s.listInstances, "servicediscovery",
			func(in *ListInstancesInput) []core.Member { return core.Members("ServiceId", in.ServiceId) },
			func(in *ListInstancesInput) []core.Resource { return s.resource(in.ServiceId) },
			func(in *ListInstancesInput) core.Entry { return s.subject(in.ServiceId, nil) },
			func(in *ListInstancesInput) *string { return in.NextToken },
			core.NoBatch,
		),
		core.NewOperation("GetService", s.getService, "servicediscovery",
			func(in *GetServiceInput) []core.Member { return core.Members("Id", in.Id) },
			func(in *GetServiceInput) []core.Resource { return s.resource(in.Id) },
			func(in *GetServiceInput) core.Entry { return s.subject(in.Id, nil) },
			core.NotPaged, core.NoBatch,
		),
		core.NewOperation("GetOperation", s.getOperation, "servicediscovery",
			func(in *GetOperationInput) []core.Member { return core.Members("OperationId", in.OperationId) },
			core.NoResource, core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("DiscoverInstances", s.discover, "servicediscovery.discover",
			func(in *DiscoverInstancesInput) []core.Member {
				return core.Members("NamespaceName", in.NamespaceName, "ServiceName", in.ServiceName)
			},
			core.NoResource, core.NoSubject, core.NotPaged, core.NoBatch,
		),
	}
}

// resource is the service that a call is about.
func (s api) resource(id *string) []core.Resource {
	arn := core.Deref(id)
	if !strings.HasPrefix(arn, "arn:") {
		arn = s.ARN("servicediscovery", "service/"+arn)
	}
	return []core.Resource{{Kind: "service", ARN: arn}}
}

func (s api) subject(service, instance *string) core.Entry {
	return core.Entry{TargetGroup: core.LastPart(core.Deref(service)), Target: core.Deref(instance)}
}

// named is the service of an id or ARN.
func (s api) named(id *string) (*Service, error) {
	if found := s.find(*id); found != nil {
		return found, nil
	}
	return nil, core.Refuse("ServiceNotFound", "Service not found: %s", *id)
}

// deregister begins an operation, which takes as long as the switch says. Meanwhile another one of the instance is refused.
// https://docs.aws.amazon.com/cloud-map/latest/api/API_DeregisterInstance.html
func (s api) deregister(c *core.Call, in *DeregisterInstanceInput) (*DeregisterInstanceOutput, error) {
	service, err := s.named(in.ServiceId)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(service.Instances, func(i Instance) bool { return i.ID == *in.InstanceId })
	switch {
	case i < 0:
		return nil, core.Refuse("InstanceNotFound", "Instance not found: %s", *in.InstanceId)
	case service.Instances[i].leaving:
		return nil, core.Refuse("DuplicateRequest", "The instance %s is being deregistered already", *in.InstanceId)
	}
	service.Instances[i].leaving = true
	id := s.Hex(32) + "-" + s.Hex(8)
	s.ServiceDiscovery.operations[id] = "PENDING"
	done := func() {
		s.ServiceDiscovery.operations[id] = "SUCCESS"
		s.leave(service, *in.InstanceId)
	}
	if s.Switches.CloudMap > 0 {
		s.After(s.Switches.CloudMap, func() { s.As(c.Caller, done) })
	} else {
		done()
	}
	return &DeregisterInstanceOutput{OperationId: &id}, nil
}

func (s api) getInstance(_ *core.Call, in *GetInstanceInput) (*GetInstanceOutput, error) {
	service, err := s.named(in.ServiceId)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(service.Instances, func(i Instance) bool { return i.ID == *in.InstanceId })
	if i < 0 {
		return nil, core.Refuse("InstanceNotFound", "Instance not found: %s", *in.InstanceId)
	}
	return &GetInstanceOutput{Instance: new(instanceOut(service.Instances[i]))}, nil
}

func instanceOut(i Instance) InstanceOut { return InstanceOut{Id: &i.ID, Attributes: i.Attributes} }

func (s api) listInstances(c *core.Call, in *ListInstancesInput) (*ListInstancesOutput, error) {
	if n := in.MaxResults; n != nil && (*n < 1 || *n > 100) {
		return nil, core.Refuse("InvalidInput", "MaxResults must be between 1 and 100 (inclusive), not %d.", *n)
	}
	service, err := s.named(in.ServiceId)
	if err != nil {
		return nil, err
	}
	p := core.Paging{Operation: "ListInstances", Asked: in.MaxResults, Fallback: 100, Most: 100, Token: in.NextToken}
	all, next, ok := core.Page(c, p, service.Instances, func(i Instance) string { return i.ID })
	if !ok {
		return nil, core.Refuse("InvalidInput", "The token is invalid.")
	}
	return &ListInstancesOutput{Instances: core.Mapped(all, instanceOut), NextToken: next}, nil
}

// discover answers with at most 100 instances. The health of instances that ECS registers is what ECS says: they are healthy.
// https://docs.aws.amazon.com/cloud-map/latest/api/API_DiscoverInstances.html
func (s api) discover(_ *core.Call, in *DiscoverInstancesInput) (*DiscoverInstancesOutput, error) {
	for _, service := range s.services {
		if service.Name != *in.ServiceName || service.Namespace != *in.NamespaceName {
			continue
		}
		most := 100
		if n := in.MaxResults; n != nil {
			most = max(1, min(int(*n), 1000))
		}
		shown := service.Instances[:min(len(service.Instances), most)]
		if core.Deref(in.HealthStatus) == "UNHEALTHY" {
			shown = nil
		}
		return &DiscoverInstancesOutput{
			Instances: core.Mapped(shown, func(i Instance) HTTPInstanceOut {
				return HTTPInstanceOut{
					InstanceId: &i.ID, NamespaceName: &service.Namespace, ServiceName: &service.Name, HealthStatus: new("HEALTHY"),
					Attributes: i.Attributes,
				}
			}),
			InstancesRevision: int64(s.Now().UnixMilli()),
		}, nil
	}
	return nil, core.Refuse("ServiceNotFound", "Service not found: %s", *in.ServiceName)
}

func (s api) getService(_ *core.Call, in *GetServiceInput) (*GetServiceOutput, error) {
	service, err := s.named(in.Id)
	if err != nil {
		return nil, err
	}
	records := []DNSRecordOut{{Type: new("A"), TTL: int64(service.TTL / time.Second)}}
	if service.SRV {
		records[0].Type = new("SRV")
	}
	return &GetServiceOutput{Service: &ServiceOut{
		Id: &service.ID, Arn: &service.ARN, Name: &service.Name, Type: new("DNS_HTTP"), InstanceCount: int32(len(service.Instances)),
		DnsConfig: &DNSConfigOut{RoutingPolicy: new("MULTIVALUE"), DnsRecords: records}, CreateDate: new(s.Start()),
	}}, nil
}

func (s api) getOperation(_ *core.Call, in *GetOperationInput) (*GetOperationOutput, error) {
	status, ok := s.ServiceDiscovery.operations[*in.OperationId]
	if !ok {
		return nil, core.Refuse("OperationNotFound", "Operation not found: %s", *in.OperationId)
	}
	return &GetOperationOutput{Operation: &OperationOut{Id: in.OperationId, Type: new("DEREGISTER_INSTANCE"), Status: &status}}, nil
}
