package secretsmanager

import "time"

// The requests and answers are written here, as those of SSM are, with the names of the API reference: for four operations the SDK's
// package would be one more dependency. https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Operations.html

// GetSecretValueInput is the request of GetSecretValue.
type GetSecretValueInput struct{ SecretId, VersionId, VersionStage *string }

// GetSecretValueOutput is its answer: the secret is text or bytes.
type GetSecretValueOutput struct {
	ARN, Name, VersionId, SecretString *string
	SecretBinary                       []byte
	VersionStages                      []string
	CreatedDate                        *time.Time
}

// CreateSecretInput is the request of CreateSecret. Description and KmsKeyId are taken and not looked at.
type CreateSecretInput struct {
	Name, ClientRequestToken, SecretString, Description, KmsKeyId *string
	SecretBinary                                                  []byte
}

// CreateSecretOutput is its answer.
type CreateSecretOutput struct{ ARN, Name, VersionId *string }

// PutSecretValueInput is the request of PutSecretValue.
type PutSecretValueInput struct {
	SecretId, ClientRequestToken, SecretString *string
	SecretBinary                               []byte
	VersionStages                              []string
}

// PutSecretValueOutput is its answer.
type PutSecretValueOutput struct {
	ARN, Name, VersionId *string
	VersionStages        []string
}

// DeleteSecretInput is the request of DeleteSecret.
type DeleteSecretInput struct {
	SecretId                   *string
	RecoveryWindowInDays       *int64
	ForceDeleteWithoutRecovery *bool
}

// DeleteSecretOutput is its answer.
type DeleteSecretOutput struct {
	ARN, Name    *string
	DeletionDate *time.Time
}
