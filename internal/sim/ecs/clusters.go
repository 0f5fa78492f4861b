package ecs

import (
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// cluster is an ECS cluster at work.
type cluster struct {
	Cluster
	instances []*containerInstance // not INACTIVE, in order of registration
	inactive  []*containerInstance
	services  []*service // as they are described
	scheduled []*service // that have tasks of their own: services without task sets, and task sets
	tasks     []*task    // in order of creation
}

// AddCluster makes a cluster, or returns the one of that name, as a copy.
func (w *ECS) AddCluster(name string) *Cluster {
	c := w.cluster[name]
	if c == nil {
		c = &cluster{Cluster: Cluster{Name: name, ARN: w.ARN("ecs", "cluster/"+name)}}
		w.clusters = append(w.clusters, c)
		w.cluster[name] = c
	}
	copied := c.Cluster
	return &copied
}

// EnsureCluster makes a cluster if there is none of that name.
func (w *ECS) EnsureCluster(name string) { w.AddCluster(name) }

// SetDefaultStrategy sets the capacity provider strategy of those that name neither a launch type nor a strategy.
func (w *ECS) SetDefaultStrategy(cluster string, strategy []StrategyItem) {
	w.cluster[cluster].DefaultStrategy = strategy
}

// findCluster returns the cluster of a short name or ARN; empty is "default".
func (w *ECS) findCluster(id string) (*cluster, error) {
	if id == "" {
		id = "default"
	}
	if c := w.cluster[core.LastPart(id)]; c != nil && (id == c.Name || id == c.ARN) {
		return c, nil
	}
	return nil, core.Refuse("ClusterNotFoundException", "Cluster not found.")
}

// ListClusters answers with all cluster ARNs.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListClusters.html
func (w *ECS) ListClusters() []string {
	arns := make([]string, len(w.clusters))
	for i, c := range w.clusters {
		arns[i] = c.ARN
	}
	return arns
}

// DescribeClusters answers for short names or ARNs; none means "default".
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html
func (w *ECS) DescribeClusters(ids []string) ([]Cluster, []Failure) {
	if len(ids) == 0 {
		ids = []string{"default"}
	}
	var found []Cluster
	var failures []Failure
	for _, id := range ids {
		if c, err := w.findCluster(id); err == nil {
			seen := c.Cluster
			seen.Providers, seen.DefaultStrategy = slices.Clone(c.Providers), slices.Clone(c.DefaultStrategy)
			found = append(found, seen)
			continue
		}
		failures = append(failures, Failure{ARN: w.fullARN(id, "cluster/"), Reason: "MISSING"})
	}
	return found, failures
}

// fullARN completes a short id of ECS to an ARN.
func (w *ECS) fullARN(id, prefix string) string {
	if strings.HasPrefix(id, "arn:") {
		return id
	}
	return w.ARN("ecs", prefix+id)
}
