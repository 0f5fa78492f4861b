// Package dashboards reads what Ebb offers to Grafana, Prometheus and CloudWatch with their own models: the dashboards and the lines of the
// embedded metric format.
//
// It never asks a Grafana or AWS.
package dashboards

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	grafanaprom "github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/metrics"
)

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// checked decodes JSON and holds it against a schema.
func checked(t *testing.T, schema string, text []byte) map[string]any {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile("testdata/" + schema)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(value); err != nil {
		t.Errorf("%v", err)
	}
	return value.(map[string]any)
}

// TestGrafana: Grafana's model of a dashboard takes each member, and Prometheus' parser each query, which asks for what there is: metrics
// and labels of the table, rates of what counts and of nothing else.
func TestGrafana(t *testing.T) {
	models := cog.NewRuntime() // what else there is takes a minute to compile
	models.RegisterPanelcfgVariant(timeseries.VariantConfig())
	models.RegisterDataqueryVariant(grafanaprom.VariantConfig())
	text := read(t, "../../dashboards/grafana.json")
	// The strict decoder returns an error without a text where all is well, and then leaves panels out: the other one fills them.
	if err := new(dashboard.Dashboard).UnmarshalJSONStrict(text); err != nil && err.Error() != "" {
		t.Fatal(err)
	}
	var board dashboard.Dashboard
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	if err := board.Validate(); err != nil {
		t.Error(err)
	}
	var sources []string
	for _, v := range board.Templating.List {
		sources = append(sources, "${"+v.Name+"}")
	}
	queries := 0
	for _, p := range board.Panels {
		panel := p.Panel
		if panel == nil || panel.Title == nil || panel.Datasource == nil || panel.Datasource.Uid == nil {
			t.Fatalf("a panel without a title or a data source: %+v", panel)
		}
		if source := *panel.Datasource.Uid; !slices.Contains(sources, source) {
			t.Errorf("%s: the data source is %s, and the variables are %s", *panel.Title, source, sources)
		}
		for _, target := range panel.Targets {
			q, ok := target.(*grafanaprom.Dataquery)
			if !ok {
				t.Fatalf("%s: %T is no query of Prometheus", *panel.Title, target)
			}
			queries++
			checkQuery(t, *panel.Title, *q)
		}
	}
	if queries < 10 {
		t.Errorf("only %d queries", queries)
	}
}

func checkQuery(t *testing.T, title string, q grafanaprom.Dataquery) {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(strings.ReplaceAll(q.Expr, "$__rate_interval", "5m"))
	if err != nil {
		t.Errorf("%s: %s: %v", title, q.Expr, err)
		return
	}
	var labels []string // of the metric that the query is about
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		v, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		kind, has := metric(v.Name)
		if kind == "" {
			t.Errorf("%s: there is no metric %s", title, v.Name)
		}
		labels = append(has, "__name__")
		for _, m := range v.LabelMatchers {
			if !slices.Contains(labels, m.Name) {
				t.Errorf("%s: %s has no label %s", title, v.Name, m.Name)
			}
		}
		_, ranged := path[len(path)-1].(*parser.MatrixSelector)
		if ranged != (kind == "counter") {
			t.Errorf("%s: %s is a %s; a counter is asked for its rate, and nothing else is", title, v.Name, kind)
		}
		return nil
	})
	grouped := []string{}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if a, ok := node.(*parser.AggregateExpr); ok {
			for _, name := range a.Grouping {
				if !slices.Contains(labels, name) {
					t.Errorf("%s: it groups by %s, which is no label of its metric", title, name)
				}
			}
			grouped = append(grouped, a.Grouping...)
		}
		return nil
	})
	for part := range strings.SplitSeq(*q.LegendFormat, "{{") {
		if name, _, ok := strings.Cut(part, "}}"); ok && !slices.Contains(grouped, name) {
			t.Errorf("%s: the legend names %s, which the query does not keep", title, name)
		}
	}
}

// metric is the type of a metric as Prometheus has it, and its labels; empty: there is none. The parts of a histogram count.
func metric(name string) (kind string, labels []string) {
	for _, row := range metrics.Table() {
		switch {
		case row.Name == name && row.Type != "histogram":
			return row.Type, slices.Clone(row.Labels)
		case row.Type == "histogram" && name == row.Name+"_bucket":
			return "counter", append(slices.Clone(row.Labels), "le")
		case row.Type == "histogram" && (name == row.Name+"_sum" || name == row.Name+"_count"):
			return "counter", slices.Clone(row.Labels)
		}
	}
	return "", nil
}

// line is one line of the embedded metric format, with all metrics in it.
func line(t *testing.T) []byte {
	t.Helper()
	m := metrics.New("v1.2.3", time.Now)
	m.Wrote(journal.Batch{Records: []journal.Record{{Key: "host:web/i-0/1", Scope: "cluster/prod", Rev: 2, Body: []byte(`{"v":1,"kind":"host",` +
		`"instance":"i-0","group":"web","scope":"x","zero":"2026-11-21T09:00:00Z","ended":"2026-11-21T09:07:00Z",` +
		`"final":{"at":"2026-11-21T09:07:00Z","outcome":"forced","reason":"the deadline is over"}}`)}}})
	text, err := m.Line("ebb-drain")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// emitted are the metrics in a line, with the namespace and the dimensions with which CloudWatch keeps them.
func emitted(t *testing.T) (names []string, namespace string, dimensions []any) {
	t.Helper()
	directive := checked(t, "emf.schema.json", line(t))["_aws"].(map[string]any)["CloudWatchMetrics"].([]any)[0].(map[string]any)
	for _, m := range directive["Metrics"].([]any) {
		names = append(names, m.(map[string]any)["Name"].(string))
	}
	return names, directive["Namespace"].(string), directive["Dimensions"].([]any)[0].([]any)
}

// TestEMF: a line passes AWS's schema of the format.
func TestEMF(t *testing.T) {
	if names, _, _ := emitted(t); !slices.Contains(names, "ebb_drain_duration_seconds") || len(names) < 10 {
		t.Errorf("the line has only %v", names)
	}
}

// TestCloudWatch: the dashboard is as AWS documents one, and shows what the lines bring, by the namespace and the dimensions of the lines.
func TestCloudWatch(t *testing.T) {
	names, namespace, dimensions := emitted(t)
	for _, w := range checked(t, "cloudwatch.schema.json", read(t, "../../dashboards/cloudwatch.json"))["widgets"].([]any) {
		of := w.(map[string]any)["properties"].(map[string]any)
		for _, m := range of["metrics"].([]any) {
			words := m.([]any)
			if _, drawn := words[len(words)-1].(map[string]any); drawn {
				words = words[:len(words)-1]
			}
			if len(words) != 2+2*len(dimensions) || words[0] != namespace || !slices.Contains(names, words[1].(string)) {
				t.Errorf("%v: %v is no metric of a line", of["title"], words)
				continue
			}
			for i, d := range dimensions {
				if words[2+2*i] != d {
					t.Errorf("%v: %v has the dimension %v, not %v", of["title"], words, words[2+2*i], d)
				}
			}
		}
	}
}
