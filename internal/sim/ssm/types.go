package ssm

import "time"

// The SDK's package of SSM takes 11 s to compile, its types alone 8 s, for three operations: their requests and answers are written here,
// with the names of the API reference. https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_Operations.html

// GetParameterInput is the request of GetParameter.
type GetParameterInput struct {
	Name           *string // or ARN; with :3 behind it, that version
	WithDecryption *bool
}

// GetParameterOutput is its answer.
type GetParameterOutput struct{ Parameter *ParameterOut }

// ParameterOut is a parameter as AWS shows it.
type ParameterOut struct {
	ARN, DataType, Name, Selector, Type, Value *string
	LastModifiedDate                           *time.Time
	Version                                    int64
}

// PutParameterInput is the request of PutParameter. Description, KeyId, Tier and DataType are taken and not looked at.
type PutParameterInput struct {
	Name, Value, Type, Description, KeyId, Tier, DataType *string
	Overwrite                                             *bool
}

// PutParameterOutput is its answer.
type PutParameterOutput struct {
	Tier    *string
	Version int64
}

// DeleteParameterInput is the request of DeleteParameter.
type DeleteParameterInput struct{ Name *string }

// DeleteParameterOutput is its answer.
type DeleteParameterOutput struct{}
