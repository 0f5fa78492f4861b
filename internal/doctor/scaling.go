package doctor

import "github.com/ebbhq/ebb/internal/advice"

// Scaled is a service whose desired count Ebb is to set, and what Ebb would say of it now: the word of docs/reference/scaling.md, and why.
type Scaled struct {
	Cluster, Service, Code, Why string
	NoAlarms                    []string // of its policy, which do not exist
}

// scaling finds services that Ebb cannot scale, or only in part.
func scaling(in *Input) (found []Finding) {
	for _, s := range in.settings().Scaled {
		f := Finding{Severity: Warn, Subject: "service " + s.Service + " in cluster " + s.Cluster, Finding: s.Why}
		for _, name := range s.NoAlarms {
			missing := f
			missing.Finding, missing.Impact = "alarm "+name+" does not exist", "the service does not shrink, and nothing follows from that alarm"
			missing.Advice = advice.Of(advice.Say("create the alarm, or correct its name under alarms: in Ebb's configuration, or the Region"))
			found = append(found, missing)
		}
		fix := ""
		switch s.Code {
		case "two-scalers":
			f.Impact, fix = "Ebb leaves its desired count alone", "suspend the scalable target, or take the service out of scaling: in Ebb's configuration"
		case "no-service", "daemon":
			f.Severity, f.Impact, fix = Error, "nothing is scaled", "correct service: under scaling: in Ebb's configuration, or its Region"
		case "unknown":
			f.Unknown, f.Impact, fix = true, "whether Ebb can scale it is not known", "allow what ebb iam --mode read-only prints"
		default:
			continue
		}
		f.Advice = advice.Of(advice.Say("%s", fix))
		found = append(found, f)
	}
	return found
}
