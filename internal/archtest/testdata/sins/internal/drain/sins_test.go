package drain

import (
	"time"

	_ "github.com/aws/aws-sdk-go-v2/service/ec2" // want "nobody may import github.com/aws/aws-sdk-go-v2/service/ec2"
	_ "github.com/aws/aws-sdk-go-v2/service/ecs" // a test may
)

var started = time.Now()
