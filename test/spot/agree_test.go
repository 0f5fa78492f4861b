package spot

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/ebbhq/ebb/internal/sim/core"
	"github.com/ebbhq/ebb/test/rig"
)

// named are the cells that are played over real connections as well, one of them three times. The first ones are the short form.
func named() []situation {
	const s = time.Second
	slow := cell{protocol: "TCP", order: core.SpotBefore2023, propagation: 17 * s, serves: 30 * s}
	return []situation{
		{"ECS waits until the task has stopped, ALB", cell{protocol: "HTTP", order: core.SpotBefore2023, propagation: 4 * s, serves: 20 * s}},
		{"SIGTERM first, NLB", cell{protocol: "TCP", order: core.Spot2025, propagation: 4 * s, serves: 10 * s}},
		{"nobody can help, ALB", cell{protocol: "HTTP", order: core.SpotPromised, propagation: 17 * s, serves: 10 * s}},
		{"as promised, ALB", cell{protocol: "HTTP", order: core.SpotPromised, propagation: 4 * s, serves: 20 * s}},
		{"SIGTERM first, slow ALB", cell{protocol: "HTTP", order: core.Spot2025, propagation: 17 * s, serves: 20 * s}},
		{"ECS waits until the task has stopped, NLB", slow}, {"the same a second time", slow}, {"the same a third time", slow},
		{"nobody can help, NLB of two minutes", cell{protocol: "TCP", order: core.SpotPromised, propagation: 120 * s, serves: 30 * s}},
		{"two minutes against two minutes, NLB", cell{protocol: "TCP", order: core.Spot2025, propagation: 120 * s, serves: 120 * s}},
	}
}

// shortForm is how many of the named cells that is.
const shortForm = 3

// Two figures agree when they differ by no more than this share of the computed one and this many requests: what goes to three of ten tasks in
// three quarters of a second, for AWS's calls take shorter here than in virtual time, and each step a little longer.
const (
	share = 0.10
	slack = 45.0
)

func agree(computed, seen float64) bool { return math.Abs(computed-seen) <= share*computed+slack }

const (
	titleOfReal = "\n## Over real connections\n"
	headOfReal  = titleOfReal + `
Eight cells were also played with real ones, one of them three times: tasks are processes, requests go
through a load balancer on loopback, and Ebb is ebb serve. To a Network Load Balancer each request has a connection of its own. The world goes %g times as fast as real time, or slower where this machine could not
keep up, and %.0f requests a real second are made in it, so that each stands for several of the table's; figures are in those. A figure is
**computed / counted**, where the computed one is the median of the twenty runs. They agree when they differ by at most %.0f %% and %.0f requests,
which is what goes to three of ten tasks in three quarters of a second; the check fails when they do not. *Who cut* is what the load balancer saw
of the requests that failed alone: the target refused the connection, its process ended, or the load balancer closed it.

| cell | alone | home-made | Ebb | who cut |
|---|---|---|---|---|
`
)

// compare plays named cells over real connections, appends the table, and says which figures do not agree.
func compare(ctx context.Context, b *bytes.Buffer, cells []situation, speed float64) (blames []string, err error) {
	dir, err := os.MkdirTemp("", "ebb-spot-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program, err := rig.Build(ctx, dir, nil)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(b, headOfReal, speed, made, share*100, slack)
	for i, n := range cells {
		var row, wrong string
		row, wrong, err = n.compare(ctx, program, filepath.Join(dir, fmt.Sprint(i)), speed)
		if err != nil {
			return nil, err
		}
		b.WriteString(row)
		if wrong != "" {
			blames = append(blames, wrong)
		}
	}
	return blames, nil
}

// tries is how often a cell is played until the machine was quick enough.
const tries = 3

// compare plays one cell; each time that the machine was too slow for it, again at half the speed.
func (n situation) compare(ctx context.Context, program, dir string, speed float64) (row, wrong string, err error) {
	var all [ebb + 1]seen
	for try := range tries {
		at := speed / float64(int(1)<<try)
		all, err = n.cell.overConnections(ctx, program, dir, at)
		if err != nil {
			return "", "", fmt.Errorf("%s: %w", n.name, err)
		}
		late := time.Duration(0)
		for _, s := range all {
			late = max(late, time.Duration(float64(s.P99)*at)-lasts)
		}
		fmt.Fprintf(os.Stderr, "%s (%s) at speed %g: failed %.0f / %.0f / %.0f, answers up to %.1f s late\n", n.name, n.cell, at,
			all[nobody].failed(), all[homeMade].failed(), all[ebb].failed(), late.Seconds())
		if late <= tooSlow {
			break
		}
		if try == tries-1 {
			return fmt.Sprintf("| %s | this machine was too slow | | | |\n", n.name), "", nil
		}
	}
	row = fmt.Sprintf("| %s: %s |", n.name, n.cell)
	for by, s := range all {
		runs, err := n.cell.runs(who(by))
		if err != nil {
			return "", "", err
		}
		median := runs[len(runs)/2]
		row += fmt.Sprintf(" %.0f / %.0f |", median, s.failed())
		if !agree(median, s.failed()) {
			wrong += fmt.Sprintf("%s (%s), %s: %.0f requests failed by computing, %.0f over connections %v, as the load balancer saw them %+v\n",
				n.name, n.cell, [...]string{"alone", "home-made", "Ebb"}[by], median, s.failed(), s.ByKind, s.lost)
		}
		if s.lost.Sum() != s.Failed {
			wrong += fmt.Sprintf("%s: the clients saw %d requests fail %v, the load balancer %+v\n", n.name, s.Failed, s.ByKind, s.lost)
		}
	}
	lost, one := all[nobody].lost, all[nobody].weight
	return row + fmt.Sprintf(" refused %.0f, ended %.0f, closed %.0f |\n", float64(lost.NotServing)*one, float64(lost.Died)*one, float64(lost.Cut)*one), wrong, nil
}
