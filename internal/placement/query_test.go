package placement

import (
	"testing"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

func TestTheClusterQueryLanguage(t *testing.T) {
	host := inventory.Host{
		ContainerInstance: fleet.ContainerInstance{Instance: "i-0a", Connected: true}, AgentVersion: "1.68.2",
		Attributes: map[string]string{"ecs.instance-type": "m7i.large", "stack": "prod", "disks": "12", "load": "1.5", "flag": ""},
	}
	for text, want := range map[string]answer{
		"attribute:stack == prod":                            yes,
		"attribute:stack equals 'prod'":                      yes,
		`attribute:stack != "prod"`:                          no,
		"attribute:stack in [test, prod]":                    yes,
		"attribute:stack not_in [test, prod]":                no,
		"attribute:stack !in ['test']":                       yes,
		"attribute:flag exists":                              yes,
		"attribute:none exists":                              no,
		"attribute:none !exists":                             yes,
		"attribute:none == x":                                no,
		"attribute:none in [x]":                              no,
		"attribute:none =~ x":                                no,
		"attribute:none != x":                                unknown, // not documented
		"attribute:disks > 9":                                yes,     // a number, not a text
		"attribute:disks <= 11.5":                            no,
		"attribute:load > 1.25":                              yes,
		"attribute:stack > 3":                                unknown,
		"attribute:disks > many":                             unknown,
		"agentVersion >= 1.9.0":                              yes,
		"agentVersion < 1.68":                                no,
		"agentVersion < 1.68.3":                              yes,
		"agentVersion > 1.68.10":                             no,
		"agentConnected == true":                             yes,
		"ec2InstanceId in [i-0a, i-0b]":                      yes,
		"attribute:ecs.instance-type =~ m7i.*":               yes,
		"attribute:ecs.instance-type !~ t3.*":                yes,
		"attribute:ecs.instance-type =~ large":               unknown, // whether all of it must match is not documented
		"attribute:ecs.instance-type =~ m7i":                 unknown,
		"attribute:ecs.instance-type =~ 'm7i|m7i.large'":     yes,
		"attribute:ecs.instance-type =~ '(?<=m)7i'":          unknown, // Java's, not Go's
		"task:group == service:web":                          unknown, // changes while tasks are placed
		"runningTasksCount < 3":                              unknown,
		"registeredAt > 2026-01-01":                          unknown,
		"attribute:stack == prod and attribute:disks == 3":   no,
		"attribute:stack == test or attribute:disks == 12":   yes,
		"attribute:stack == prod && task:group == service:x": unknown,
		"attribute:stack == test && task:group == service:x": no,
		"attribute:stack == prod || task:group == service:x": yes,
		"not (attribute:stack == test)":                      yes,
		"!(attribute:stack == prod)":                         no,
		"not(task:group == service:x)":                       unknown,
		"attribute:stack == a or attribute:stack == b and attribute:disks == 12 or attribute:stack == prod": yes,
	} {
		q, ok := parse(text)
		if got := q(&host); !ok || got != want {
			t.Errorf("%s: %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "attribute:stack", "attribute:stack ==", "attribute:stack is prod", "(attribute:stack == prod", "attribute:stack == prod)", "attribute:stack == 'prod",
		"attribute:stack in", "attribute:stack in prod", "attribute:stack in [prod", "attribute:stack in [prod test]", "attribute:stack in []",
		"and", "not", "attribute:stack == prod prod", "== ==", "attribute:stack == ==",
	} {
		if q, ok := parse(text); ok || q(&host) != unknown {
			t.Errorf("%q was understood", text)
		}
	}
}

func TestAHostOfWhichNothingIsKnown(t *testing.T) {
	for _, text := range []string{"attribute:stack == prod", "attribute:stack !exists", "agentVersion == 1.68.2", "agentVersion exists"} {
		q, _ := parse(text)
		if got := q(&inventory.Host{}); got != unknown {
			t.Errorf("%s: %d", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("not (attribute:a in [b, 'c d'] and agentVersion >= 1.2.3) || x !~ \"y\"")
	host := inventory.Host{Attributes: map[string]string{"a": "b"}}
	f.Fuzz(func(t *testing.T, text string) {
		q, ok := parse(text)
		if a := q(&host); !ok && a != unknown || a < no || a > yes {
			t.Errorf("%q: %d, %v", text, a, ok)
		}
	})
}
