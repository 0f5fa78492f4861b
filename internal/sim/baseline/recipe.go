package baseline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// Scaling is what is used of the client of ECS.
type Scaling interface {
	DescribeServices(context.Context, *ecs.DescribeServicesInput, ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error)
	UpdateService(context.Context, *ecs.UpdateServiceInput, ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error)
}

// RecipeConfig is what a Recipe needs: its clients, and the environment variables of the function.
type RecipeConfig struct {
	ECS   Scaling
	SQS   SQS
	Queue string // URL of the queue that stands for the function's invocations

	Cluster, Service string
	Out, In          string // the alarms that make the service larger and smaller
	Min, Max         int32
}

// Recipe is the home-made scaler: a CloudWatch alarm publishes to SNS, which calls a Lambda. One invocation
//
//   - reads the alarm's name and state, and passes over all states but ALARM;
//   - describes the service;
//   - sets its desired count one higher, or one lower, within the bounds.
//
// CloudWatch publishes a change of state once, so it is one step for each incident, however long that lasts.
type Recipe struct{ cfg RecipeConfig }

// NewRecipe returns one.
func NewRecipe(cfg RecipeConfig) *Recipe { return &Recipe{cfg} }

// Connect completes a configuration with clients of the AWS SDK.
func (c RecipeConfig) Connect(cfg aws.Config) RecipeConfig {
	c.ECS, c.SQS = ecs.NewFromConfig(cfg), sqs.NewFromConfig(cfg)
	return c
}

// Tick does all that is due at now, and returns when it is to be called again.
func (r *Recipe) Tick(ctx context.Context, now time.Time) (next time.Time, err error) {
	heard := receive(ctx, r.cfg.SQS, r.cfg.Queue, func(body string) { err = errors.Join(err, r.invoke(ctx, body)) })
	return now.Add(takeOutListens), errors.Join(heard, err)
}

// invoke is one invocation of the Lambda.
func (r *Recipe) invoke(ctx context.Context, body string) error {
	var event struct{ Message string }
	var alarm struct{ AlarmName, NewStateValue string }
	if err := errors.Join(json.Unmarshal([]byte(body), &event), json.Unmarshal([]byte(event.Message), &alarm)); err != nil {
		return fmt.Errorf("read the alarm: %w", err)
	}
	by := map[string]int32{r.cfg.Out: 1, r.cfg.In: -1}[alarm.AlarmName]
	if alarm.NewStateValue != "ALARM" || by == 0 {
		return nil
	}
	out, err := r.cfg.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &r.cfg.Cluster, Services: []string{r.cfg.Service}})
	if err != nil {
		return fmt.Errorf("describe %s: %w", r.cfg.Service, err)
	}
	if len(out.Services) != 1 {
		return fmt.Errorf("there is no service %s", r.cfg.Service)
	}
	want := max(r.cfg.Min, min(out.Services[0].DesiredCount+by, r.cfg.Max))
	if want == out.Services[0].DesiredCount {
		return nil
	}
	_, err = r.cfg.ECS.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &r.cfg.Cluster, Service: &r.cfg.Service, DesiredCount: &want})
	return err
}
