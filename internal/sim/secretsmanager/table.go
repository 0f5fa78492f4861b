package secretsmanager

import (
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// api are the operations of the service.
type api struct{ *SecretsManager }

// Service is Secrets Manager as the wire serves it.
func (w *SecretsManager) Service() core.Service {
	return core.Service{Name: "secretsmanager", Protocol: core.Protocol{JSON: "1.1"}, Errors: refusals(), Operations: api{w}.operations()}
}

func refusals() core.Errors {
	return core.Errors{
		Throttled:  core.Error{Code: "ThrottlingException", Message: "Rate exceeded", Status: 400},
		Internal:   core.Error{Code: "InternalServiceError", Message: "An error occurred on the server side.", Status: 500},
		StaleToken: core.Error{Code: "InvalidNextTokenException", Message: "The NextToken value is invalid.", Status: 400},
		Missing:    func(member string) error { return core.Null("ValidationException", member) },
		Denied:     core.Denial{Code: "AccessDeniedException", Status: 400, Star: true},
	}
}

// operations are the rows of all operations. A secret that is to be made has no ARN yet: it is checked with ?????? for what AWS will
// choose.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html
//
// The columns: needed members, what IAM checks, what the record says, page token, batch.
func (s api) operations() []core.Operation {
	return []core.Operation{
		core.NewOperation("GetSecretValue", s.getSecretValue, "secretsmanager",
			func(in *GetSecretValueInput) []core.Member { return core.Members("SecretId", in.SecretId) },
			func(in *GetSecretValueInput) []core.Resource { return s.resource(in.SecretId) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("CreateSecret", s.createSecret, "secretsmanager",
			func(in *CreateSecretInput) []core.Member { return core.Members("Name", in.Name) },
			func(in *CreateSecretInput) []core.Resource {
				return []core.Resource{{Kind: "secret", ARN: s.ARN("secretsmanager", "secret:"+core.Deref(in.Name)+"-"+strings.Repeat("?", suffix))}}
			},
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("PutSecretValue", s.putSecretValue, "secretsmanager",
			func(in *PutSecretValueInput) []core.Member { return core.Members("SecretId", in.SecretId) },
			func(in *PutSecretValueInput) []core.Resource { return s.resource(in.SecretId) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
		core.NewOperation("DeleteSecret", s.deleteSecret, "secretsmanager",
			func(in *DeleteSecretInput) []core.Member { return core.Members("SecretId", in.SecretId) },
			func(in *DeleteSecretInput) []core.Resource { return s.resource(in.SecretId) },
			core.NoSubject, core.NotPaged, core.NoBatch,
		),
	}
}

func (s api) resource(id *string) []core.Resource {
	return []core.Resource{{Kind: "secret", ARN: s.arn(core.Deref(id))}}
}

func (s api) getSecretValue(_ *core.Call, in *GetSecretValueInput) (*GetSecretValueOutput, error) {
	secret, v, err := s.GetSecretValue(*in.SecretId, core.Deref(in.VersionId), core.Deref(in.VersionStage))
	if err != nil {
		return nil, err
	}
	return &GetSecretValueOutput{
		ARN: &secret.ARN, Name: &secret.Name, VersionId: &v.ID, SecretString: core.Optional(v.Value.Text), SecretBinary: v.Value.Binary,
		VersionStages: v.Stages, CreatedDate: &v.At,
	}, nil
}

func (s api) createSecret(_ *core.Call, in *CreateSecretInput) (*CreateSecretOutput, error) {
	secret, err := s.CreateSecret(*in.Name, core.Deref(in.ClientRequestToken), Value{core.Deref(in.SecretString), in.SecretBinary})
	if err != nil {
		return nil, err
	}
	out := &CreateSecretOutput{ARN: &secret.ARN, Name: &secret.Name}
	if len(secret.Versions) > 0 {
		out.VersionId = &secret.Versions[0].ID
	}
	return out, nil
}

func (s api) putSecretValue(_ *core.Call, in *PutSecretValueInput) (*PutSecretValueOutput, error) {
	value := Value{core.Deref(in.SecretString), in.SecretBinary}
	secret, v, err := s.PutSecretValue(*in.SecretId, core.Deref(in.ClientRequestToken), value, in.VersionStages)
	if err != nil {
		return nil, err
	}
	return &PutSecretValueOutput{ARN: &secret.ARN, Name: &secret.Name, VersionId: &v.ID, VersionStages: v.Stages}, nil
}

func (s api) deleteSecret(_ *core.Call, in *DeleteSecretInput) (*DeleteSecretOutput, error) {
	const day = 24 * time.Hour
	days, force := in.RecoveryWindowInDays, core.Deref(in.ForceDeleteWithoutRecovery)
	window := 30 * day
	switch {
	case force && days != nil:
		return nil, core.Refuse("InvalidParameterException", "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
	case force:
		window = 0
	case days != nil && (*days < 7 || *days > 30):
		return nil, core.Refuse("InvalidParameterException", "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
	case days != nil:
		window = time.Duration(*days) * day
	}
	secret, err := s.DeleteSecret(*in.SecretId, window)
	if err != nil {
		return nil, err
	}
	return &DeleteSecretOutput{ARN: &secret.ARN, Name: &secret.Name, DeletionDate: new(s.Now().Add(window))}, nil
}
