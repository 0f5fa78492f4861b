package demo

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/sim"
	"github.com/ebbhq/ebb/internal/sim/ecs"
)

// labelled is how wide the labels of a board are.
const labelled = 9

// board is what the sides look like: a row for each host, or task, and below what was lost so far, with a sign for each loss of the last moments.
func (s Style) board(p *plot, at time.Duration, results []Result, fresh []int) []string {
	wide := (s.width() - labelled) / len(results)
	row := func(label string, cell func(i int) string) string {
		cells := []string{s.paint(faint, fit(label, labelled))}
		for i := range results {
			cells = append(cells, cell(i))
		}
		return strings.TrimRight(strings.Join(cells, ""), " ")
	}
	clock := fmt.Sprintf("%.0f s", at.Seconds())
	if p.speed != 1 {
		clock = fmt.Sprintf("time x%.0f  %s", p.speed, clock)
	}
	all := []string{
		"", s.paint(bold, fit(p.about, s.width()-len(clock)-1)+" "+clock), "",
		row("", func(i int) string { return s.paint(bold, fit(p.sides[i], wide)) }),
	}
	most := 0
	for _, r := range results {
		most = max(most, len(r.rows))
	}
	for n := range most {
		all = append(all, row(fmt.Sprint(p.what, " ", n+1), func(i int) string {
			if n >= len(results[i].rows) {
				return fit("", wide)
			}
			return s.signs(fit(results[i].rows[n], wide-1)) + " "
		}))
	}
	return append(all, "",
		row("lost", func(i int) string {
			color, text := green, fmt.Sprint(results[i].Failed)
			if results[i].Failed > 0 {
				color = red
			}
			if room := wide - len(text) - 3; fresh[i] > 0 {
				text += " " + strings.Repeat(killed, min(fresh[i], room))
			}
			return s.paint(color, fit(text, wide))
		}),
		row(p.progress, func(i int) string { return fit(results[i].stands, wide) }))
}

// clockWide is how wide the time is in a line.
const clockWide = 7

// plain is the same in a line, for where no board can be drawn; its columns are headed by plainHead.
func plain(at time.Duration, results []Result) string {
	var line strings.Builder
	fmt.Fprintf(&line, "%5.0f s", at.Seconds())
	for _, r := range results {
		fmt.Fprintf(&line, "  %6d  %-13s", r.Failed, r.stands)
	}
	return strings.TrimRight(line.String(), " ")
}

func plainHead(p *plot) string {
	names, columns := "\n       ", "   time"
	for _, name := range p.sides {
		names += fmt.Sprintf("  %-21s", name)
		columns += fmt.Sprintf("  %6s  %-13s", "lost", p.progress)
	}
	return strings.TrimRight(names, " ") + "\n" + strings.TrimRight(columns, " ")
}

// hostRows are the hosts of a group, with a sign for each task on them.
func hostRows(s *side, w *sim.World, _ *Result) []string {
	state := map[string]string{}
	for _, i := range w.DescribeAutoScalingGroups([]string{"demo-asg"})[0].Instances {
		if state[i.ID] = i.State; !slices.Contains(s.seen, i.ID) {
			s.seen = append(s.seen, i.ID)
		}
	}
	tasks := map[string]string{}
	for _, t := range w.Tasks("demo") {
		tasks[t.Instance] += sign(t)
	}
	var rows []string
	for _, id := range s.seen {
		if i := w.Find(id); len(w.ListClusters()) == 0 && i != nil && i.Alive() { // no tasks are on it, but processes
			tasks[id] = runs
		}
		rows = append(rows, fmt.Sprintf("%s %s", fit(tasks[id], 6), hostState(w, id, state[id])))
	}
	return rows
}

// hostState says in a word or two what an instance does, and nothing of one that just serves.
func hostState(w *sim.World, id, group string) string {
	i := w.Find(id)
	switch {
	case i == nil || i.State == "terminated" || i.State == "stopped":
		return "gone"
	case !i.Alive():
		return i.State
	case strings.HasPrefix(group, "Pending"):
		return "starts"
	}
	container, _, _ := w.DescribeContainerInstances("demo", []string{i.ContainerInstance}) // of a host that has none there is nothing
	draining := len(container) == 1 && container[0].Status == "DRAINING"
	switch {
	case draining:
		return "DRAINING"
	case strings.HasSuffix(group, ":Wait"):
		return "in its hook"
	case group != "InService":
		return "leaves"
	}
	return ""
}

// sign is that of a task; one that has ended well has none.
func sign(t *ecs.Task) string {
	switch {
	case t.Killed: // whatever ECS still believes
		return killed
	case t.LastStatus == "STOPPED":
		return ""
	case t.LastStatus == "RUNNING" && t.DesiredStatus == "RUNNING":
		return runs
	case t.DesiredStatus == "RUNNING":
		return starts
	}
	return stops
}

// taskRows are the tasks of a service on Fargate Spot: whether they have got SIGTERM, and whether new requests still go to them.
func taskRows(s *side, w *sim.World, _ *Result) []string {
	routed := map[string]bool{}
	for _, e := range w.Route(s.group).Endpoints {
		routed[e.Task] = e.Healthy || w.Now().Before(e.RoutedUntil)
	}
	var rows []string
	for _, t := range w.Tasks("demo") {
		text := sign(t)
		switch {
		case t.LastStatus == "STOPPED":
			text = ended + " gone"
		case t.LastStatus != "RUNNING" && t.DesiredStatus == "RUNNING":
			text += " starts"
		case t.DesiredStatus == "STOPPED" && routed[t.ARN]:
			text += " stops, gets requests"
		case t.DesiredStatus == "STOPPED":
			text += " stops, out"
		}
		rows = append(rows, text)
	}
	return rows
}
