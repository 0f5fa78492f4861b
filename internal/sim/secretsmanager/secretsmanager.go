// Package secretsmanager is AWS Secrets Manager in a simulated cloud: secrets with versions and staging labels.
//
// It never rotates or replicates a secret, and asks no key of KMS for permission.
package secretsmanager

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// SecretsManager are the secrets of a world.
type SecretsManager struct {
	*core.Core
	secrets []*Secret
}

// Secret is a secret with all its versions, the oldest first.
type Secret struct {
	Name, ARN string
	Versions  []*Version
	Deleted   bool // and to be gone after its recovery window
}

// Version is one value of a secret.
type Version struct {
	ID     string
	Value  Value
	Stages []string
	At     time.Time
}

// Value is what a version holds: text or bytes.
type Value struct {
	Text   string
	Binary []byte // nil: it is text
}

func (v Value) empty() bool { return v.Text == "" && len(v.Binary) == 0 }

// The staging labels that Secrets Manager itself moves.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"
)

// longest is how many bytes a secret may have.
const longest = 65536

// New makes a Secrets Manager without secrets.
func New(c *core.Core) *SecretsManager { return &SecretsManager{Core: c} }

// Secrets returns the secrets that can be read, in the order in which they were made.
func (w *SecretsManager) Secrets() []*Secret {
	return slices.DeleteFunc(slices.Clone(w.secrets), func(s *Secret) bool { return s.Deleted })
}

// CreateSecret makes a secret, with a first version if there is a value.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
func (w *SecretsManager) CreateSecret(name, token string, v Value) (*Secret, error) {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/_+=.@!") != "" || name == "" {
		return nil, core.Refuse("ValidationException",
			"Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
	}
	if i := slices.IndexFunc(w.secrets, func(s *Secret) bool { return s.Name == name }); i >= 0 {
		if w.secrets[i].Deleted {
			return nil, core.Refuse("InvalidRequestException",
				"You can't create this secret because a secret with this name is already scheduled for deletion.")
		}
		return nil, core.Refuse("ResourceExistsException", "The operation failed because the secret %s already exists.", name)
	}
	s := &Secret{Name: name, ARN: w.ARN("secretsmanager", "secret:"+name+"-"+w.Hex(suffix))}
	if !v.empty() {
		if _, err := w.add(s, token, v, nil); err != nil {
			return nil, err
		}
	}
	w.secrets = append(w.secrets, s)
	return s, nil
}

// PutSecretValue gives a secret a new version and moves staging labels to it; without any, AWSCURRENT.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
func (w *SecretsManager) PutSecretValue(id, token string, v Value, stages []string) (*Secret, *Version, error) {
	s, err := w.live(id)
	if err != nil {
		return nil, nil, err
	}
	added, err := w.add(s, token, v, stages)
	return s, added, err
}

func (w *SecretsManager) add(s *Secret, token string, v Value, stages []string) (*Version, error) {
	switch {
	case v.empty():
		return nil, core.Refuse("InvalidParameterException", "You must provide either SecretString or SecretBinary.")
	case v.Text != "" && v.Binary != nil:
		return nil, core.Refuse("InvalidParameterException",
			"You can't specify both a binary secret value and a string secret value in the same secret.")
	case len(v.Text)+len(v.Binary) > longest:
		return nil, core.Refuse("ValidationException",
			"1 validation error detected: the secret value must have length less than or equal to %d", longest)
	case token == "":
		token = w.UUID()
	}
	if i := slices.IndexFunc(s.Versions, func(old *Version) bool { return old.ID == token }); i >= 0 { // the same request again
		if old := s.Versions[i]; old.Value.Text == v.Text && bytes.Equal(old.Value.Binary, v.Binary) {
			return old, nil
		}
		return nil, core.Refuse("ResourceExistsException",
			"You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", token, s.ARN)
	}
	if len(stages) == 0 {
		stages = []string{current}
	}
	if len(s.Versions) == 0 && !slices.Contains(stages, current) {
		stages = append(slices.Clone(stages), current)
	}
	added := &Version{ID: token, Value: v, At: w.Now()}
	for _, stage := range stages {
		s.move(stage, added)
	}
	s.Versions = append(s.Versions, added)
	return added, nil
}

// move gives a staging label to a version. The one that was current becomes the previous one.
func (s *Secret) move(stage string, to *Version) {
	for _, v := range s.Versions {
		i := slices.Index(v.Stages, stage)
		if i < 0 {
			continue
		}
		v.Stages = slices.Delete(v.Stages, i, i+1)
		if stage == current {
			s.move(previous, v)
		}
	}
	to.Stages = append(to.Stages, stage)
}

// GetSecretValue finds a version of a secret by its id, by a staging label, or by both; by neither, the current one.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
func (w *SecretsManager) GetSecretValue(id, version, stage string) (*Secret, *Version, error) {
	s, err := w.live(id)
	if err != nil {
		return nil, nil, err
	}
	if version == "" && stage == "" {
		stage = current
	}
	of := func(v *Version) bool { return version == "" || v.ID == version }
	at := func(v *Version) bool { return stage == "" || slices.Contains(v.Stages, stage) }
	if i := slices.IndexFunc(s.Versions, func(v *Version) bool { return of(v) && at(v) }); i >= 0 {
		return s, s.Versions[i], nil
	}
	switch {
	case version != "" && stage != "" && slices.ContainsFunc(s.Versions, of):
		return nil, nil, core.Refuse("InvalidRequestException",
			"You provided a VersionStage that is not associated to the provided VersionId.")
	case version != "":
		return nil, nil, core.Refuse("ResourceNotFoundException",
			"Secrets Manager can't find the specified secret value for VersionId: %s", version)
	}
	return nil, nil, core.Refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: %s", stage)
}

// DeleteSecret marks a secret as deleted; after its recovery window it is gone, with a window of zero at once.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
func (w *SecretsManager) DeleteSecret(id string, window time.Duration) (*Secret, error) {
	s := w.find(id)
	if s == nil && window == 0 { // nothing is to be deleted, which AWS says to be no error
		return &Secret{Name: id, ARN: w.arn(id)}, nil
	}
	if s == nil {
		return nil, notFound()
	}
	s.Deleted = true
	gone := func() {
		w.secrets = slices.DeleteFunc(w.secrets, func(other *Secret) bool { return other == s && s.Deleted })
	}
	if window == 0 {
		gone()
	} else {
		w.After(window, gone)
	}
	return s, nil
}

func notFound() error {
	return core.Refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

// live is the secret of an id that is not deleted.
func (w *SecretsManager) live(id string) (*Secret, error) {
	s := w.find(id)
	switch {
	case s == nil:
		return nil, notFound()
	case s.Deleted:
		return nil, core.Refuse("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
	}
	return s, nil
}

// suffix is how many random characters stand at the end of an ARN, behind a hyphen.
const suffix = 6

// find is the secret of a name, an ARN, or an ARN without what is random at its end, or nil. AWS takes an ARN that ends in a hyphen and six
// characters for a whole one: https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html#ARN_secretnamehyphen
func (w *SecretsManager) find(id string) *Secret {
	for _, s := range w.secrets {
		partial := s.ARN[:len(s.ARN)-suffix-1]
		whole := len(partial) > suffix && partial[len(partial)-suffix-1] == '-'
		if s.Name == id || s.ARN == id || partial == id && !whole {
			return s
		}
	}
	return nil
}

// arn is the ARN of an id, or what is known of it if there is no such secret.
func (w *SecretsManager) arn(id string) string {
	if s := w.find(id); s != nil {
		return s.ARN
	}
	if strings.HasPrefix(id, "arn:") {
		return id
	}
	return w.ARN("secretsmanager", "secret:"+id)
}
