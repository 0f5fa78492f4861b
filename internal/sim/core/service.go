package core

import "strings"

// Service is one service of the simulated cloud, as the wire serves it.
type Service struct {
	Name       string // as in IAM's actions: ecs
	Scope      string // in the scopes of signatures; empty: the name
	Protocol   Protocol
	Errors     Errors
	Limits     map[string]Limit              // token buckets by the names in the rows; one that is not in it is not limited
	Action     func(operation string) string // the action that IAM knows an operation by; nil: its name
	Operations []Operation
}

// Protocol says how a service spells requests and answers.
type Protocol struct {
	JSON      string // version of awsJson; empty: it does not speak it
	Small     bool   // members in JSON begin with a small letter
	Prefix    string // before the names of errors in JSON
	Namespace string // of awsQuery; empty: it does not speak it
	Flat      bool   // lists in awsQuery have no level of their own
	EC2       bool   // ec2Query
	REST      bool   // restJson1: its operations have paths
	CBOR      bool   // it speaks Smithy's RPC v2 with CBOR too
	Names     Names
}

// Names are the members that are not spelled as in the SDK, by type and field.
type Names struct {
	Members map[string]string // Type.Field to the name in awsJson and awsQuery
	Flat    map[string]string // Type.Field to the name in awsQuery with flat lists
	Plural  map[string]string // the name in ec2Query to the field
	Items   map[string]string // type of an item to the name of its element in a list; all others are member
}

// Errors are the answers by which a service refuses calls.
type Errors struct {
	Throttled  Error
	Internal   Error
	StaleToken Error
	Missing    func(member string) error
	Invalid    string // code of the refusal of what AWS's model of the API does not allow; empty: ValidationException, or ValidationError without JSON
	Own        bool   // the service has words of its own for what the model does not allow: its operations check their requests themselves
	Denied     Denial
	Query      map[string]string                // the code in awsQuery of errors with another name in JSON
	Typed      func(code, message string) error // the SDK's own type of an error, or nil; nil: it has none
}

// Refusals are the errors as most services spell them.
func Refusals(missing func(member string) error, denied Denial) Errors {
	return Errors{
		Throttled:  Error{Code: "Throttling", Message: "Rate exceeded", Status: 400},
		Internal:   Error{Code: "InternalFailure", Message: "We encountered an internal error. Please try again.", Status: 500},
		StaleToken: Error{Code: "InvalidNextToken", Message: "The token is invalid.", Status: 400},
		Missing:    missing,
		Denied:     denied,
	}
}

// Null is the refusal of a member that is missing, as most services spell it.
func Null(code, member string) error {
	first := strings.ToLower(member[:1]) + member[1:]
	return Refuse(code, "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", first)
}

// Broken is the refusal of members that break constraints, as most services spell it.
func (s Service) Broken(constraints []string) error {
	code := s.Errors.Invalid
	switch {
	case code != "":
	case s.Protocol.JSON != "" || s.Protocol.REST:
		code = "ValidationException"
	default:
		code = "ValidationError"
	}
	if len(constraints) == 1 {
		return Refuse(code, "1 validation error detected: %s", constraints[0])
	}
	return Refuse(code, "%d validation errors detected: %s", len(constraints), strings.Join(constraints, "; "))
}

// Denial is how a service says that IAM does not allow a call.
type Denial struct {
	Code   string
	Status int
	Begin  string                     // before the sentence
	Action func(action string) string // spells the action; nil: as policies do
	Star   bool                       // names the resource even if it is *
}

// Limit is a token bucket in world time.
type Limit struct {
	Burst     float64
	PerSecond float64
}

// RESTAnswer is the answer of an operation of the protocol restJson1.
type RESTAnswer struct {
	Status int
	Header map[string]string
	Body   any                     // []byte is sent as it is, nil not at all, and all else as JSON
	Later  func(func(*RESTAnswer)) // nil: this is the answer; else it calls back with the answer as soon as there is one
}
