// Package cloud imports what it may not, and never compiles.
package cloud

import (
	_ "time"

	_ "github.com/aws/aws-sdk-go-v2/aws"
	_ "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	_ "github.com/aws/aws-sdk-go-v2/service/dynamodb"  // want "internal/cloud may not import github.com/aws/aws-sdk-go-v2/service/dynamodb"
	_ "github.com/aws/aws-sdk-go-v2/service/ec2/types" // want "nobody may import"
	_ "github.com/aws/aws-sdk-go-v2/service/sqs"       // want "only these may: source/sqs, cloud/collector, baseline, sim/sqs, sim/client"
	_ "modernc.org/sqlite"                             // want "internal/cloud may not import modernc.org/sqlite"

	_ "github.com/ebbhq/ebb/internal/fleet"
	_ "github.com/ebbhq/ebb/internal/journal/sqlite" // want "internal/cloud may not import internal/journal/sqlite"
)
