// Package storm kills Ebb again and again while hosts drain, and judges what came of it by the simulated cloud's own record and by the
// journal. It runs the built ebb: one or more ebb serve on one journal, each a process of its own, or the processes of a Lambda function.
// The simulated cloud is in this process.
//
// It never speaks to anything but loopback, never trusts what an Ebb says of itself, and never leaves a process behind.
//
//	bash test/long.sh storm -runs 5 -processes 2
//	bash test/dynamodb/run.sh bash test/long.sh storm -journal dynamodb
//	bash test/dynamodb/run.sh bash test/long.sh storm -shape lambda
package storm

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ebbhq/ebb/internal/sim/core"
)

// options are how a storm blows.
type options struct {
	ebb       string // the program
	shape     string // serve, lambda
	journal   string // sqlite, dynamodb
	seed      uint64
	hosts     int     // that leave
	kills     int     // SIGKILLs, over all processes
	processes int     // ebb serve
	speed     float64 // of the world against real time
	spaces    bool    // processes can be kept from seeing each other
	fault     string  // what else goes wrong; empty: nothing
	dir       string  // of logs, journal and world
}

// apart reports whether the serves run as if each had a host of its own, where nobody can tell that another is dead but by its lease.
func (o options) apart() bool { return o.spaces && o.journal == dynamodbJournal && o.seed%2 == 0 }

// The shapes, the journals, and the speeds of worlds in which leases count: they do so in real time, so that a dead Ebb's lease blocks the
// longer the faster the world.
const (
	serveShape  = "serve"
	lambdaShape = "lambda"

	sqliteJournal   = "sqlite"
	dynamodbJournal = "dynamodb"

	tableSpeed  = 5
	lambdaSpeed = 3
)

// complete fills in what was left open, and refuses what does not fit.
func (o *options) complete() error {
	if o.shape != serveShape && o.shape != lambdaShape {
		return fmt.Errorf("-shape is %q; it is serve or lambda", o.shape)
	}
	if o.journal == "" {
		o.journal = map[string]string{serveShape: sqliteJournal, lambdaShape: dynamodbJournal}[o.shape]
	}
	if o.journal != dynamodbJournal && (o.journal != sqliteJournal || o.shape == lambdaShape) {
		return fmt.Errorf("-journal is %q; it is sqlite or dynamodb, and a function needs dynamodb", o.journal)
	}
	usual := options{hosts: 50, kills: 40, processes: 1, speed: 20}
	switch {
	case o.shape == lambdaShape:
		usual = options{hosts: 150, kills: 20, speed: lambdaSpeed}
	case o.journal == dynamodbJournal:
		usual = options{hosts: 50, kills: 20, processes: 3, speed: tableSpeed}
	}
	if o.fault != "" {
		usual.hosts, usual.kills, usual.speed = 24, 0, min(usual.speed, 10)
		if o.fault == awayFault {
			usual.speed = tableSpeed // a journal that is locked is waited for in real time
		}
	}
	if o.kills == -1 {
		o.kills = usual.kills
	}
	o.hosts, o.processes, o.speed = cmp.Or(o.hosts, usual.hosts), cmp.Or(o.processes, usual.processes), cmp.Or(o.speed, usual.speed)
	if o.hosts < 1 || o.kills < 0 || o.processes < 0 || o.speed <= 0 || o.shape == lambdaShape && (o.processes > 0 || o.hosts%len(functionClusters) > 0) {
		return fmt.Errorf("-hosts and -speed must be positive, -kills and -processes not negative; with -shape lambda there are no "+
			"-processes, and -hosts can be shared by %d clusters", len(functionClusters))
	}
	return o.faultFits()
}

// canSeparate tries whether processes can be kept from seeing each other here.
func canSeparate(o options, dir string) bool {
	if !canApart || o.journal != dynamodbJournal || o.shape == lambdaShape {
		return false
	}
	c, err := start(o, "try", filepath.Join(dir, "try.log"), true, nil, "version")
	if err == nil {
		<-c.ended
		err = c.err
	}
	if err != nil {
		fmt.Println("this machine gives no name spaces for processes, so that every ebb serve sees whether another has died:", err)
	}
	return err == nil
}

// keepRecord writes the cloud's own record beside the logs, a line for each entry.
func keepRecord(file string, record []core.Entry) error {
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	for _, e := range record {
		if err := lines.Encode(e); err != nil {
			return err
		}
	}
	return os.WriteFile(file, text.Bytes(), 0o600)
}

// tell makes one run, and prints what came of it and what did not hold. It is good if all held.
func tell(ctx context.Context, o options) (left remains, good bool, err error) {
	if left, err = blow(ctx, o); err != nil {
		return left, false, err
	}
	fmt.Println(left.text())
	bad := judge(left)
	for _, v := range bad {
		fmt.Println("  VIOLATION", v)
	}
	if len(bad) > 0 {
		if err := keepRecord(filepath.Join(o.dir, "record.jsonl"), left.record); err != nil {
			fmt.Println("  the cloud's record cannot be kept:", err)
		}
		fmt.Printf("  again: bash test/long.sh storm -shape %s -journal %s -seed %d -hosts %d -kills %d -processes %d -speed %g -fault %q\n", o.shape,
			o.journal, o.seed, o.hosts, o.kills, o.processes, o.speed, o.fault)
	}
	return left, len(bad) == 0, nil
}
