package wire

import (
	"maps"
	"strings"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// Check is what came of calls that a policy was asked about: one action on resources of one kind and place.
type Check struct {
	Caller    string
	Action    string // as policies spell it: sqs:DeleteMessage, whether one message or a batch
	Kind      string // of resource, in the words of the Service Authorization Reference; "*": AWS knows none
	Cluster   string // ARN in the condition key ecs:cluster; empty: the call has none
	Resource  string // what was asked for, with a * for what only names one host, task or the like
	Allowed   bool
	Statement string // Sid of the statement that decided, or its number from 1; empty: none allowed it
}

// Attach gives a caller an IAM policy, besides those it has. A caller without any may do everything.
func (a *API) Attach(caller string, p *Policy) {
	defer a.lock()()
	a.policies[caller] = append(a.policies[caller], p)
}

// Checks returns how often each check was made since the API was made, of callers with a policy.
func (a *API) Checks() map[Check]int {
	defer a.lock()()
	return maps.Clone(a.checks)
}

// authorize asks the caller's policies about a call, as IAM does: a Deny wins, and what no statement allows is refused. Of several
// resources each must be allowed.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func (a *API) authorize(req Request) error {
	policies := a.policies[req.Caller]
	if len(policies) == 0 {
		return nil
	}
	action := req.Service + ":" + req.Operation
	if as := req.row.of.Action; as != nil {
		action = req.Service + ":" + as(req.Operation)
	}
	for _, r := range req.row.Resource(req.Input) {
		by, effect := decide(policies, action, r)
		a.checks[Check{
			Caller: req.Caller, Action: action, Kind: r.Kind, Cluster: r.Keys[clusterKey], Resource: or(r.Pattern, r.ARN), Allowed: effect == allow, Statement: by,
		}]++
		if effect != allow {
			return denied(req.row.of.Errors.Denied, action, a.World.UserARN(req.Caller), r, effect == deny)
		}
	}
	return nil
}

// decide finds the statement that decides, and its effect; none is the empty effect.
func decide(policies []*Policy, action string, r core.Resource) (by string, effect string) {
	action = strings.ToLower(action)
	for _, p := range policies {
		for _, s := range p.statements {
			if !s.matches(action, r) {
				continue
			}
			if s.effect == deny {
				return s.name, deny
			}
			if effect == "" {
				by, effect = s.name, allow
			}
		}
	}
	return by, effect
}

// denied is the refusal in the words of the service.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func denied(d core.Denial, action, user string, r core.Resource, explicit bool) error {
	if d.Action != nil {
		action = d.Action(action)
	}
	where := " on resource: " + r.ARN
	if r.ARN == "*" && !d.Star {
		where = ""
	}
	why := " because no identity-based policy allows the " + action + " action"
	if explicit {
		why = " with an explicit deny in an identity-based policy"
	}
	return &core.Error{Code: d.Code, Status: d.Status, Message: d.Begin + "User: " + user + " is not authorized to perform: " + action + where + why}
}
