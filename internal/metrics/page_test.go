package metrics

import (
	"fmt"
	"strings"
)

// written is the page of the reference, docs/reference/metrics.md.
func written() string {
	var b strings.Builder
	b.WriteString(`# Metrics

<!-- Written by: go test ./internal/metrics -run TestPage -update. Change internal/metrics/table.go. -->

` + "`ebb serve --admin 127.0.0.1:9092`" + ` (` + "`admin`" + ` in the configuration, ` + "`EBB_ADMIN`" + `) answers there, and nowhere without it:

| path | answers |
|---|---|
| ` + "`/metrics`" + ` | the metrics below, for Prometheus |
| ` + "`/livez`" + ` | 200 if the loop has turned within a minute, else 503: restart it |
| ` + "`/readyz`" + ` | 200 once the journal was read and the leases are known, else 503. An Ebb that stands by is ready too, and says so |

Nothing there asks for a password, changes anything or holds a secret, but scopes and routes are named. Give an address other than the
loopback only where the network lets nobody else in.

STABLE: name, labels and meaning stay until a major version. BETA: they may change in a minor version, and the changelog says so. ALPHA:
they may change or go at any time.

Of several Ebbs with one journal, one works for a scope: add up over all. Counters begin at 0 with each process.

| metric | type | labels | stability | meaning |
|---|---|---|---|---|
`)
	for _, m := range Table() {
		labels := "–"
		if len(m.Labels) > 0 {
			labels = "`" + strings.Join(m.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Type, labels, m.Stability, m.Help)
	}
	b.WriteString(`
## CloudWatch

With ` + "`metrics: emf`" + ` in the configuration Ebb writes lines in CloudWatch's embedded metric format to standard output: ` +
		"`ebb serve`" + `
one a minute, ` + "`ebb lambda`" + ` one for each pass. CloudWatch Logs makes metrics of them, in the namespace ` + "`" + namespace + "`" + ` with
the dimension ` + "`hook`" + `, the name of the hook that Ebb answers. Ask for the Sum of a counter, which holds what was added since the line
before, and for the Maximum of a gauge. They are BETA.

| metric | unit | counts |
|---|---|---|
`)
	for _, s := range emf() {
		of := "`" + s.of + "`, over all labels"
		if s.label != "" {
			of = fmt.Sprintf("`%s` with the %s %s", s.of, s.label, s.value)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.name, s.unit, of)
	}
	fmt.Fprintf(&b, "\nA line holds the durations of up to %d drains.\n", mostValues)
	b.WriteString(`
## Dashboards

dashboards/grafana.json is for Grafana with Prometheus (Dashboards, New, Import). dashboards/cloudwatch.json is for CloudWatch; write your
Region and hook into it, and then: aws cloudwatch put-dashboard --dashboard-name ebb --dashboard-body file://dashboards/cloudwatch.json
`)
	return b.String()
}
