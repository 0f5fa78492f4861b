//go:build long

package mutate

import (
	"flag"
	"os"
	"regexp"
	goruntime "runtime"
	"testing"
)

var (
	asked = options{out: os.Stdout}
	only  = flag.String("only", "", "only mutants whose name matches this regular expression")
)

func init() {
	flag.IntVar(&asked.cores, "cores", goruntime.NumCPU(), "how many tests run at a time")
	flag.StringVar(&asked.known, "equivalent", "test/mutate/equivalent.txt", "the list of mutants that change no behaviour")
	flag.BoolVar(&asked.own, "own", false, "run only the package's own tests")
}

func TestLong(t *testing.T) {
	t.Chdir("../..")
	some, err := choose(flag.Args())
	if err != nil {
		t.Fatal(err)
	}
	if asked.only, err = regexp.Compile(*only); err != nil {
		t.Fatal(err)
	}
	if asked.root, err = os.Getwd(); err != nil {
		t.Fatal(err)
	}
	if err := mutate(asked, some); err != nil {
		t.Fatal(err)
	}
}
