// Package sqs is a service of the simulated cloud. It never asks another one.
package sqs

import (
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	_ "github.com/ebbhq/ebb/internal/sim/core"
	_ "github.com/ebbhq/ebb/internal/sim/sns" // want "sim/sqs may not import internal/sim/sns"
)

// Client is not a type of a request or an answer.
func Client() *sqs.Client { return sqs.New(sqs.Options{}) } // want "of the SDK it uses types only"

// Input is one.
func Input() *sqs.SendMessageInput { return nil }
