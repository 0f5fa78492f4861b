package iam

import (
	"reflect"
	"slices"
	"strings"
)

// Notices is what Ebb reaches to tell people, each an ARN.
type Notices struct {
	Topics     []string // of Amazon SNS
	Buses      []string // of Amazon EventBridge
	Parameters []string // of Systems Manager, with secrets
	Secrets    []string // of Secrets Manager; the last six characters may be ??????
	// KMS keys of one's own, with which parameters and secrets are encrypted, and topics. Keys that AWS manages need no right.
	SecretKeys, TopicKeys []string
	Why                   bool // people are told what keeps a drain: Ebb looks for that as read-only does
}

// kinds are the statements about telling people. None of them is there without what it is about.
func (n Notices) kinds() []kind {
	return []kind{
		{sid: "ReadParameters", on: onParameter, resources: n.Parameters},
		{sid: "ReadSecrets", on: onSecret, resources: n.Secrets},
		{sid: "DecryptSecrets", on: onSecretKey, resources: n.SecretKeys},
		{sid: "Publish", on: onTopic, acts: true, resources: n.Topics},
		{sid: "EncryptNotices", on: onTopicKey, acts: true, resources: n.TopicKeys},
		{sid: "PutEvents", on: onBus, acts: true, resources: n.Buses},
	}
}

// telling are the actions for that. The simulated cloud has none of these services but SNS, and nobody is told anything in a recorded run; a
// test of ebb iam compares them with what package notify calls.
func telling() []call {
	both := []Mode{Serve, Lambda}
	return []call{
		// https://docs.aws.amazon.com/systems-manager/latest/userguide/ps-restrict-decryption.html: the key aws/ssm lets everybody in the account
		// decrypt, and so needs no kms:Decrypt; a key of one's own does. The same holds for Secrets Manager:
		// https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
		{"ssm:GetParameter", onParameter, false, both},
		{"secretsmanager:GetSecretValue", onSecret, false, both},
		{"kms:Decrypt", onSecretKey, false, both},
		{"sns:Publish", onTopic, true, both},
		// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
		{"kms:Decrypt", onTopicKey, true, both},
		{"kms:GenerateDataKey", onTopicKey, true, both},
		// EventBridge encrypts with a right of its own: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-key-policy.html
		{"events:PutEvents", onBus, true, both},
	}
}

// beyond are what other statements allow that some do not, under Sids of their own.
func beyond(have, more []Statement) (out []Statement) {
	for _, s := range more {
		s.Action = slices.DeleteFunc(slices.Clone(s.Action), func(action string) bool {
			return slices.ContainsFunc(have, func(h Statement) bool { return slices.Contains(h.Action, action) && h.covers(s) })
		})
		if len(s.Action) > 0 {
			s.Sid = "Why" + s.Sid
			out = append(out, s)
		}
	}
	return out
}

// covers reports whether a statement is about all that another is about.
func (s Statement) covers(o Statement) bool {
	for _, resource := range o.Resource {
		if !slices.ContainsFunc(s.Resource, func(r string) bool {
			prefix, open := strings.CutSuffix(r, "*")
			return r == resource || open && strings.HasPrefix(resource, prefix)
		}) {
			return false
		}
	}
	return reflect.DeepEqual(s.Condition, o.Condition)
}
