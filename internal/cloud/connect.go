package cloud

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/smithy-go/logging"
)

// callTimeout ends a request that AWS does not answer. It is far below the shortest heartbeat timeout of 30 s, so that one
// lost request never costs a hook.
const callTimeout = 10 * time.Second

// Options say where AWS is and who asks. Empty fields are taken from the environment and the shared configuration files, as
// the AWS CLI does.
type Options struct {
	Region   string
	Endpoint string // one URL for all services, such as the simulated cloud; empty: AWS
	Profile  string
}

// FromConfig returns a Cloud on the AWS SDK with this configuration. Each call ends after 10 s.
func FromConfig(cfg aws.Config) *Cloud {
	cfg = WithTimeout(cfg)
	return New(Clients{
		AutoScaling: autoscaling.NewFromConfig(cfg),
		ECS:         ecs.NewFromConfig(cfg),
		ELB:         elb.NewFromConfig(cfg),
		EC2:         NewEC2(cfg),
		Names:       names{cfg: cfg},
		Lattice:     lattice{cfg: cfg},
		CloudWatch:  newCloudWatch(cfg),
		Queues:      newQueues(cfg),
		Scalers:     newScalers(cfg),
		Get:         get,
	})
}

// WithTimeout returns the configuration with an HTTP client that ends each call after 10 s.
func WithTimeout(cfg aws.Config) aws.Config {
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = awshttp.NewBuildableClient()
	}
	if c, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
		cfg.HTTPClient = c.WithTimeout(callTimeout)
	}
	return cfg
}

// AWSConfig loads the configuration of the AWS SDK and checks that there are credentials. The error says what to do when there is no
// Region or there are no credentials. The SDK does not retry with it: the
// kernel does, within its own rate limits and with the freshest decision, and a retry inside the SDK would hide from it
// what was sent and when.
func AWSConfig(ctx context.Context, o Options) (aws.Config, error) {
	load := []func(*config.LoadOptions) error{
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
		config.WithHTTPClient(awshttp.NewBuildableClient()),
		config.WithLogger(logging.Nop{}), // it would write into the log what the results hold
	}
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	if o.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(o.Profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("load the AWS configuration: %w; check the profile and the files ~/.aws/config and ~/.aws/credentials", err)
	}
	if o.Endpoint != "" {
		cfg.BaseEndpoint = aws.String(o.Endpoint)
	}
	if cfg.Region == "" {
		return aws.Config{}, errors.New("no AWS Region: set region in the configuration file, or AWS_REGION, or a region in the AWS profile")
	}
	cfg.Credentials = quiet{cfg.Credentials}
	cfg.APIOptions = append(cfg.APIOptions, hideToken)
	return cfg, checkCredentials(ctx, cfg)
}

// checkCredentials makes the SDK look for credentials once, so that a lack of them shows at the start.
func checkCredentials(ctx context.Context, cfg aws.Config) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := cfg.Credentials.Retrieve(ctx)
	if err == nil {
		return nil
	}
	todo := "give the task or instance an IAM role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	if cfg.BaseEndpoint != nil {
		todo += fmt.Sprintf("; where %s is the simulated cloud, any two values will do", *cfg.BaseEndpoint)
	}
	return fmt.Errorf("no AWS credentials: %w; %s", err, todo)
}
