//go:build long

package bench

import (
	"flag"
	"testing"
)

var (
	asked  options
	atOnce = flag.String("at-once", "1,10,150,1000,5000", "how many hosts leave at once")
	delays = flag.String("delays", "60s,300s", "deregistration delays")
)

func init() {
	flag.StringVar(&asked.only, "only", "", "calls, kernel or memory; empty: all")
	flag.IntVar(&asked.hosts, "memory-hosts", 10_000, "how many hosts drain while memory is read")
	flag.StringVar(&asked.out, "o", "", "write the report to this file as well, once it is complete")
}

func TestLong(t *testing.T) {
	t.Chdir("../..")
	if err := asked.parse(*atOnce, *delays); err != nil {
		t.Fatal(err)
	}
	if err := asked.report(); err != nil {
		t.Fatal(err)
	}
}
