package ecs

import "testing"

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{"ec2InstanceId in ['i-1','i-2']", "(a == b) or not attribute:x exists", "runningTasksCount>=2", "'", "!!!"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		match, err := parseFilter(text)
		if (match == nil) == (err == nil) {
			t.Fatalf("%q: match %v, error %v", text, match != nil, err)
		}
		if err == nil {
			match(&subject{ci: &containerInstance{}})
		}
	})
}
