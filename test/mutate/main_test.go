// Package mutate says how good the tests are: it changes the code in many small ways, as everyday bugs would, and counts how many of the
// changes some test finds.
//
// All mutants of a package are compiled into one changed copy of it, and a number in the environment chooses one of them. So each test
// binary is built once and run once for each mutant that it reaches, with the tests that reach it. What survives is listed, apart from what
// equivalent.txt lists as no change of behaviour. It never changes a file of the module.
//
//	bash test/long.sh mutate
//	bash test/long.sh mutate -only looks.go kernel
package mutate

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

const module = "github.com/ebbhq/ebb/"

// suite is a set of tests that may find a mutant.
type suite struct {
	pkg   string
	tests string   // which of its tests; a regular expression
	args  []string // of the test binary
	tags  string   // with which it is built, where DynamoDB Local runs
}

func (s suite) name() string { return s.pkg + " " + s.tests }

// target is a package whose code is changed. Its own tests run first, then the other suites.
type target struct {
	pkg  string
	also []suite
	args []string // of its own tests
	tags string   // of its own tests, where DynamoDB Local runs
	// least is how many per cent must be found; 0: enough. Where it is less, tests are still missing: raise it with them.
	least float64
}

// enough is how many per cent of the mutants that change behaviour have to be found.
const enough = 90

// logs are the functions of Ebb that only write a log line.
var logs = []string{"note", "line"}

var stories = []suite{
	{pkg: "internal/sim/story", tests: "^TestSeeds$", args: []string{"-once", "-stop", "-seeds=60"}},
	{pkg: "internal/sim/story", tests: "^(TestStories|TestFound)$", args: []string{"-test.skip=^TestStories$/^many-hooks"}},
}

var conformance = []suite{{pkg: "internal/journal", tests: "^TestConformance", tags: "dynamodb"}}

// slowInKernel are tests that take seconds, many times as long with a mutant, and find what others find.
const slowInKernel = "^(TestTasksInManyTargetGroups|TestTheNetIsReadOnce|TestWhatManyScaledServicesCost|TestTasksOnFargateSpotAreOutInTime|TestListings)"

var targets = []target{
	{pkg: "internal/drain", also: stories, args: []string{"-scenes=2000"}},
	{pkg: "internal/kernel", also: stories, args: []string{"-most-hosts=50", "-test.skip=" + slowInKernel}},
	{pkg: "internal/lease", also: stories},
	{pkg: "internal/desired", args: []string{"-seeds=200"}},
	{pkg: "internal/journal", tags: "dynamodb", args: []string{"-test.skip=DynamoDB"}}, // they take long, and memory and SQLite find as much
	{pkg: "internal/journal/memory", also: conformance},
	{pkg: "internal/journal/sqlite", also: conformance},
	{pkg: "internal/journal/dynamodb", tags: "dynamodb", also: conformance},
	{pkg: "internal/source/sqs"},
	{pkg: "internal/source/lambda"},
	{pkg: "internal/cloud", also: stories},
	{pkg: "internal/config"},
	{pkg: "internal/diagnose", args: []string{"-test.skip=^TestNoAnswerGetsBetterByADenial$"}}, // it takes long, and others find what it finds
	{pkg: "internal/placement", args: []string{"-seeds=15", "-boards=4000"}},
	{pkg: "internal/doctor"},
}

// options are what is asked for.
type options struct {
	root, known string
	cores       int
	only        *regexp.Regexp
	own         bool // only the package's own tests
	out         io.Writer
}

// result is what came of the mutants of one package. Those that survived are among those of the list, too.
type result struct {
	target
	mutants, survived []*mutant
	equivalent        int
	reached           int
}

// score is the share of the mutants that change behaviour and that a test finds, in per cent.
func (r result) score() float64 {
	if len(r.mutants) == r.equivalent {
		return 100
	}
	return 100 * float64(len(r.mutants)-len(r.survived)) / float64(len(r.mutants)-r.equivalent)
}

// choose are the targets with these names, without or with those below them; none: all.
func choose(names []string) ([]target, error) {
	if len(names) == 0 {
		return targets, nil
	}
	var some []target
	for _, name := range names {
		i := slices.IndexFunc(targets, func(t target) bool { return t.pkg == "internal/"+name })
		if i < 0 {
			return nil, fmt.Errorf("%s is not in the table of packages in test/mutate/main_test.go", name)
		}
		some = append(some, targets[i])
	}
	return some, nil
}

// mutate tries all mutants of some packages and prints what came of it.
func mutate(o options, some []target) error {
	known, err := readKnown(o.known)
	if err != nil {
		return err
	}
	var paths []string
	for _, t := range some {
		paths = append(paths, module+t.pkg)
	}
	l, err := newLoader(o.root, paths)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	r := &runner{root: o.root, work: work, cores: o.cores, binaries: map[string]string{}, plain: map[string]map[string]time.Duration{}}
	var codes []*code
	all := map[int]*mutant{}
	for _, path := range paths {
		c, err := l.load(path)
		if err != nil {
			return err
		}
		for _, m := range c.mutants {
			m.number, m.tests = len(all), map[string][]string{}
			all[m.number] = m
		}
		codes = append(codes, c)
	}
	var results []result
	for i, t := range some {
		suites := []suite{{pkg: t.pkg, tests: ".", args: t.args, tags: t.tags}}
		if !o.own {
			suites = append(suites, t.also...)
		}
		if os.Getenv("EBB_DYNAMODB_ENDPOINT") == "" {
			for i := range suites {
				suites[i].tags = ""
			}
		}
		if err := r.build(codes, suites); err != nil {
			return err
		}
		for _, s := range suites {
			if err := r.reach(s, all); err != nil {
				return err
			}
		}
		began := time.Now()
		res := tried(o, r, t, codes[i].mutants, suites, known)
		results = append(results, res)
		fmt.Fprintf(o.out, "%s: %d mutants in %s\n", t.pkg, len(res.mutants), time.Since(began).Round(time.Second))
	}
	return report(o, results, known)
}

// tried tries the mutants of one package and prints at once what survived.
func tried(o options, r *runner, t target, mutants []*mutant, suites []suite, known map[string]string) result {
	res := result{target: t}
	for _, m := range mutants {
		if o.only.MatchString(m.name()) {
			res.mutants = append(res.mutants, m)
			if len(m.tests) > 0 {
				res.reached++
			}
		}
	}
	r.try(res.mutants, suites, func(m *mutant) {
		res.survived = append(res.survived, m)
		if _, ok := known[m.name()]; ok {
			res.equivalent++
			return
		}
		how := "survived"
		if len(m.tests) == 0 {
			how = "unreached"
		}
		fmt.Fprintf(o.out, "%-9s %s\n", how, m.place())
	})
	return res
}

// report prints the table, and returns an error if all mutants were tried and the list is not true, or if all tests ran, too, and found too
// little.
func report(o options, results []result, known map[string]string) error {
	fmt.Fprintf(o.out, "\n%-26s %8s %8s %8s %8s %11s %9s\n", "package", "mutants", "reached", "found", "survived", "equivalent", "found")
	var bad []string
	whole := o.only.String() == "" && !o.own
	for _, r := range results {
		fmt.Fprintf(o.out, "%-26s %8d %8d %8d %8d %11d %7.1f %%\n", r.pkg, len(r.mutants), r.reached, len(r.mutants)-len(r.survived),
			len(r.survived)-r.equivalent, r.equivalent, r.score())
		if least := cmp.Or(r.least, enough); r.score() < least && whole {
			bad = append(bad, fmt.Sprintf("%s: less than %.0f %% of the mutants are found", r.pkg, least))
		}
	}
	if o.only.String() == "" {
		for _, s := range stale(known, results) {
			bad = append(bad, o.known+": "+s)
		}
	}
	slices.Sort(bad)
	if len(bad) > 0 {
		return fmt.Errorf("%d things are wrong:\n%s", len(bad), strings.Join(bad, "\n"))
	}
	return nil
}

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
