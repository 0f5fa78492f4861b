// Package deploy is what puts Ebb up in an AWS account: the CloudFormation templates, as files to read and inside of the binary.
//
// It never calls AWS and never decides; ebb init hands the templates out.
package deploy

import _ "embed"

var (
	//go:embed lambda.yaml
	lambda string
	//go:embed service.yaml
	service string
	//go:embed scale.yaml
	scale string
)

// Template is the CloudFormation template of a shape, "lambda" or "service", or what goes beside one for a service that is scaled, "scale"; empty: the
// shape has none.
func Template(shape string) string {
	return map[string]string{"lambda": lambda, "service": service, "scale": scale}[shape]
}

// Yours are the parameters of a shape's template that have no default and that only the user can know, in the template's order.
func Yours(shape string) []string {
	return map[string][]string{
		"lambda": {"CodeBucket", "CodeKey"}, "service": {"ControlCluster", "Image", "Subnets", "SecurityGroups"},
		"scale": {"High", "Low"},
	}[shape]
}
