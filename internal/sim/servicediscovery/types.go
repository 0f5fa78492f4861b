package servicediscovery

import "time"

// The SDK's package of Cloud Map takes 17 s to compile for six operations: their requests and answers are written here, with the names of
// the API reference. https://docs.aws.amazon.com/cloud-map/latest/api/API_Operations.html

// DeregisterInstanceInput is the request of DeregisterInstance.
type DeregisterInstanceInput struct {
	ServiceId  *string // or ARN
	InstanceId *string
}

// DeregisterInstanceOutput is its answer.
type DeregisterInstanceOutput struct{ OperationId *string }

// GetInstanceInput is the request of GetInstance.
type GetInstanceInput struct{ ServiceId, InstanceId *string }

// GetInstanceOutput is its answer.
type GetInstanceOutput struct{ Instance *InstanceOut }

// InstanceOut is an instance as GetInstance and ListInstances show it.
type InstanceOut struct {
	Id         *string
	Attributes map[string]string
}

// ListInstancesInput is the request of ListInstances.
type ListInstancesInput struct {
	ServiceId  *string
	MaxResults *int32
	NextToken  *string
}

// ListInstancesOutput is its answer.
type ListInstancesOutput struct {
	Instances []InstanceOut
	NextToken *string
}

// DiscoverInstancesInput is the request of DiscoverInstances. QueryParameters and the like are not known here.
type DiscoverInstancesInput struct {
	NamespaceName, ServiceName *string
	MaxResults                 *int32
	HealthStatus               *string
}

// DiscoverInstancesOutput is its answer.
type DiscoverInstancesOutput struct {
	Instances         []HTTPInstanceOut
	InstancesRevision int64
}

// HTTPInstanceOut is an instance as DiscoverInstances shows it.
type HTTPInstanceOut struct {
	InstanceId, NamespaceName, ServiceName, HealthStatus *string
	Attributes                                           map[string]string
}

// GetServiceInput is the request of GetService.
type GetServiceInput struct{ Id *string }

// GetServiceOutput is its answer.
type GetServiceOutput struct{ Service *ServiceOut }

// ServiceOut is a service as GetService shows it.
type ServiceOut struct {
	Id, Arn, Name, Type *string
	InstanceCount       int32
	DnsConfig           *DNSConfigOut
	CreateDate          *time.Time
}

// DNSConfigOut are the DNS records of a service.
type DNSConfigOut struct {
	RoutingPolicy *string
	DnsRecords    []DNSRecordOut
}

// DNSRecordOut is one of them.
type DNSRecordOut struct {
	Type *string
	TTL  int64 // seconds
}

// GetOperationInput is the request of GetOperation.
type GetOperationInput struct{ OperationId *string }

// GetOperationOutput is its answer.
type GetOperationOutput struct{ Operation *OperationOut }

// OperationOut is what became of what somebody asked for.
type OperationOut struct{ Id, Type, Status *string }
