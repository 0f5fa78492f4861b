package wire

import (
	"maps"
	"net/http"
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
	if len(policies) == 0 || req.Service == "sts" && req.Operation == "GetCallerIdentity" {
		return nil // STS answers this one even to who is denied it: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
	}
	action := actionOf(req.Service, req.Operation)
	for _, r := range a.resourcesOf(req) {
		by, effect := decide(policies, action, r)
		a.checks[Check{
			Caller: req.Caller, Action: action, Kind: r.kind, Cluster: r.keys[clusterKey], Resource: r.pattern(), Allowed: effect == allow, Statement: by,
		}]++
		if effect != allow {
			return denied(req.Service, action, a.userARN(req.Caller), r, effect == deny)
		}
	}
	return nil
}

// actionOf is the action that IAM knows an operation by. The batches of SQS have none of their own.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html
func actionOf(service, operation string) string {
	if service == "sqs" {
		operation = strings.TrimSuffix(operation, "Batch")
	}
	return service + ":" + operation
}

// decide finds the statement that decides, and its effect; none is the empty effect.
func decide(policies []*Policy, action string, r resource) (by string, effect string) {
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

// userARN is who a caller is: an IAM user with the name of its access key.
func (a *API) userARN(caller string) string { return "arn:aws:iam::" + a.Account + ":user/" + caller }

// denied is the refusal in the words of the service. SQS writes the action in small letters, SNS its own name in large ones, and EC2 begins with
// a sentence of its own. Query services name a resource only where IAM knows one.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func denied(service, action, user string, r resource, explicit bool) error {
	e := &core.Error{Code: "AccessDenied", Status: http.StatusForbidden}
	begin, where := "", " on resource: "+r.arn
	switch service {
	case "ecs", "events":
		e.Code, e.Status = "AccessDeniedException", http.StatusBadRequest
	case "sqs":
		e.Code, action = "AccessDeniedException", strings.ToLower(action) // in JSON; see queryCodes
	case "sns":
		e.Code, action = "AuthorizationError", "SNS"+strings.TrimPrefix(action, "sns")
	case "ec2":
		e.Code, begin = "UnauthorizedOperation", "You are not authorized to perform this operation. "
	}
	if r.arn == "*" && service != "ecs" && service != "events" {
		where = ""
	}
	why := " because no identity-based policy allows the " + action + " action"
	if explicit {
		why = " with an explicit deny in an identity-based policy"
	}
	e.Message = begin + "User: " + user + " is not authorized to perform: " + action + where + why
	return e
}
