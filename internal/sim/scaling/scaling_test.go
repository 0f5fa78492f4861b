package scaling

import (
	"strings"
	"testing"
)

// A trace is played as requests and as messages, with its peak scaled to 20 tasks: the oracle misses nothing, the recipe most of a jump, and each
// policy has a line in the table and a part of the picture.
func TestATraceIsComparedByAllPolicies(t *testing.T) {
	loads, err := Traced("jump.csv", "second,count\n0,60\n60,60\n120,60\n180,600\n240,600\n300,600\n360,600\n420,60\n")
	if err != nil || len(loads) != 2 || loads[0].Queue || !loads[1].Queue || loads[0].Title() != "jump.csv of requests" {
		t.Fatalf("%v, %+v", err, loads)
	}
	if peak := loads[0].most(); peak != 20 {
		t.Errorf("the peak needs %d tasks, not 20", peak)
	}
	for _, l := range loads {
		rows, err := l.Rows()
		if err != nil {
			t.Fatal(err)
		}
		recipe, oracle := Find(rows, Recipe), Find(rows, Oracle)
		if recipe.Missed() < 0.3 || oracle.Missed() > 0.001 || recipe.Hours() > oracle.Hours() {
			t.Errorf("%s: the recipe missed %.3f in %.1f hours, the oracle %.3f in %.1f", l.Title(), recipe.Missed(), recipe.Hours(), oracle.Missed(), oracle.Hours())
		}
		table, picture := l.Table(rows), string(l.Picture(rows))
		if len(table) != len(rows)+1 || len(rows) != len(l.policies()) || strings.Count(picture, "<polyline") != len(rows) {
			t.Errorf("%s: %d lines and %d parts of the picture for %d policies", l.Title(), len(table)-1, strings.Count(picture, "<polyline"), len(rows))
		}
		for _, line := range table {
			if len(line) != len(table[0]) {
				t.Errorf("%s: %q has not the columns of %q", l.Title(), line, table[0])
			}
		}
		if one := l.Picture(rows, Recipe); strings.Count(string(one), "<polyline") != 1 {
			t.Errorf("%s: one policy was asked for", l.Title())
		}
	}
}

func TestTracesThatCannotBePlayed(t *testing.T) {
	for text, want := range map[string]string{
		"second,count\n0,many\n": "t.csv: ", "second,count\n0,0\n60,0\n120,0\n": "no rate is above 0", "second,count\n0,1\n1,1\n2,1\n": "less than a minute",
	} {
		if _, err := Traced("t.csv", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
