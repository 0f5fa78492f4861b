package agentcli

import (
	"cmp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/ebbhq/ebb/internal/cloud"
)

// awsConfig is how AWS is reached: with the role of the instance, or with keys in the environment. The SDK's package config, which also knows
// profiles and single sign-on, would add a megabyte to the binary.
func (o *options) awsConfig(region, endpoint, metadata string) aws.Config {
	cfg := aws.Config{Region: region, HTTPClient: awshttp.NewBuildableClient().WithTimeout(10 * time.Second)}
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} } // the core repeats what failed, with the newest decision
	if endpoint != "" {
		cfg.BaseEndpoint = aws.String(endpoint)
	}
	if id, secret := o.Env("AWS_ACCESS_KEY_ID"), o.Env("AWS_SECRET_ACCESS_KEY"); id != "" && secret != "" {
		cfg.Credentials = credentials.NewStaticCredentialsProvider(id, secret, o.Env("AWS_SESSION_TOKEN"))
		return cfg
	}
	client := imds.New(imds.Options{Endpoint: cmp.Or(metadata, "")})
	cfg.Credentials = aws.NewCredentialsCache(ec2rolecreds.New(func(r *ec2rolecreds.Options) { r.Client = client }))
	return cfg
}

// cloudOf is what the agent asks AWS: its group, its hook, and its container instance.
func cloudOf(cfg aws.Config) *cloud.Cloud {
	return cloud.New(cloud.Clients{AutoScaling: autoscaling.NewFromConfig(cfg), ECS: ecs.NewFromConfig(cfg)})
}
