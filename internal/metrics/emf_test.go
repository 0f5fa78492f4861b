package metrics

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// units are those that the specification of the embedded metric format takes for a metric of this table.
var units = []string{"Seconds", "Count", "None"}

// valid checks a line by the rules of the specification.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
func valid(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil || bytes.Count(text, []byte("\n")) != 1 || len(text) > 256<<10 {
		t.Fatalf("not one object in one line: %v\n%s", err, text)
	}
	var line struct {
		AWS struct {
			Timestamp         int64
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name, Unit string }
			}
		} `json:"_aws"`
	}
	if err := json.Unmarshal(text, &line); err != nil || len(line.AWS.CloudWatchMetrics) == 0 || line.AWS.Timestamp <= 0 {
		t.Fatalf("no metadata: %v\n%s", err, text)
	}
	for _, d := range line.AWS.CloudWatchMetrics {
		if n := len(d.Namespace); n < 1 || n > 256 || len(d.Dimensions) == 0 || len(d.Metrics) < 1 || len(d.Metrics) > 100 {
			t.Errorf("directive: %+v", d)
		}
		for _, set := range d.Dimensions {
			if len(set) > 30 {
				t.Errorf("%d dimensions", len(set))
			}
			for _, name := range set {
				if v, is := root[name].(string); !is || v == "" || len(v) > 1024 || len(name) > 250 {
					t.Errorf("dimension %s is %v", name, root[name])
				}
			}
		}
		for _, m := range d.Metrics {
			values, several := root[m.Name].([]any)
			_, one := root[m.Name].(float64)
			if !one && (!several || len(values) < 1 || len(values) > 100) || m.Name == "" || len(m.Name) > 1024 || !slices.Contains(units, m.Unit) {
				t.Errorf("metric %+v is %v", m, root[m.Name])
			}
		}
	}
	return root
}

func line(t *testing.T, m *Meter) map[string]any {
	t.Helper()
	text, err := m.Line("ebb-drain")
	if err != nil {
		t.Fatal(err)
	}
	return valid(t, text)
}

// A line has what the table has, added up; the next one has only what was added since.
func TestLine(t *testing.T) {
	m, now := filled(t)
	first := line(t, m)
	for name, want := range map[string]any{
		"hook": "ebb-drain", drainsOpen: 3.0, drainsEnded: 2.0, "ebb_drains_forced_total": 1.0, calls: 2.0, "ebb_aws_calls_throttled_total": 1.0,
		oldest: 90.0, noticesWaiting: 2.0, "ebb_notices_failed_total": 1.0, journalFailed: 1.0, setAside: 1.0, blockers: 1.0, leases: 2.0,
	} {
		if first[name] != want {
			t.Errorf("%s is %v, want %v", name, first[name], want)
		}
	}
	if took, _ := first[drainSeconds].([]any); len(took) != 2 || took[0] != 420.0 {
		t.Errorf("durations: %v", first[drainSeconds])
	}
	if at := first["_aws"].(map[string]any)["Timestamp"]; at != float64(now.UnixMilli()) {
		t.Errorf("at %v", at)
	}
	m.JournalFailed()
	second := line(t, m)
	if second[drainsEnded] != 0.0 || second[journalFailed] != 1.0 || second[drainsOpen] != 3.0 || second[drainSeconds] != nil {
		t.Errorf("the second line: %v", second)
	}
	for range mostValues + 5 {
		m.Wrote(ended())
	}
	if took, _ := line(t, m)[drainSeconds].([]any); len(took) != mostValues {
		t.Errorf("%d durations", len(took))
	}
}

func TestALineEachMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New("", time.Now)
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		var out bytes.Buffer
		if err := m.Lines(ctx, &out, "ebb-drain"); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); n != 3 { // two, and the last one
			t.Errorf("%d lines in two and a half minutes", n)
		}
		for l := range bytes.Lines(out.Bytes()) {
			valid(t, l)
		}
	})
}

// The dashboards can be read, and name no metric that there is not.
func TestDashboards(t *testing.T) {
	var prometheus, cloudwatch []string
	for _, row := range Table() {
		prometheus = append(prometheus, row.Name)
		if row.Type == histogram {
			prometheus = append(prometheus, row.Name+"_bucket", row.Name+"_sum", row.Name+"_count")
		}
	}
	for _, s := range emf() {
		cloudwatch = append(cloudwatch, s.name)
	}
	for file, names := range map[string][]string{"grafana": prometheus, "cloudwatch": cloudwatch} {
		text, err := os.ReadFile("../../dashboards/" + file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var board map[string]any
		if err := json.Unmarshal(text, &board); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		found := regexp.MustCompile(`\bebb_[a-z_]+`).FindAllString(string(text), -1)
		if len(found) < 8 {
			t.Errorf("%s names only %q", file, found)
		}
		for _, name := range found {
			if !slices.Contains(names, name) {
				t.Errorf("%s names %s, which there is not", file, name)
			}
		}
		for _, key := range map[string][]string{"grafana": {"title", "uid", "schemaVersion", "panels"}, "cloudwatch": {"widgets"}}[file] {
			if board[key] == nil {
				t.Errorf("%s has no %s", file, key)
			}
		}
	}
}
