package main

import (
	"fmt"
	"os"
	"strings"
)

// readKnown reads the list of mutants that change no behaviour: the name of each in a line, and below one or more of them the reason in
// lines that begin with a space. Lines that begin with # are for people.
func readKnown(file string) (map[string]string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	known := map[string]string{}
	var open []string
	reason := ""
	for n, line := range strings.Split(string(b), "\n") {
		switch {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, " "):
			if len(open) == 0 {
				return nil, fmt.Errorf("%s:%d: a reason without a mutant above it", file, n+1)
			}
			reason += line
			for _, name := range open {
				known[name] = strings.TrimSpace(reason)
			}
		default:
			if reason != "" {
				open, reason = nil, ""
			}
			if _, twice := known[line]; twice {
				return nil, fmt.Errorf("%s:%d: this mutant is listed twice", file, n+1)
			}
			known[line] = ""
			open = append(open, line)
		}
	}
	for name, reason := range known {
		if reason == "" {
			return nil, fmt.Errorf("%s: no reason below %s", file, name)
		}
	}
	return known, nil
}

// stale is what the list says about packages that were tried and that is not so: a mutant that is not there, or that a test finds.
func stale(known map[string]string, results []result) []string {
	is := map[string]string{}
	for name := range known {
		for _, r := range results {
			if rest, ok := strings.CutPrefix(name, r.pkg+"/"); ok && !strings.Contains(strings.Fields(rest)[0], "/") {
				is[name] = "no such mutant"
			}
		}
	}
	for _, r := range results {
		for _, m := range r.mutants {
			if _, ok := is[m.name()]; ok {
				is[m.name()] = "a test finds it"
			}
		}
		for _, m := range r.survived {
			delete(is, m.name())
		}
	}
	var bad []string
	for name, why := range is {
		bad = append(bad, why+": "+name)
	}
	return bad
}
