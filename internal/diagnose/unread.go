package diagnose

import (
	"strings"

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

// unseen are the operations that failed and without which nobody knows what runs where: in a cluster, or, if that is nil, in any.
func unseen(s *inventory.Inventory, c *inventory.Cluster) []string {
	of, operations := "", []string{"ecs:ListClusters", "ecs:DescribeClusters", "ecs:ListContainerInstances", "ecs:DescribeContainerInstances"}
	if c != nil {
		of = "cluster " + c.Name
		operations = []string{"ecs:ListContainerInstances", "ecs:DescribeContainerInstances", "ecs:ListTasks", "ecs:DescribeTasks",
			"ecs:ListServices", "ecs:DescribeServices"}
	}
	var missed []string
	for _, operation := range operations {
		if s.Missed(operation, of) {
			missed = append(missed, operation)
		}
	}
	return missed
}

// blind says that what runs on the target could not be read, if that is so. Then no task is known to be there, and none not to be: a
// hook that is completed now may cut off work.
func (w *why) blind() bool {
	missed := unseen(w.s, w.cluster)
	if len(missed) == 0 {
		return false
	}
	words := "whether tasks run on " + string(w.instance) + " is not known: " + strings.Join(missed, ", ") + " could not be read"
	w.add(Blocker{Code: placement.Unjudged, Message: words, Fix: []Fix{{Note: "allow the operations that were refused, or try again; the " +
		"notes say why they failed"}}})
	return true
}
