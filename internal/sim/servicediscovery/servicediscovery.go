// Package servicediscovery is AWS Cloud Map in a simulated cloud: services with instances, and the time for which clients keep what DNS
// told them.
//
// It never answers DNS, and knows neither health checks nor namespaces beyond their names.
package servicediscovery

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// ServiceDiscovery are the services of Cloud Map of a world.
type ServiceDiscovery struct {
	*core.Core
	services   []*Service
	operations map[string]string // PENDING or SUCCESS, by the id of an operation that somebody began
}

// Service is a service of Cloud Map, by which clients find instances.
type Service struct {
	ID, ARN, Name, Namespace string
	TTL                      time.Duration // of its DNS records
	SRV                      bool          // they tell the port too
	Instances                []Instance
	left                     []Instance // a short while ago
}

// Instance is one place that a service names.
type Instance struct {
	ID         string // with ECS: that of the task
	IP         string
	Port       int // 0: its records tell none
	Attributes map[string]string
	About      core.Entry // whose it is
	Since      time.Time  // registered; of one that has left: deregistered
	leaving    bool       // an operation that takes it out is pending
}

// New makes Cloud Map without services.
func New(c *core.Core) *ServiceDiscovery {
	return &ServiceDiscovery{Core: c, operations: map[string]string{}}
}

// AddRegistry makes a service of Cloud Map and returns its ARN.
func (w *ServiceDiscovery) AddRegistry(spec Service) string {
	s := spec
	s.Instances = nil
	s.ID = "srv-" + w.Hex(16)
	s.ARN = w.ARN("servicediscovery", "service/"+s.ID)
	if s.TTL == 0 {
		s.TTL = time.Minute
	}
	w.services = append(w.services, &s)
	return s.ARN
}

// Registry copies a service of Cloud Map, with the instances of which clients may still know although they have left; false: there is none.
func (w *ServiceDiscovery) Registry(arn string) (s Service, left []Instance, ok bool) {
	found := w.find(arn)
	if found == nil {
		return Service{}, nil, false
	}
	s = *found
	s.Instances = slices.Clone(found.Instances)
	return s, slices.Clone(found.left), true
}

// find is the service of an id or ARN, or nil.
func (w *ServiceDiscovery) find(id string) *Service {
	for _, s := range w.services {
		if s.ID == id || s.ARN == id {
			return s
		}
	}
	return nil
}

// RegisterTask makes a task an instance of a service, if there is that service.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-discovery.html
func (w *ServiceDiscovery) RegisterTask(arn string, about core.Entry, ip string, port int, attributes map[string]string) {
	s := w.find(arn)
	if s == nil {
		return
	}
	w.Changing()
	i := Instance{ID: core.LastPart(about.Task), IP: ip, Port: port, About: about, Since: w.Now(), Attributes: attributes}
	s.Instances = append(s.Instances, i)
	w.log(s, i, "", "registered")
}

// DeregisterTask takes a task out of a service, if it is there.
func (w *ServiceDiscovery) DeregisterTask(arn, task string) {
	if s := w.find(arn); s != nil {
		w.leave(s, core.LastPart(task))
	}
}

// leave takes an instance out; false: there is none of that id. Clients keep what they know of it until the TTL of its records is over.
func (w *ServiceDiscovery) leave(s *Service, id string) bool {
	at := slices.IndexFunc(s.Instances, func(i Instance) bool { return i.ID == id })
	if at < 0 {
		return false
	}
	w.Changing()
	i := s.Instances[at]
	s.Instances = slices.Delete(s.Instances, at, at+1)
	i.Since = w.Now()
	s.left = slices.DeleteFunc(s.left, func(x Instance) bool { return w.Now().Sub(x.Since) > core.KeepTrail+s.TTL })
	s.left = append(s.left, i)
	w.log(s, i, "registered", "deregistered")
	return true
}

func (w *ServiceDiscovery) log(s *Service, i Instance, from, to string) {
	e := i.About
	e.Kind, e.TargetGroup, e.Target, e.From, e.To = core.EntryRegistry, s.Name, i.ID, from, to
	w.Log(e)
}
