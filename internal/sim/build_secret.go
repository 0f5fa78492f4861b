package sim

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/ebbhq/ebb/internal/sim/secretsmanager"
)

// secrets makes the parameters and the secrets. Its errors show no value.
func (b *builder) secrets(s Spec) error {
	for _, p := range s.Parameters {
		kind := p.Type
		if kind == "" {
			kind = "SecureString"
		}
		if p.Name == "" || p.Value == "" {
			return fmt.Errorf("parameter %q: give it a name and a value", p.Name)
		}
		if _, err := b.w.PutParameter(p.Name, kind, p.Value, false); err != nil {
			return fmt.Errorf("parameter %q: %w", p.Name, err)
		}
	}
	for _, secret := range s.Secrets {
		binary, err := base64.StdEncoding.DecodeString(secret.Binary)
		if err != nil || secret.Binary == "" != (secret.Value != "") {
			err = errors.New("give it a value, or bytes in base64 as binary")
		} else {
			v := secretsmanager.Value{Text: secret.Value}
			if secret.Binary != "" {
				v.Binary = binary
			}
			_, err = b.w.CreateSecret(secret.Name, "", v)
		}
		if err != nil {
			return fmt.Errorf("secret %q: %w", secret.Name, err)
		}
	}
	return nil
}
