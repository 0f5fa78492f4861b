package loopback

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/imds"
)

// metadata are the metadata services of instances. Each has a port of its own, for clients may be given an address and no path.
type metadata struct {
	mu      sync.Mutex // guards the rest
	servers map[string]*http.Server
	urls    map[string]string
	closed  bool
}

// Metadata is the URL of the metadata service of an instance, for AWS_EC2_METADATA_SERVICE_ENDPOINT. It listens from the first time on.
func (c *Cloud) Metadata(instance string) (string, error) {
	m := &c.metadata
	m.mu.Lock()
	defer m.mu.Unlock()
	if url := m.urls[instance]; url != "" {
		return url, nil
	}
	known := false
	c.Read(func(w *sim.World) { known = w.EC2.Find(instance) != nil })
	if !known || m.closed {
		return "", fmt.Errorf("there is no instance %q", instance)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen for the metadata service of %s: %w", instance, err)
	}
	if m.urls == nil {
		m.urls, m.servers = map[string]string{}, map[string]*http.Server{}
	}
	s := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.tellMetadata(w, r, instance) }),
		ReadHeaderTimeout: 10 * time.Second, ErrorLog: c.server.ErrorLog,
	}
	m.servers[instance], m.urls[instance] = s, Endpoint(l)
	c.ended.Go(func() { _ = s.Serve(l) }) // ends with ErrServerClosed
	return Endpoint(l), nil
}

func (m *metadata) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for _, s := range m.servers { //ebb:any-order each is closed
		_ = s.Close()
	}
}

// tellMetadata answers a process on an instance.
func (c *Cloud) tellMetadata(w http.ResponseWriter, r *http.Request, instance string) {
	const ttl, name = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "X-Aws-Ec2-Metadata-Token"
	var a imds.Answer
	var page string // of the ECS agent, which is asked here too
	c.Read(func(world *sim.World) {
		if page = world.Introspect(instance, r.URL.Path); page != "" {
			return
		}
		a = world.Metadata(instance, imds.Ask{
			Method: r.Method, Path: r.URL.Path, Token: r.Header.Get(name), TTL: r.Header.Get(ttl), Forwarded: r.Header.Get("X-Forwarded-For") != "",
		})
	})
	if page != "" {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, page) // a client that is gone needs no answer
		return
	}
	if a.Status == 0 {
		panic(http.ErrAbortHandler) // the connection breaks
	}
	w.Header().Set("Content-Type", "text/plain")
	if a.TTL != "" {
		w.Header().Set(ttl, a.TTL)
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body) // a client that is gone needs no answer
}

// handler serves the world's API and a page about metadata services: GET /_sim/imds?instance=ID says where that of an instance is,
// POST /_sim/imds?fault=429 (or 503, away, or empty) lets it fail, or with no instance all of them.
func (c *Cloud) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", c.API.Handler())
	mux.HandleFunc("GET /_sim/imds", func(w http.ResponseWriter, r *http.Request) {
		url, err := c.Metadata(r.URL.Query().Get("instance"))
		if err != nil {
			http.Error(w, err.Error()+": write it like /_sim/imds?instance=i-0123456789abcdef0", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"endpoint": url}) // a client that is gone needs no answer
	})
	mux.HandleFunc("POST /_sim/imds", func(w http.ResponseWriter, r *http.Request) {
		var err error
		c.Read(func(world *sim.World) {
			err = world.SetMetadataFault(r.FormValue("instance"), imds.Fault(r.FormValue("fault")))
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	return mux
}
