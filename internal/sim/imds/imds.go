// Package imds is the Instance Metadata Service of the instances of a simulated cloud, version 2: what processes on an instance can ask
// about it. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
//
// It reads the world's record and never changes the world, but for its own tokens. It never listens: who does hands it requests.
package imds

import (
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// IMDS answers for all instances of a world.
type IMDS struct {
	*core.Core
	instances Instances
	groups    Groups
	read      int                 // entries of the record that are taken in
	notices   map[string]*notices // by instance id
	tokens    map[string]token
	given     int              // tokens so far
	faults    map[string]Fault // by instance id; empty id: of all others
}

// Instances are the instances that there are.
type Instances interface {
	Find(id string) *core.Instance // nil: there is none
}

// Groups say in which state of its lifecycle an instance is; empty: it is in no Auto Scaling group.
type Groups interface {
	LifecycleState(instance string) string
}

// New makes the service.
func New(c *core.Core, instances Instances, groups Groups) *IMDS {
	return &IMDS{
		Core: c, instances: instances, groups: groups, notices: map[string]*notices{}, tokens: map[string]token{}, faults: map[string]Fault{},
	}
}

// Fault is what the service does instead of answering.
type Fault string

// The faults. AWS limits how often an instance may ask, and says so with 429 or 503.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
const (
	NoFault     Fault = ""
	Throttled   Fault = "429"
	Unavailable Fault = "503"
	Away        Fault = "away" // it does not answer at all
)

// SetMetadataFault lets the service of an instance (empty: of all that have no fault of their own) fail from now on.
func (w *IMDS) SetMetadataFault(instance string, f Fault) error {
	switch f {
	case NoFault, Throttled, Unavailable, Away:
		w.faults[instance] = f
		return nil
	}
	return core.Refuse("ValidationError", "The fault %q is not known: it must be 429, 503, away, or empty.", f)
}

// Ask is a request that a process on an instance makes.
type Ask struct {
	Method, Path, Token string
	TTL                 string // of a token that is asked for, in seconds
	Forwarded           bool   // it came through a proxy
}

// Answer is the answer to it. Status 0: there is none, and the connection breaks.
type Answer struct {
	Status int
	Body   string
	TTL    string // of the token
}

// The statuses of answers.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
const (
	ok          = 200
	badRequest  = 400 // of a token without how long it is to hold
	noToken     = 401 // none, or one that no longer holds
	proxied     = 403 // a token is asked for through a proxy
	noItem      = 404
	wrongMethod = 405
	tooMany     = 429
	unavailable = 503
)

// token is a token and how long it holds.
type token struct {
	instance string
	until    time.Time
}

// longest is how long a token may hold, in seconds.
const longest = 21600

// Metadata answers a process on an instance.
func (w *IMDS) Metadata(instance string, ask Ask) Answer {
	h := w.instances.Find(instance)
	fault, own := w.faults[instance]
	if !own {
		fault = w.faults[""]
	}
	path := strings.TrimPrefix(ask.Path, "/")
	switch {
	case h == nil || !h.Alive() || fault == Away:
		return Answer{}
	case fault == Throttled:
		return Answer{Status: tooMany}
	case fault == Unavailable:
		return Answer{Status: unavailable}
	case path == "latest/api/token":
		return w.newToken(instance, ask)
	case ask.Method != "GET":
		return Answer{Status: wrongMethod}
	case w.tokens[ask.Token].instance != instance || !w.Now().Before(w.tokens[ask.Token].until):
		return Answer{Status: noToken}
	}
	w.takeIn()
	body, there := w.value(h, path)
	if !there {
		return Answer{Status: noItem}
	}
	return Answer{Status: ok, Body: body}
}

// newToken gives out a token. A request that came through a proxy gets none.
func (w *IMDS) newToken(instance string, ask Ask) Answer {
	if ask.Method != "PUT" {
		return Answer{Status: wrongMethod}
	}
	if ask.Forwarded {
		return Answer{Status: proxied}
	}
	ttl, err := strconv.Atoi(ask.TTL)
	if err != nil || ttl < 1 || ttl > longest {
		return Answer{Status: badRequest}
	}
	for name, t := range w.tokens { //ebb:any-order those that are over go
		if !w.Now().Before(t.until) {
			delete(w.tokens, name)
		}
	}
	w.given++
	name := "imds-" + instance + "-" + strconv.Itoa(w.given)
	w.tokens[name] = token{instance, w.Now().Add(time.Duration(ttl) * time.Second)}
	return Answer{Status: ok, Body: name, TTL: ask.TTL}
}
