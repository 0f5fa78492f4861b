package cloud

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/ebbhq/ebb/internal/plan"
)

// instances looks at instances as EC2 sees them.
func (s *lookup) instances(ctx context.Context, l plan.Look) error {
	return chunks(possible(l.IDs()), l.Kind.Spec().Batch, s.fail, func(chunk []string) error { return s.describe(ctx, chunk) })
}

// spotRequests looks at the requests of Spot Instances.
func (s *lookup) spotRequests(ctx context.Context, l plan.Look) error {
	return chunks(possible(l.IDs()), l.Kind.Spec().Batch, s.fail, func(chunk []string) error {
		s.Calls++
		found, err := s.EC2.DescribeSpotInstanceRequests(ctx, chunk)
		s.View.SpotRequests = append(s.View.SpotRequests, found...)
		return err
	})
}

// describe asks until EC2 knows all ids that are left: it refuses the whole request for one that it does not know, and names
// that one in the message. Those are absent.
func (s *lookup) describe(ctx context.Context, ids []string) error {
	for len(ids) > 0 {
		s.Calls++
		found, err := s.EC2.DescribeInstances(ctx, ids)
		if err == nil {
			s.View.Instances = append(s.View.Instances, found...)
			return nil
		}
		unknown := unknownIDs(err)
		known := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return slices.Contains(unknown, id) })
		if len(known) == len(ids) {
			return err
		}
		ids = known
	}
	return nil
}

// unknownIDs are the ids that EC2 refused: "The instance IDs 'i-0a..., i-0b...' do not exist".
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
func unknownIDs(err error) []string {
	var api smithy.APIError
	if !errors.As(err, &api) || !strings.HasPrefix(api.ErrorCode(), "InvalidInstanceID.") {
		return nil
	}
	return instanceID.FindAllString(api.ErrorMessage(), -1)
}
