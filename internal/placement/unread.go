package placement

import (
	"fmt"

	"github.com/ebbhq/ebb/internal/inventory"
)

// unread are what could not be read and keeps tasks of a service from a promise: a promise rests on nothing that is not known.
func (v *view) unread(d *demand) (reasons []Reason) {
	say := func(format string, args ...any) {
		reasons = append(reasons, Reason{Unjudged, fmt.Sprintf(format, args...)})
	}
	if v.s.Missed("ecs:GetTaskProtection", "cluster "+v.c.Name) {
		say("ecs:GetTaskProtection could not be read, so whether tasks of service %s have scale-in protection is not known", d.name)
	}
	for i := range v.rooms {
		if operation := v.departsUnread(v.rooms[i].host); operation != "" {
			say("%s could not be read, so whether host %s stays is not known", operation, v.rooms[i].host.Instance)
			break
		}
	}
	for i := range v.rooms {
		if v.rooms[i].blind && d.needs[nics] > 0 && d.admits[i] != no {
			say("how many network interfaces host %s can have is not known, and each task of service %s needs one", v.rooms[i].host.Instance, d.name)
			break
		}
	}
	return reasons
}

// departsUnread is the operation that could not be read and that says whether a host is on its way out; empty: that is known.
func (v *view) departsUnread(h *inventory.Host) string {
	if v.s.Missed("ec2:DescribeInstances", "") && v.s.Instance(h.Instance) == nil {
		return "ec2:DescribeInstances"
	}
	for _, operation := range [...]string{"autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances"} {
		if !v.s.Missed(operation, "") {
			continue
		}
		if _, in := v.s.Member(h.Instance); in == nil && v.s.States[h.Instance] == "" {
			return operation
		}
	}
	return ""
}
