package ecs

import (
	"fmt"
	"maps"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// cluster is a cluster by name or ARN. AWS does not give the key ecs:cluster to calls on the cluster itself.
func (s api) clusterResource(id string) core.Resource {
	if id == "" {
		id = "default"
	}
	return core.Resource{Kind: "cluster", ARN: s.orARN(id, "cluster/")}
}

func (s api) clusterKeys(cluster string) map[string]string {
	return map[string]string{"ecs:cluster": s.clusterResource(cluster).ARN}
}

// inCluster are things of a cluster, or with the kind * the cluster's condition key alone.
func (s api) inCluster(cluster *string, kind string, ids ...string) []core.Resource {
	keys := s.clusterKeys(core.Deref(cluster))
	if kind == "*" {
		return []core.Resource{{Kind: kind, ARN: "*", Keys: keys}}
	}
	arn := s.clusterResource(core.Deref(cluster)).ARN
	name := arn[strings.LastIndexByte(arn, '/')+1:]
	return core.Mapped(ids, func(id string) core.Resource {
		r := core.Resource{Kind: kind, ARN: s.orARN(id, kind+"/"+name+"/"), Keys: keys}
		if kind != "service" {
			r.Pattern = r.ARN[:strings.LastIndexByte(r.ARN, '/')+1] + "*"
		}
		return r
	})
}

// stopped is a task that is to be stopped, with its tags: of the calls about tasks only this one is limited by them here.
func (s api) stopped(in *ecs.StopTaskInput) []core.Resource {
	all := s.inCluster(in.Cluster, "task", core.Deref(in.Task))
	if c, err := s.findCluster(core.Deref(in.Cluster)); err == nil {
		if t := s.findTask(c, core.Deref(in.Task)); t != nil {
			all[0].Keys = maps.Clone(all[0].Keys)
			for k, v := range t.Tags { //ebb:any-order each is a key of its own
				all[0].Keys["aws:resourcetag/"+strings.ToLower(k)] = v
			}
		}
	}
	return all
}

// tagged is what is to be tagged: a task, or something that the simulated cloud gives no tags.
func (s api) tagged(arn string) core.Resource {
	arn = s.orARN(arn, "task/")
	return core.Resource{Kind: "task", ARN: arn, Pattern: arn[:strings.LastIndexByte(arn, '/')+1] + "*"}
}

// setResources are task sets of a service; a call without their names is about all of them.
func (s api) setResources(in *ecs.DescribeTaskSetsInput) []core.Resource {
	cluster, service := s.clusterResource(core.Deref(in.Cluster)).ARN, core.LastPart(core.Deref(in.Service))
	before := "task-set/" + core.LastPart(cluster) + "/" + service + "/"
	ids := in.TaskSets
	if len(ids) == 0 {
		ids = []string{"*"}
	}
	return core.Mapped(ids, func(id string) core.Resource {
		return core.Resource{Kind: "task-set", ARN: s.orARN(id, before), Pattern: s.ARN("ecs", before+"*"), Keys: s.clusterKeys(cluster)}
	})
}

// revisionResources are service revisions, which are named by their ARNs. Without the key ecs:cluster: the ARN has the name of the cluster.
func (s api) revisionResources(arns []string) []core.Resource {
	return core.Mapped(arns, func(id string) core.Resource {
		arn := s.orARN(id, "service-revision/")
		return core.Resource{Kind: "service-revision", ARN: arn, Pattern: arn[:strings.LastIndexByte(arn, '/')+1] + "*"}
	})
}

// orARN is an ECS resource by id or ARN.
func (s api) orARN(id, before string) string {
	if strings.HasPrefix(id, "arn:") {
		return id
	}
	return s.ARN("ecs", before+id)
}

// definitionResource is a task definition that runs in a cluster.
func (s api) definitionResource(id, cluster *string) []core.Resource {
	arn := s.definition(core.Deref(id))
	return []core.Resource{{
		Kind: "task-definition", ARN: arn, Pattern: arn[:strings.LastIndexByte(arn, ':')+1] + "*", Keys: s.clusterKeys(core.Deref(cluster)),
	}}
}

// definition is a task definition by ARN, family and revision, or family, which means its newest revision.
func (s api) definition(id string) string {
	if d, err := s.DescribeTaskDefinition(id); err == nil {
		return s.ARN("ecs", fmt.Sprintf("task-definition/%s:%d", d.Family, d.Revision))
	}
	return s.orARN(id, "task-definition/")
}

// providers are capacity providers; a call without a name is about all of them, which AWS does not say how it checks.
func (s api) providerResources(names []string) []core.Resource {
	if len(names) == 0 {
		names = []string{"*"}
	}
	return core.Mapped(names, func(n string) core.Resource {
		return core.Resource{Kind: "capacity-provider", ARN: s.orARN(n, "capacity-provider/")}
	})
}
