package traffic

import (
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// fixed are routes that a test changes.
type fixed map[string]Route

func (f fixed) Route(name string) Route { return f[name] }

// TestTwoRoutes: of two target groups of a blue/green deployment the one with healthy targets is used, and the other one once it alone has
// some; a group with none anywhere gives no target.
func TestTwoRoutes(t *testing.T) {
	c := core.New(core.Config{})
	starting := Endpoint{ID: "new", Registered: true}
	old := Endpoint{ID: "old", Registered: true, Healthy: true, Up: true}
	routes := fixed{"blue": {Endpoints: []Endpoint{old}}, "green": {Endpoints: []Endpoint{starting}}}
	w := New(c, routes)
	w.AddClients(Clients{Service: "web", Routes: []string{"blue", "green"}, Rate: 10, Connection: time.Second})
	pass := func(d time.Duration) Counts {
		c.Advance(c.Now().Add(d))
		return w.TrafficCounts()[0]
	}
	if got := pass(10 * time.Second); got.Requests != 100 || got.Failed() != 0 {
		t.Errorf("%+v, want all on the old one", got)
	}
	c.Changing()
	starting.Healthy, starting.Up, old.Healthy, old.Registered = true, true, false, false
	routes["blue"], routes["green"] = Route{Endpoints: []Endpoint{old}}, Route{Endpoints: []Endpoint{starting}}
	if got := pass(10 * time.Second); got.Requests != 200 || got.Failed() != 0 {
		t.Errorf("%+v, want all on the new one", got)
	}
	c.Changing()
	routes["green"] = Route{}
	if got := pass(time.Second); got.NoTarget != 10 || !got.First.Equal(c.Now().Add(-time.Second)) || !got.Last.Equal(c.Now()) {
		t.Errorf("%+v, want no target for a second", got)
	}
	c.Changing()
	old.Registered = true
	routes["blue"] = Route{Endpoints: []Endpoint{old}}
	if got := pass(time.Second); got.NoTarget != 10 || got.NotServing != 0 {
		t.Errorf("%+v, want the unhealthy target to be sent requests when there is no healthy one", got)
	}
}

// TestTimesThatAreKnown: what an endpoint says will happen is counted to the moment, without anything that happens in the world.
func TestTimesThatAreKnown(t *testing.T) {
	c := core.New(core.Config{})
	at := func(s int) time.Time { return c.Start().Add(time.Duration(s) * time.Second) }
	routes := fixed{"tg": {Endpoints: []Endpoint{{ID: "a", Up: true, RoutedUntil: at(100), Serves: at(40), Ends: at(45)}}}}
	w := New(c, routes)
	w.AddClients(Clients{Service: "web", Routes: []string{"tg"}, Rate: 10, Connection: 20 * time.Second})
	c.Advance(at(200))
	got := w.TrafficCounts()[0]
	want := Counts{Service: "web", Requests: 2000, NotServing: 600, NoTarget: 1000, Died: 150, First: at(40), Last: at(200)}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestClosedOnce: connections that the load balancer closes are counted once, and those that come after that stay.
func TestClosedOnce(t *testing.T) {
	c := core.New(core.Config{})
	at := func(s int) time.Time { return c.Start().Add(time.Duration(s) * time.Second) }
	e := Endpoint{ID: "a", Up: true, Healthy: true}
	routes := fixed{"tg": {Endpoints: []Endpoint{e}}}
	w := New(c, routes)
	w.AddClients(Clients{Service: "web", Routes: []string{"tg"}, Rate: 10, Connection: time.Minute})
	c.Advance(at(30))
	c.Changing()
	e.Closed = at(30)
	routes["tg"] = Route{Endpoints: []Endpoint{e}}
	for s := 40; s <= 60; s += 10 {
		c.Advance(at(s))
		if got := w.TrafficCounts()[0]; got.Cut != 300 || got.Died != 0 {
			t.Errorf("after %d s: %+v, want 300 closed", s, got)
		}
	}
	c.Changing()
	e.Up = false
	routes["tg"] = Route{Endpoints: []Endpoint{e}}
	c.Advance(at(61))
	if got := w.TrafficCounts()[0]; got.Cut != 300 || got.Died != 300 || got.NotServing != 10 {
		t.Errorf("%+v, want 300 more when the process ends", got)
	}
}
