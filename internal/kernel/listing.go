package kernel

import (
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// listing is one list of all the tasks of a cluster that have a desired status, made page by page: for many container instances that takes
// far fewer calls than a list of each. ListTasks names only the tasks, so each that is new is described once to learn where it is.
type listing struct {
	kind     plan.LookKind // ListRunning or ListStopped
	token    string        // of its next page
	started  time.Time     // when its first page was sent
	subjects []subject     // whose wants it fulfils
	seen     map[fleet.ARN]bool
	homeless []fleet.ARN // listed, and not known where they are
	asking   int         // homeless ones that are being described
	listed   bool        // every page has come
	flying   bool        // a page is under way
	fails    int         // in a row
	failedAt time.Time
}

const (
	// wholeFrom is how many container instances must want a list before one of the whole cluster is thought of.
	wholeFrom = 20
	// gather is how long a list of the whole cluster waits for others who will want it within that time.
	gather = 10 * time.Second
	// listingFails is how many failures in a row end a listing; its wants are then due again.
	listingFails = 8
	// sizeFor is how long what is known of a cluster's size holds.
	sizeFor = 10 * time.Minute
)

// waiters are those who want looks of one kind at one place: since when the first is due, and how many more will be soon.
type waiters struct {
	first time.Time
	soon  int
}

// listLooks turns the wants for lists in one cluster into looks: of each container instance, or of the cluster as a whole.
// It waits a little for those who will want it soon.
func (k *Kernel) listLooks(kind plan.LookKind, cluster string, due []subject, w waiters, now time.Time) []plan.Look {
	all := len(due) + w.soon
	if all < wholeFrom {
		return chunked(due, listBatch)
	}
	if k.listings[cluster] != nil {
		return nil // when that is over
	}
	size := k.facts.sizes[cluster]
	if size.Is == fleet.Unknown || now.Sub(size.At) > sizeFor {
		s := subject{kind: plan.Clusters, id: cluster}
		if a := k.ask(s); !a.flying && (a.fails == 0 || !a.failedAt.Add(backoff(a.fails)).After(now)) {
			return []plan.Look{{Kind: plan.Clusters, Names: []string{cluster}}}
		}
		return nil
	}
	if !cheaper(size.Value, all) {
		return chunked(due, listBatch)
	}
	if w.soon > 0 && now.Sub(w.first) < gather {
		return nil
	}
	k.listings[cluster] = newListing(kind, due)
	for _, s := range due {
		k.ask(s).flying = true
	}
	return nil
}

func newListing(kind plan.LookKind, due []subject) *listing {
	l := &listing{kind: kind, subjects: slices.Clone(due)}
	l.restart()
	return l
}

func (l *listing) restart() {
	l.token, l.started, l.seen, l.homeless = "", time.Time{}, map[fleet.ARN]bool{}, nil
}

// desired is the desired status that is being listed.
func (l *listing) desired() string {
	if l.kind == plan.ListStopped {
		return fleet.Stopped
	}
	return "RUNNING"
}

// cheaper reports whether a list of the whole cluster clearly takes fewer calls than one for each of n container instances. As many tasks
// may have stopped lately as run, and those of which it is not known where they are must be described.
func cheaper(size fleet.Cluster, n int) bool {
	pages := (size.Running+size.Pending)/plan.MaxDescribeECS + 1
	return 3*pages < n
}

func chunked(s []subject, size int) []plan.Look {
	var looks []plan.Look
	for chunk := range slices.Chunk(s, size) {
		looks = append(looks, lookAt(chunk))
	}
	return looks
}

// listingLooks are the next looks of the listings under way.
func (k *Kernel) listingLooks(now time.Time) []plan.Look {
	var looks []plan.Look
	for _, cluster := range k.listingClusters() {
		l := k.listings[cluster]
		if l.fails > 0 && l.failedAt.Add(backoff(l.fails)).After(now) {
			continue
		}
		for len(l.homeless) >= plan.MaxDescribeECS || l.listed && len(l.homeless) > 0 {
			n := min(len(l.homeless), plan.MaxDescribeECS)
			looks = append(looks, plan.Look{Kind: plan.Homes, Cluster: cluster, ARNs: slices.Clone(l.homeless[:n])})
			l.homeless = l.homeless[n:]
		}
		if !l.listed && !l.flying {
			looks = append(looks, plan.Look{Kind: plan.ListCluster, Cluster: cluster, Names: []string{l.desired()}, Token: l.token})
		}
	}
	return looks
}

func (k *Kernel) listingClusters() []string {
	names := make([]string, 0, len(k.listings))
	for name := range k.listings { //ebb:any-order sorted below
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// stalled reports whether a listing has something to send that is not under way.
func (l *listing) stalled() bool { return len(l.homeless) > 0 && l.listed || !l.listed && !l.flying }

// sent notes that a look of a listing is under way, unsent that the budget did not allow it.
func (k *Kernel) sent(l plan.Look) {
	listing := k.listings[l.Cluster]
	switch {
	case listing == nil:
	case l.Kind == plan.ListCluster:
		listing.flying = true
	case l.Kind == plan.Homes:
		listing.asking += len(l.ARNs)
	}
}

func (k *Kernel) unsent(l plan.Look) {
	if listing := k.listings[l.Cluster]; listing != nil && l.Kind == plan.Homes {
		listing.homeless = append(listing.homeless, l.ARNs...)
	}
}

// sawListing takes in a page, or where tasks are.
func (k *Kernel) sawListing(l plan.Look, done plan.Done, now time.Time) {
	listing := k.listings[l.Cluster]
	if listing == nil {
		return
	}
	if l.Kind == plan.ListCluster {
		listing.flying = false
	} else {
		listing.asking -= len(l.ARNs)
	}
	switch s := done.Sight; {
	case s.Err != nil:
		k.listingFailed(listing, l, s.Err, now)
	case l.Kind == plan.ListCluster:
		listing.fails = 0
		k.sawPage(listing, s.View, done.Started)
	default:
		listing.fails = 0
		k.sawHomes(listing, s)
	}
	switch {
	case listing.fails >= listingFails:
		k.endListing(l.Cluster, listing, false, now)
	case listing.listed && len(listing.homeless) == 0 && listing.asking == 0:
		k.endListing(l.Cluster, listing, true, now)
	}
}

// listingFailed puts off what failed. A page that AWS refuses may have a token that is too old: then it starts anew.
func (k *Kernel) listingFailed(listing *listing, l plan.Look, fail *plan.Failure, now time.Time) {
	listing.fails, listing.failedAt = listing.fails+1, now
	if l.Kind == plan.Homes {
		listing.homeless = append(listing.homeless, l.ARNs...)
	} else if fail.Class == plan.Invalid {
		listing.restart()
	}
}

func (k *Kernel) sawPage(l *listing, v plan.View, at time.Time) {
	if l.started.IsZero() {
		l.started = at
	}
	for _, t := range v.Listed {
		if l.seen[t.Task] {
			continue
		}
		l.seen[t.Task] = true
		if home, known := k.facts.homes[t.Task]; known {
			k.listed(t.Task, k.facts.hostOf[home])
			continue
		}
		l.homeless = append(l.homeless, t.Task)
	}
	l.token, l.listed = v.Next, v.Next == ""
}

// sawHomes keeps where tasks are, and what else was learnt of those on hosts that leave. One that AWS does not know any more has
// stopped long ago.
func (k *Kernel) sawHomes(l *listing, s plan.Sight) {
	for _, t := range s.View.Tasks {
		k.facts.homes[t.ARN] = t.ContainerInstance
		k.listed(t.ARN, k.facts.hostOf[t.ContainerInstance])
	}
	for _, f := range s.Failed {
		l.homeless = append(l.homeless, fleet.ARN(f.ID))
	}
}

// endListing credits the container instances whose lists it was.
func (k *Kernel) endListing(cluster string, l *listing, complete bool, now time.Time) {
	delete(k.listings, cluster)
	for _, s := range l.subjects {
		e := k.open[k.facts.hostOf[fleet.ARN(s.id)]]
		if e == nil {
			continue // its drain has ended meanwhile
		}
		e.dirty = true
		a := k.ask(s)
		a.flying = false
		if !complete {
			a.fails, a.failedAt = a.fails+1, now
		}
		if complete {
			e.lists[s.kind] = newest(e.lists[s.kind], l.started)
		}
	}
}
