package cloud

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// Say puts an operator's word on a container instance, in place of one that stands there.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutAttributes.html
func (c *Cloud) Say(ctx context.Context, ci fleet.ContainerInstance, w fleet.Word) error {
	_, err := c.ECS.PutAttributes(ctx, &ecs.PutAttributesInput{Cluster: aws.String(ci.Cluster), Attributes: wordOn(ci, w.String())})
	return err
}

// Unsay takes an operator's word back, and sets the container instance ACTIVE: in this order, so that no Ebb sets it DRAINING again. AWS
// takes both calls again and again.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteAttributes.html
func (c *Cloud) Unsay(ctx context.Context, ci fleet.ContainerInstance) error {
	_, err := c.ECS.DeleteAttributes(ctx, &ecs.DeleteAttributesInput{Cluster: aws.String(ci.Cluster), Attributes: wordOn(ci, "")})
	if err != nil && Classify(err).Class != plan.Gone {
		return err
	}
	res, err := c.ECS.UpdateContainerInstancesState(ctx, &ecs.UpdateContainerInstancesStateInput{
		Cluster: aws.String(ci.Cluster), ContainerInstances: []string{string(ci.ARN)}, Status: ecstypes.ContainerInstanceStatusActive,
	})
	if err != nil {
		return err
	}
	for _, f := range refused([]string{string(ci.ARN)}, res.Failures) {
		return &plan.Failure{Class: f.Class, Message: f.Reason}
	}
	return nil
}

// Rehearse lets an operator's word that the interruption of a task is rehearsed stand on it until a time.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TagResource.html
func (c *Cloud) Rehearse(ctx context.Context, task fleet.ARN, until time.Time) error {
	_, err := c.ECS.TagResource(ctx, &ecs.TagResourceInput{ResourceArn: aws.String(string(task)), Tags: []ecstypes.Tag{
		{Key: aws.String(fleet.RehearsalTag), Value: aws.String(until.UTC().Format(time.RFC3339))}}})
	return err
}

func wordOn(ci fleet.ContainerInstance, value string) []ecstypes.Attribute {
	a := ecstypes.Attribute{
		Name: aws.String(fleet.WordAttribute), TargetId: aws.String(string(ci.ARN)), TargetType: ecstypes.TargetTypeContainerInstance,
	}
	if value != "" {
		a.Value = aws.String(value)
	}
	return []ecstypes.Attribute{a}
}
