package doctor

import (
	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/inventory"
	"github.com/ebbhq/ebb/internal/plain"
)

func unseenChecks() []Check {
	parts := func(in *Input) []inventory.Unread { return in.Inventory.Unread }
	return []Check{
		{"nothing-seen", "There was nothing to look at", nothingSeen},
		{"unread", "A part could not be read", each(parts, unread)},
	}
}

// NothingSeen reports whether an inventory has nothing that a check could judge: no group, and no cluster with hosts, tasks or services.
func NothingSeen(s *inventory.Inventory) bool {
	for _, c := range s.Clusters {
		if len(c.Hosts)+len(c.Tasks)+len(c.Services) > 0 {
			return false
		}
	}
	return len(s.Groups) == 0
}

// nothingSeen: to find nothing in nothing is no good news.
func nothingSeen(in *Input) []Finding {
	if !NothingSeen(in.Inventory) {
		return nil
	}
	f := Finding{
		Severity: Warn, Unknown: true, Subject: "account " + in.Inventory.Account + " in " + in.Inventory.Region,
		Finding: "no Auto Scaling group was seen, and no cluster with hosts, tasks or services", Impact: "nothing was checked",
		Advice: advice.Of(advice.Say("check the credentials, the Region, and the names given with --cluster and --group")),
	}
	if n := len(in.Inventory.Unread); n > 0 {
		f.Finding += "; " + plain.Count(n, "part") + " could not be read, so there may be any number"
	}
	return []Finding{f}
}

// unread makes a finding of each part that could not be read: a check that could not run did not pass.
func unread(_ *Input, u inventory.Unread) *Finding {
	fix := advice.Say("if access was denied, allow the operation to the user who runs ebb doctor; if it was throttled, run it again")
	if u.Absent {
		fix = advice.Say("check the name, the credentials and the Region")
	}
	return &Finding{
		Severity: Warn, Unknown: true, Subject: u.What, Finding: "could not read " + u.What + ": " + u.Error,
		Impact: "the checks that need it say nothing about it", Advice: advice.Of(fix),
	}
}
