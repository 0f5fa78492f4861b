package diagnose

import (
	"slices"
	"strings"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/placement"
)

// unread are the parts of an inventory that are missing, in words.
func unread(s *inventory.Inventory) []string {
	var notes []string
	for _, u := range s.Unread {
		notes = append(notes, u.What+" could not be read: "+u.Error)
	}
	return notes
}

// unseen are the failed operations without which it is not known what runs where: in a cluster, or, if that is nil, in any.
func unseen(s *inventory.Inventory, c *inventory.Cluster) []string {
	of, operations := "", []string{"ecs:ListClusters", "ecs:DescribeClusters", "ecs:ListContainerInstances", "ecs:DescribeContainerInstances"}
	if c != nil {
		of = "cluster " + c.Name
		operations = []string{"ecs:ListContainerInstances", "ecs:DescribeContainerInstances", "ecs:ListTasks", "ecs:DescribeTasks",
			"ecs:ListServices", "ecs:DescribeServices"}
	}
	return slices.DeleteFunc(operations, func(operation string) bool { return !s.Missed(operation, of) })
}

// blind reports whether the tasks on the target could not be read. Then a command that completes a hook might cut off work, so
// there is none.
func (w *why) blind() bool {
	unknown := "whether tasks run on " + string(w.instance) + " is not known: "
	if w.host == nil && len(w.q.Only) > 0 {
		w.add(Blocker{Code: placement.Unjudged, Message: unknown + "it is not in cluster " + strings.Join(w.q.Only, ", ") + ", and no other was read",
			Advice: advice.Of(advice.Say("ask without --cluster, which looks in all"))})
		return true
	}
	missed := unseen(w.s, w.cluster)
	if len(missed) == 0 {
		return false
	}
	w.add(Blocker{Code: placement.Unjudged, Message: unknown + strings.Join(missed, ", ") + " could not be read", Advice: advice.Of(advice.Say(
		"allow the operations that were refused, or try again; the notes say why they failed"))})
	return true
}
