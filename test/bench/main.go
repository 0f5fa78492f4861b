// Bench measures what a drain costs, for Ebb and for the home-made drainer: calls of AWS's APIs and how soon the hook is answered, in the
// simulated cloud and in virtual time; what the kernel needs of a processor; and how much memory ebb serve holds.
//
// It never speaks to AWS. Counts and virtual times are the same on every machine; the rest says what machine it was read on.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// options are the command line.
type options struct {
	atOnce []int
	delays []time.Duration
	only   string
	hosts  int
	out    string
}

func main() {
	var o options
	atOnce := flag.String("at-once", "1,10,150,1000,5000", "how many hosts leave at once")
	delays := flag.String("delays", "60s,300s", "deregistration delays")
	flag.StringVar(&o.only, "only", "", "calls, kernel or memory; empty: all")
	flag.IntVar(&o.hosts, "memory-hosts", 10_000, "how many hosts drain while memory is read")
	flag.StringVar(&o.out, "o", "", "write the report to this file as well, once it is complete")
	flag.Parse()
	if err := o.parse(*atOnce, *delays); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(64)
	}
	if err := o.report(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (o *options) parse(atOnce, delays string) error {
	for s := range strings.SplitSeq(atOnce, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return fmt.Errorf("--at-once: %q is no number of hosts; write it like 1,10,150", s)
		}
		o.atOnce = append(o.atOnce, n)
	}
	for s := range strings.SplitSeq(delays, ",") {
		d, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("--delays: %w; write it like 60s,300s", err)
		}
		o.delays = append(o.delays, d)
	}
	if o.only != "" && o.only != "calls" && o.only != "kernel" && o.only != "memory" {
		return fmt.Errorf("--only: %q is not known; it is calls, kernel or memory", o.only)
	}
	return nil
}

// report makes the report, section by section, and shows each as soon as it is there.
func (o *options) report() error {
	var text bytes.Buffer
	w := io.MultiWriter(os.Stdout, &text)
	fmt.Fprint(w, head)
	for _, section := range []struct {
		name string
		make func(io.Writer) error
	}{{"calls", o.calls}, {"kernel", kernelTimes}, {"memory", o.memory}} {
		if o.only != "" && o.only != section.name {
			continue
		}
		if err := section.make(w); err != nil {
			return fmt.Errorf("%s: %w", section.name, err)
		}
	}
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, text.Bytes(), 0o644)
}

const head = "# What a drain costs\n\nMade by `make bench`; do not edit. " +
	"Counts and virtual times are the same on every machine, processor times and memory are not.\n"
