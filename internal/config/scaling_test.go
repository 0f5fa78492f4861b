package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/scale"
)

func TestScaling(t *testing.T) {
	c, err := Load(write(t, `
scaling:
  - service: prod/web
    min: 2
    max: 20
    repeat: off
    alarms: [{name: up, change: "+1, 20: +50%"}, {name: down, change: -1}, {name: db, brake: true, change: "-2"}]
    windows: [{start: 0 19 * * 1-5, timezone: Europe/Berlin, for: 13h, min: 0}]
  - {service: prod/jobs, min: 0, max: 9, queue: "https://sqs.eu-west-1.amazonaws.com/111122223333/jobs", finish_within: 5m,
     protected: true, fallback: 3, in_cooldown: 2m}
  - {service: prod/api, min: 1, max: 9, namespace: Shop, metric: rps, dimensions: "a=1, b=2", target: 2.5, period: 10s, per_task: true, every: 10s}
`), vars(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	web, jobs, api := c.Scaling[0], c.Scaling[1], c.Scaling[2]
	rules := []scale.Rule{
		{Alarm: "up", Bands: []scale.Band{{Change: scale.Change{By: 1}}, {From: 20, Change: scale.Change{By: 50, Percent: true}}}},
		{Alarm: "down", Change: scale.Change{By: -1}}, {Alarm: "db", Brake: true, Change: scale.Change{By: -2}},
	}
	if web.Cluster != "prod" || web.Service != "web" || web.Policy.Repeat != 0 || !cmp.Equal(web.Policy.Alarms, rules) || len(web.Policy.Windows) != 1 {
		t.Errorf("%+v", web)
	}
	if q := jobs.Policy.Queue; q == nil || q.FinishWithin != 5*time.Minute || !q.Protected || *q.Fallback != 3 ||
		jobs.Policy.Alarms != nil || jobs.Policy.Repeat != time.Minute || jobs.Policy.Window != time.Minute || jobs.Policy.InCooldown != 2*time.Minute ||
		web.Policy.Window != 5*time.Minute || web.Policy.InCooldown != 5*time.Minute {
		t.Errorf("%+v", jobs)
	}
	m := fleet.Metric{Namespace: "Shop", Name: "rps", Dimensions: map[string]string{"a": "1", "b": "2"}, Stat: "Average", Period: 10 * time.Second}
	if tr := api.Policy.Tracking; tr == nil || !cmp.Equal(tr.Metric, m) || tr.Target != 2.5 || !tr.PerTask || api.Every != 10*time.Second {
		t.Errorf("%+v", api)
	}
}

// What is wrong is named, and nothing is guessed.
func TestScalingThatIsWrong(t *testing.T) {
	const queue = `queue: "https://sqs.eu-west-1.amazonaws.com/111122223333/jobs"`
	for text, want := range map[string]string{
		`{service: web, min: 1, max: 2, alarms: [{name: up, change: +1}]}`:  "write CLUSTER/SERVICE, like prod/web",
		`{min: 1, max: 2, alarms: [{name: up, change: +1}]}`:                "no service",
		`{service: a/b, max: 2, alarms: [{name: up, change: +1}]}`:          "no min or no max",
		`{service: a/b, min: 3, max: 2, alarms: [{name: up, change: +1}]}`:  "min is 3, which is above max, 2",
		`{service: a/b, min: -1, max: 2, alarms: [{name: up, change: +1}]}`: `min is "-1"; write a number of tasks`,
		`mode: scale`:                                              "write alarms:, queue: or metric:",
		`alarms: [{name: up}]`:                                     "no change",
		`alarms: [{change: +1}]`:                                   "no name",
		`alarms: [{name: up, change: 1}]`:                          `"1" is no change`,
		`alarms: [{name: up, change: "+1, 20: +2, 10: +3"}]`:       "sizes of the breach that rise",
		`alarms: [{name: up, change: +1, brake: true}]`:            "a brake takes tasks away",
		`alarms: [{name: up, change: +1}, {name: up, change: +2}]`: "twice",
		`alarms: [{name: "arn:aws:cloudwatch:x", change: +1}]`:     "write the alarm's name",
		`{service: a/b, min: 1, max: 2, ` + queue + `}`:            "no finish_within",
		`finish_within: 5m, alarms: [{name: up, change: +1}]`:      "finish_within is for a service that follows a queue",
		`{service: a/b, min: 1, max: 2, ` + queue + `, finish_within: 5m, namespace: A, metric: b, target: 1}`: "a queue and a metric",
		`metric: b, target: 1`:                                                                       "no namespace or no target",
		`namespace: A, metric: b, target: .nan`:                                                      "write a number above 0",
		`namespace: A, metric: b, target: 1, period: 15s`:                                            "10s, 20s, 30s and whole minutes",
		`namespace: A, metric: b, target: 1, dimensions: x`:                                          "write Name=value",
		`{service: a/b, min: 1, max: 2, every: 1s, ` + queue + `, finish_within: 5m}`:                "write at least 10s",
		`mode: drain, alarms: [{name: up, change: +1}]`:                                              "write scale or observe",
		`alarms: [{name: up, change: +1}], windows: [{start: 0 19 * *}]`:                             "time zone",
		`alarms: [{name: up, change: +1}], windows: [{start: "0 19 * * *", timezone: UTC, for: 1h}]`: "neither min nor max",
		`alarm: [{name: up, change: +1}]`:                                                            `unknown key "alarm"`,
	} {
		if text[0] != '{' {
			text = "{service: a/b, min: 1, max: 2, " + text + "}"
		}
		_, err := Load(write(t, "scaling:\n  - "+text+"\n"), vars(nil), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	_, err := Load(write(t, "scaling:\n  - &a {service: a/b, min: 1, max: 2, alarms: [{name: up, change: +1}]}\n  - *a\n"), vars(nil), nil)
	if err == nil || !strings.Contains(err.Error(), "a/b stands under scaling twice") {
		t.Error(err)
	}
}
