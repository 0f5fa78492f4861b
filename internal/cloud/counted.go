package cloud

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"

	"github.com/ebbhq/ebb/internal/plan"
)

// Count takes note of a request: of which service and operation, and what came of it. It is called from any goroutine.
type Count func(service, operation string, c plan.Class)

// Counted returns a configuration whose clients count their requests.
func Counted(cfg aws.Config, count Count) aws.Config {
	took := middleware.InitializeMiddlewareFunc("EbbCount", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, data, err := next.HandleInitialize(ctx, in)
		count(awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx), outcomeOf(err))
		return out, data, err
	})
	cfg.APIOptions = append(slices.Clone(cfg.APIOptions), func(s *middleware.Stack) error {
		return s.Initialize.Add(took, middleware.After) // where the service and the operation are known
	})
	return cfg
}

// CountPlain counts the requests that need no client of the SDK.
func (c *Cloud) CountPlain(count Count) {
	if e, ok := c.EC2.(EC2); ok {
		c.EC2 = EC2{e.cfg, count}
	}
	if n, ok := c.Names.(names); ok {
		c.Names = names{n.cfg, count}
	}
	for _, of := range []*Asker{&c.CloudWatch, &c.Queues, &c.Scalers} {
		if a, ok := (*of).(asker); ok {
			a.count = count
			*of = a
		}
	}
	if l, ok := c.Lattice.(lattice); ok {
		c.Lattice = lattice{l.cfg, count}
	}
}

func (c Count) tell(service, operation string, err error) {
	if c != nil {
		c(service, operation, outcomeOf(err))
	}
}

func outcomeOf(err error) plan.Class {
	if f := Classify(err); f != nil {
		return f.Class
	}
	return plan.OK
}
