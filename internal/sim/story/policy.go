package story

import (
	"slices"

	"github.com/ebbhq/ebb/internal/iam"
)

// Needs says for whom and for what ebb iam makes the policy of a story's Ebb, in the account of the simulated cloud. Lambda polls the queue of a
// function with the permissions of the function's role.
func (e Ebb) Needs() (iam.Mode, iam.Scope) {
	mode := iam.Serve
	if e.Function {
		mode = iam.Lambda
	}
	s := iam.Scope{Partition: "aws", Region: "eu-west-1", Account: "111122223333", Queue: "arn:aws:sqs:eu-west-1:111122223333:" + e.queue()}
	for _, g := range e.Groups {
		s.Groups, s.Clusters = append(s.Groups, g.Match), append(s.Clusters, g.Cluster)
		if g.ReplaceFirst {
			s.Counts = append(s.Counts, g.Cluster+"/*")
		}
		if g.AllowRehearsal && g.Cluster != "" {
			s.Rehearsals = append(s.Rehearsals, g.Cluster)
		}
		s.Raises = s.Raises || g.Capacity == "raise"
	}
	for cluster, in := range e.standIns {
		s.Counts = append(s.Counts, cluster+"/"+in.OnDemand)
	}
	for _, c := range e.Clusters {
		s.Clusters = append(s.Clusters, c.Name)
		if c.AllowRehearsal {
			s.Rehearsals = append(s.Rehearsals, c.Name)
		}
	}
	for _, c := range e.Scaling {
		s.Scales = true
		s.Clusters, s.Counts = append(s.Clusters, c.Cluster), append(s.Counts, c.Cluster+"/"+c.Service)
		if c.Queue != "" {
			s.Backlogs = append(s.Backlogs, "arn:aws:sqs:eu-west-1:111122223333:"+c.Queue)
		}
	}
	s.NoGroups = len(e.Groups) == 0 && len(e.Clusters)+len(e.Scaling) > 0
	if slices.Contains(s.Clusters, "") { // some group names none
		s.Clusters = nil
	}
	return mode, s
}
