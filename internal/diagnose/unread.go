package diagnose

import (
	"slices"
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
	missed := unseen(w.s, w.cluster)
	if len(missed) == 0 {
		return false
	}
	words := "whether tasks run on " + string(w.instance) + " is not known: " + strings.Join(missed, ", ") + " could not be read"
	w.add(Blocker{Code: placement.Unjudged, Message: words, Fix: []Fix{{Note: "allow the operations that were refused, or try again; the " +
		"notes say why they failed"}}})
	return true
}
