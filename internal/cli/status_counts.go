package cli

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/kernel"
)

// countLine is a desired count that Ebb has raised, or is about to; its JSON keys are stable.
type countLine struct {
	Cluster string      `json:"cluster"`
	Service string      `json:"service"`
	Base    int         `json:"base"`  // without what is raised
	Count   int         `json:"count"` // as far as Ebb knows
	Raised  []raiseLine `json:"raised"`
	Load    time.Time   `json:"load,omitzero"` // the service is scaled, and its count last changed then
}

// raiseLine is one reason for that.
type raiseLine struct {
	Who   string    `json:"who"` // the key of a drain, or spot/ and a service
	By    int       `json:"by"`
	Until time.Time `json:"until,omitzero"` // at the latest
}

func countLineOf(c kernel.ServiceCount) countLine {
	l := countLine{Cluster: c.Cluster, Service: c.Service, Base: c.Base, Count: c.Count, Raised: []raiseLine{}, Load: c.Scaling.Changed}
	for _, r := range c.Raises {
		if !r.Void {
			l.Raised = append(l.Raised, raiseLine{r.Who, r.By, r.Until})
		}
	}
	return l
}

func (l countLine) whose() string {
	var who []string
	for _, r := range l.Raised {
		who = append(who, fmt.Sprintf("%d for %s", r.By, r.Who))
	}
	if !l.Load.IsZero() {
		who = append(who, "its load")
	}
	return cmp.Or(strings.Join(who, ", "), "-")
}
