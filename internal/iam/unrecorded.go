package iam

// call is an action that Ebb needs.
type call struct {
	action string
	on     on
	acts   bool // it changes something; otherwise it looks
	modes  []Mode
}

// unrecorded are the actions that no record of the simulated cloud can show, because it has neither DynamoDB nor Route 53 and because Lambda, and
// not Ebb, makes the call.
func unrecorded() []call {
	both, poller := []Mode{Serve, Lambda}, []Mode{Lambda}
	return []call{
		// The event source mapping polls the queue with the role of the function. Stories show that it receives and deletes; this is AWS's word.
		// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
		{"sqs:GetQueueAttributes", onQueue, false, poller},
		// Lambda writes what the function prints. The log group is the template's.
		// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
		{"logs:CreateLogStream", onLogs, true, poller},
		{"logs:PutLogEvents", onLogs, true, poller},
		// Cloud Map deletes the health check of an instance with the rights of who deregisters it.
		// https://docs.aws.amazon.com/cloud-map/latest/dg/cloud-map-api-permissions-ref.html
		{"route53:GetHealthCheck", onHealthCheck, false, both},
		{"route53:DeleteHealthCheck", onHealthCheck, true, both},
		{"route53:UpdateHealthCheck", onHealthCheck, true, both},
		// journal/dynamodb. A transaction needs the rights of each of its parts, and TransactWriteItems is no action of its own.
		// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
		{"dynamodb:DescribeTable", onTable, false, []Mode{Serve, Lambda, ReadOnly}},
		{"dynamodb:GetItem", onTable, false, []Mode{Serve, Lambda, ReadOnly}},
		{"dynamodb:Query", onTable, false, []Mode{Serve, Lambda, ReadOnly}},
		{"dynamodb:ConditionCheckItem", onTable, true, both},
		{"dynamodb:DeleteItem", onTable, true, both},
		{"dynamodb:PutItem", onTable, true, both},
		{"dynamodb:UpdateItem", onTable, true, both},
	}
}
