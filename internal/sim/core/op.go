package core

import "time"

// Member is a member of a request that must be there, by its name in AWS's API.
type Member struct {
	Name  string
	Value any // nil, an empty string and an empty list are missing
}

// Members are pairs of a name and a value.
func Members(pairs ...any) []Member {
	all := make([]Member, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		all = append(all, Member{Name: pairs[i].(string), Value: pairs[i+1]})
	}
	return all
}

// Resource is what IAM checks an action against: an ARN, or * for an action that AWS knows no resource of.
type Resource struct {
	Kind    string // in the words of the Service Authorization Reference; "*": AWS knows none
	ARN     string
	Pattern string            // the ARN with a * for what only names one of many; empty: the ARN
	Keys    map[string]string // condition keys of the call, by their names in small letters
}

// NoNeeds is the column of an operation that needs no member.
func NoNeeds[In any](*In) []Member { return nil }

// NoResource is the column of an operation whose resource AWS does not check.
func NoResource[In any](*In) []Resource { return []Resource{{Kind: "*", ARN: "*"}} }

// Unchecked is the column of an operation that IAM is not asked about.
func Unchecked[In any](*In) []Resource { return nil }

// NoSubject is the column of an operation that is about nothing in particular.
func NoSubject[In any](*In) Entry { return Entry{} }

// NotPaged is the column of an operation whose answer is one page.
func NotPaged[In any](*In) *string { return nil }

// NoBatch is the column of an operation that succeeds or fails as a whole.
func NoBatch[In, Out any](*In, *Out) (*[]string, func(item, reason, detail string)) { return nil, nil }

// Call is what an operation knows of who asks, and how.
type Call struct {
	Caller   string
	Endpoint string // scheme and host that a client over HTTP has reached, for the URLs in answers; empty: it calls directly
	PageSize int    // most items on a page; 0: AWS's own maximum
	Lagging  bool   // it reads the world as it was some time ago
}

// Operation is one row of the table of a service: all that the wire has to know of an operation. NewOperation fills it. Requests and answers are
// pointers to the types that its function takes and returns.
type Operation struct {
	Name   string
	Bucket string // of calls that are limited together
	Run    func(c *Call, in any) (out any, err error)
	Input  func() any // a new request
	Output func() any // a new answer
	Copy   func(in any) any

	Needs    func(in any) []Member
	Resource func(in any) []Resource
	Subject  func(in any) Entry
	Token    func(in any) string
	Batch    func(in, out any) (items *[]string, fail func(item, reason, detail string))

	// Poll is how long a call over HTTP goes on looking, in the time of the world, when the answer is the one given; 0: it does not. Nil: it
	// never waits.
	Poll func(in, out any) time.Duration

	Paths []string // method and path, of operations of the protocol restJson1 only
	Empty []string // columns that are not filled, which is a mistake
}

// NewOperation makes a row. Every column must be filled; where there is nothing to say, one of the functions above says so.
//
// Needs are the members that a request must have, Resource is what IAM checks a call against, Subject what the record says that a call was
// about, Token that of the page that a request asks for, and Batch the list of a call whose items can fail one by one.
func NewOperation[In, Out any](
	name string,
	run func(*Call, *In) (*Out, error),
	bucket string,
	needs func(*In) []Member,
	resource func(*In) []Resource,
	subject func(*In) Entry,
	token func(*In) *string,
	batch func(*In, *Out) (*[]string, func(item, reason, detail string)),
) Operation {
	return Operation{
		Name: name, Bucket: bucket,
		Empty:  empty(name == "", run == nil, bucket == "", needs == nil, resource == nil, subject == nil, token == nil, batch == nil),
		Input:  func() any { return new(In) },
		Output: func() any { return new(Out) },
		Copy:   func(in any) any { c := *in.(*In); return &c },
		Run: func(c *Call, in any) (any, error) {
			out, err := run(c, in.(*In))
			if err != nil {
				return nil, err
			}
			return out, nil
		},
		Needs:    func(in any) []Member { return needs(in.(*In)) },
		Resource: func(in any) []Resource { return resource(in.(*In)) },
		Subject:  func(in any) Entry { return subject(in.(*In)) },
		Token:    func(in any) string { return Deref(token(in.(*In))) },
		Batch: func(in, out any) (*[]string, func(item, reason, detail string)) {
			return batch(in.(*In), out.(*Out))
		},
	}
}

// empty names the columns that are not filled.
func empty(is ...bool) []string {
	var names []string
	for i, name := range []string{"name", "run", "bucket", "needs", "resource", "subject", "token", "batch"} {
		if is[i] {
			names = append(names, name)
		}
	}
	return names
}

// Polling is an operation that waits, for as long as poll says of an answer.
func Polling[In, Out any](o Operation, poll func(*In, *Out) time.Duration) Operation {
	o.Poll = func(in, out any) time.Duration { return poll(in.(*In), out.(*Out)) }
	return o
}

// At is an operation of the protocol restJson1, with its methods and paths.
func (o Operation) At(paths ...string) Operation {
	o.Paths = paths
	return o
}
