// Package ssm is the Parameter Store of AWS Systems Manager in a simulated cloud: parameters with versions.
//
// It never knows a label, a policy or an advanced parameter, and asks no key of KMS for permission.
package ssm

import (
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// SSM are the parameters of a world.
type SSM struct {
	*core.Core
	parameters []*Parameter
}

// Parameter is a parameter with all its versions, the oldest first.
type Parameter struct {
	Name, ARN, Type string // Type: String, StringList, SecureString
	Versions        []Version
}

// Version is one value of a parameter.
type Version struct {
	Value string
	At    time.Time
}

// New makes a Parameter Store without parameters.
func New(c *core.Core) *SSM { return &SSM{Core: c} }

// Parameters returns the live parameters, in the order in which they were made.
func (w *SSM) Parameters() []*Parameter { return slices.Clone(w.parameters) }

// longest is how many bytes a value of the standard tier may have.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
const longest = 4096

// kept is how many versions of a parameter there are at most; the oldest goes.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html
const kept = 100

var (
	allowed  = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)
	reserved = regexp.MustCompile(`(?i)^/?(aws|ssm)`)
)

// PutParameter makes a parameter, or with overwrite gives it a new version, and returns its number.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
func (w *SSM) PutParameter(name, kind, value string, overwrite bool) (int64, error) {
	p := w.find(name)
	switch {
	case !allowed.MatchString(name) || reserved.MatchString(name):
		return 0, core.Refuse("ValidationException", "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). "+
			"If formed as a path, it can consist of sub-paths divided by slash symbol; "+
			"each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_")
	case len(value) > longest:
		return 0, core.Refuse("ValidationException", "Standard tier parameters support a maximum parameter value of %d characters. "+
			"To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier.", longest)
	case p == nil && !slices.Contains([]string{"String", "StringList", "SecureString"}, kind):
		return 0, core.Refuse("ValidationException", "A parameter type is required when you create a parameter.")
	case p != nil && !overwrite:
		return 0, core.Refuse("ParameterAlreadyExists",
			"The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	case p == nil:
		p = &Parameter{Name: name, ARN: w.arn(name)}
		w.parameters = append(w.parameters, p)
	}
	if kind != "" {
		p.Type = kind
	}
	p.Versions = append(p.Versions, Version{Value: value, At: w.Now()})
	return int64(len(p.Versions)), nil
}

// DeleteParameter removes a parameter.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DeleteParameter.html
func (w *SSM) DeleteParameter(name string) error {
	p := w.find(name)
	if p == nil {
		return notFound()
	}
	w.parameters = slices.DeleteFunc(w.parameters, func(other *Parameter) bool { return other == p })
	return nil
}

// notFound is AWS's refusal: without a text.
func notFound() error { return core.Refuse("ParameterNotFound", "") }

// find is the parameter of a name or an ARN, or nil.
func (w *SSM) find(name string) *Parameter {
	for _, p := range w.parameters {
		if p.Name == name || p.ARN == name {
			return p
		}
	}
	return nil
}

// arn is the ARN of a parameter: the slash before its name is there only once.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html
func (w *SSM) arn(name string) string {
	return w.ARN("ssm", "parameter/"+strings.TrimPrefix(name, "/"))
}

// version is the parameter and the number of the version that a name or an ARN asks for, with the part behind the name that chooses it.
func (w *SSM) version(asked string) (p *Parameter, number int, selector string, err error) {
	name := asked
	if p = w.find(name); p == nil {
		if i := strings.LastIndexByte(name, ':'); i >= 0 {
			name, selector = name[:i], name[i:]
			p = w.find(name)
		}
	}
	if p == nil {
		return nil, 0, "", notFound()
	}
	if selector == "" {
		return p, len(p.Versions), "", nil
	}
	number, err = strconv.Atoi(selector[1:])
	if err != nil || number < 1 || number > len(p.Versions) || number <= len(p.Versions)-kept {
		return nil, 0, "", core.Refuse("ParameterVersionNotFound",
			"Systems Manager could not find version %s of %s. Verify the version and try again.", selector[1:], name)
	}
	return p, number, selector, nil
}

// encrypted is what AWS shows of a SecureString that is not to be decrypted: text of which nothing can be read.
func encrypted(value string) string {
	sum := sha256.Sum256([]byte(value))
	return "AQICAH" + base64.StdEncoding.EncodeToString(sum[:])
}
