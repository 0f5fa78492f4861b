package ssm

import (
	"strings"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// api are the operations of the service.
type api struct{ *SSM }

// Service is Systems Manager as the wire serves it.
func (w *SSM) Service() core.Service {
	return core.Service{Name: "ssm", Protocol: core.Protocol{JSON: "1.1"}, Errors: refusals(), Operations: api{w}.operations()}
}

func refusals() core.Errors {
	return core.Errors{
		Throttled:  core.Error{Code: "ThrottlingException", Message: "Rate exceeded", Status: 400},
		Internal:   core.Error{Code: "InternalServerError", Message: "An error occurred on the server side.", Status: 500},
		StaleToken: core.Error{Code: "InvalidNextToken", Message: "The specified token isn't valid.", Status: 400},
		Missing:    func(member string) error { return core.Null("ValidationException", member) },
		Denied:     core.Denial{Code: "AccessDeniedException", Status: 400, Star: true},
	}
}

// operations are the rows of all operations.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html
//
// The columns: needed members, what IAM checks, what the record says, page token, batch.
func (s api) operations() []core.Operation {
	return []core.Operation{
		core.NewOperation("GetParameter", s.getParameter, "ssm",
			func(in *GetParameterInput) []core.Member { return core.Members("Name", in.Name) },
			func(in *GetParameterInput) []core.Resource { return s.resource(in.Name) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("PutParameter", s.putParameter, "ssm",
			func(in *PutParameterInput) []core.Member { return core.Members("Name", in.Name, "Value", in.Value) },
			func(in *PutParameterInput) []core.Resource { return s.resource(in.Name) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("DeleteParameter", s.deleteParameter, "ssm",
			func(in *DeleteParameterInput) []core.Member { return core.Members("Name", in.Name) },
			func(in *DeleteParameterInput) []core.Resource { return s.resource(in.Name) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
	}
}

// resource is the parameter that a call is about, without the version.
func (s api) resource(asked *string) []core.Resource {
	name := core.Deref(asked)
	if p, _, _, err := s.version(name); err == nil {
		name = p.Name
	} else if !strings.HasPrefix(name, "arn:") {
		name, _, _ = strings.Cut(name, ":")
	}
	arn := s.arn(name)
	if strings.HasPrefix(name, "arn:") {
		arn = name
	}
	return []core.Resource{{Kind: "parameter", ARN: arn}}
}

func (s api) getParameter(_ *core.Call, in *GetParameterInput) (*GetParameterOutput, error) {
	p, number, selector, err := s.version(*in.Name)
	if err != nil {
		return nil, err
	}
	v := p.Versions[number-1]
	if p.Type == "SecureString" && !core.Deref(in.WithDecryption) {
		v.Value = encrypted(v.Value)
	}
	return &GetParameterOutput{Parameter: &ParameterOut{
		ARN: &p.ARN, DataType: new("text"), Name: &p.Name, Selector: core.Optional(selector), Type: &p.Type, Value: &v.Value,
		LastModifiedDate: &v.At, Version: int64(number),
	}}, nil
}

func (s api) putParameter(_ *core.Call, in *PutParameterInput) (*PutParameterOutput, error) {
	version, err := s.PutParameter(*in.Name, core.Deref(in.Type), *in.Value, core.Deref(in.Overwrite))
	return &PutParameterOutput{Tier: new("Standard"), Version: version}, err
}

func (s api) deleteParameter(_ *core.Call, in *DeleteParameterInput) (*DeleteParameterOutput, error) {
	return &DeleteParameterOutput{}, s.DeleteParameter(*in.Name)
}
