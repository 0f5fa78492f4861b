package imds

import (
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// notices are what AWS has announced about an instance.
type notices struct {
	action    string // of an interruption: terminate, stop, hibernate; empty: there is none
	ends      time.Time
	risk      time.Time // of the rebalance recommendation; zero: there is none
	scheduled []change
}

// change is a scheduled change by AWS Health.
type change struct {
	code string // that of AWS Health
	at   time.Time
	id   string
}

// spotNotice is how long before its end a Spot Instance is warned. Hibernation begins at once.
const spotNotice = 2 * time.Minute

// takeIn reads what has been written into the record since the last time.
func (w *IMDS) takeIn() {
	record := w.Record()
	for _, e := range record[w.read:] {
		if e.Instance == "" || e.Kind != core.EntryNotice && e.Kind != core.EntryInstance {
			continue
		}
		n := w.notices[e.Instance]
		if n == nil {
			n = &notices{}
			w.notices[e.Instance] = n
		}
		switch {
		case e.Kind == core.EntryInstance && e.To == "running": // it has been stopped and is back
			n.action, n.risk = "", time.Time{}
		case e.Kind == core.EntryInstance:
		case e.To == core.NoticeInterrupted && e.Text == "hibernate":
			n.action, n.ends = e.Text, e.At
		case e.To == core.NoticeInterrupted:
			n.action, n.ends = e.Text, e.At.Add(spotNotice)
		case e.To == core.NoticeRebalance:
			n.risk = e.At
		case e.To == core.NoticeScheduled:
			code, at, _ := strings.Cut(e.Text, " ")
			when, _ := time.Parse(time.RFC3339, at) // the zero time cannot be: the world wrote it
			n.scheduled = append(n.scheduled, change{code: code, at: when, id: "instance-event-0" + core.LastPart(e.Instance)[2:]})
		}
	}
	w.read = len(record)
}

// value is an item of the metadata; false: there is no such item, or not now.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html
func (w *IMDS) value(h *core.Instance, path string) (string, bool) {
	n := w.notices[h.ID]
	if n == nil {
		n = &notices{}
	}
	if path == "latest/dynamic/instance-identity/document" {
		return w.identity(h), true
	}
	item, ok := strings.CutPrefix(path, "latest/meta-data/")
	if !ok {
		return "", false
	}
	switch item {
	case "instance-id":
		return h.ID, true
	case "instance-type":
		return h.Host.Type, true
	case "instance-life-cycle":
		return map[bool]string{true: "spot", false: "on-demand"}[h.Host.Spot], true
	case "local-ipv4":
		return h.PrivateIP, true
	case "placement/availability-zone":
		return h.Zone, true
	case "placement/region":
		return w.Region, true
	case "autoscaling/target-lifecycle-state":
		state := target(w.groups.LifecycleState(h.ID))
		return state, state != ""
	case "events/recommendations/rebalance":
		return core.JSON(map[string]string{"noticeTime": core.ISO(n.risk)}), !n.risk.IsZero()
	case "events/maintenance/scheduled":
		return w.scheduled(n), true
	case "spot/instance-action":
		return core.JSON(map[string]string{"action": n.action, "time": core.ISO(n.ends)}), n.action != ""
	case "spot/termination-time":
		return core.ISO(n.ends), n.action == "terminate"
	}
	return "", false
}

// target is the steady state that an instance in a state of its lifecycle is on its way to. For the replacement of a root volume AWS documents
// none: here it stays InService.
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/retrieving-target-lifecycle-state-through-imds.html
func target(state string) string {
	prefix, steady := "", state
	if warm, ok := strings.CutPrefix(state, "Warmed:"); ok {
		prefix, steady = "Warmed:", warm
	}
	switch first, _, _ := strings.Cut(steady, ":"); first {
	case "Terminating", "Terminated":
		return prefix + "Terminated"
	case "EnteringStandby", "Standby":
		return "Standby"
	case "Detaching", "Detached":
		return "Detached"
	case "Pending":
		if prefix != "" {
			return "Warmed:Stopped"
		}
	case "Stopped", "Running", "Hibernated":
		return prefix + first
	case "":
		return ""
	}
	return "InService"
}

// changeLasts is how long a scheduled change takes at most.
const changeLasts = 2 * time.Hour

// scheduled are the scheduled changes that are still to come, or going on.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_scheduled_events.html
func (w *IMDS) scheduled(n *notices) string {
	const form = "2 Jan 2006 15:04:05 GMT"
	n.scheduled = slices.DeleteFunc(n.scheduled, func(c change) bool { return w.Now().After(c.at.Add(changeLasts)) })
	return core.JSON(core.Mapped(n.scheduled, func(c change) any {
		code, text := "system-maintenance", "The instance is scheduled for network maintenance"
		switch {
		case strings.Contains(c.code, "RETIREMENT"):
			code, text = "instance-retirement", "The instance is running on degraded hardware"
		case strings.Contains(c.code, "REBOOT"):
			code, text = "system-reboot", "The instance is scheduled for a reboot"
		}
		return map[string]string{
			"NotBefore": c.at.UTC().Format(form), "NotAfter": c.at.Add(changeLasts).UTC().Format(form), "Code": code, "Description": text,
			"EventId": c.id, "State": "active",
		}
	}))
}

// identity is the instance identity document.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html
func (w *IMDS) identity(h *core.Instance) string {
	return core.JSON(map[string]any{
		"accountId": w.Account, "architecture": "x86_64", "availabilityZone": h.Zone, "billingProducts": nil, "devpayProductCodes": nil,
		"marketplaceProductCodes": nil, "imageId": "ami-0ebb0ebb0ebb0ebb0", "instanceId": h.ID, "instanceType": h.Host.Type, "kernelId": nil,
		"pendingTime": core.ISO(h.LaunchedAt), "privateIp": h.PrivateIP, "ramdiskId": nil, "region": w.Region, "version": "2017-09-30",
	})
}
