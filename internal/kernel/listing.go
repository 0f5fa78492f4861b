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
	kind     plan.LookKind  // ListRunning or ListStopped
	token    string         // of its next page
	started  time.Time      // when its first page was sent
	subjects []plan.Subject // whose wants it fulfils
	seen     map[fleet.ARN]bool
	homeless []fleet.ARN  // listed, and not known where they are
	page     int          // the order of the page under way; 0: none is
	homes    map[int]bool // the orders under way that ask where tasks are
	listed   bool         // every page has come
	calls    int          // so far
	restarts int
	fails    int // in a row
	failedAt time.Time
	begun    time.Time
}

const (
	// wholeFrom is how many container instances must want a list before one of the whole cluster is thought of.
	wholeFrom = 20
	// gather is how long a list of the whole cluster waits for others who will want it within that time.
	gather = 10 * time.Second
	// listingFails and listingRestarts are how many failures in a row, and how many beginnings anew, end a listing. Its wants are then due
	// again, and the cluster is not listed as a whole for a while.
	listingFails    = 8
	listingRestarts = 3
	// passPages is how many pages one pass may read: each costs two calls with those that say where its tasks are, and the twenty seconds of a
	// pass have 375 for everything. What is not complete when it ends is lost, while lists of single hosts are kept.
	passPages = 100
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
func (k *Kernel) listLooks(kind plan.LookKind, cluster string, due []dueSubject, w waiters, now time.Time) []dueLook {
	all := len(due) + w.soon
	if all < wholeFrom {
		return chunked(due)
	}
	if k.listings[cluster] != nil {
		return nil // when that is over
	}
	size := k.facts.sizes[cluster]
	if size.Is == fleet.Unknown || now.Sub(size.At) > sizeFor {
		return k.sizeLooks(cluster, due, now)
	}
	if size.Is == fleet.Absent || !cheaper(size.Value, all) || k.cfg.OnePass && pages(size.Value) > passPages {
		return chunked(due)
	}
	if w.soon > 0 && now.Sub(w.first) < gather && !k.cfg.OnePass {
		return nil
	}
	k.beginListing(cluster, &listing{kind: kind, subjects: subjectsOf(due), begun: now})
	return nil
}

// sizeLooks asks how large a cluster is. Where that fails, perhaps for ever, nobody waits for it.
func (k *Kernel) sizeLooks(cluster string, due []dueSubject, now time.Time) []dueLook {
	var looks []dueLook
	a := k.ask(plan.Subject{Kind: plan.Clusters, ID: cluster})
	if !a.flying && (a.fails == 0 || !a.failedAt.Add(backoff(a.fails)).After(now)) {
		looks = append(looks, dueLook{plan.LookAt(a.s), now})
	}
	if a.fails == 0 {
		return looks
	}
	return append(looks, chunked(due)...)
}

func (k *Kernel) beginListing(cluster string, l *listing) {
	l.homes = map[int]bool{}
	l.restart()
	k.listings[cluster] = l
	k.Counts["listings begun"]++
	for _, s := range l.subjects {
		k.ask(s).flying = true
	}
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
func cheaper(size fleet.Cluster, n int) bool { return 3*pages(size) < n }

func pages(size fleet.Cluster) int { return (size.Running+size.Pending)/plan.MaxDescribeECS + 1 }

// listingLooks are the next looks of the listings under way.
func (k *Kernel) listingLooks(now time.Time) []dueLook {
	var looks []dueLook
	for _, cluster := range k.listingClusters() {
		l := k.listings[cluster]
		if l.fails > 0 && l.failedAt.Add(backoff(l.fails)).After(now) {
			continue
		}
		for len(l.homeless) >= plan.MaxDescribeECS || l.listed && len(l.homeless) > 0 {
			n := min(len(l.homeless), plan.MaxDescribeECS)
			looks = append(looks, dueLook{plan.LookFor(plan.Homes, cluster, l.homeless[:n]...), l.begun})
			l.homeless = l.homeless[n:]
		}
		if !l.listed && l.page == 0 {
			page := plan.LookFor(plan.ListCluster, cluster, l.desired())
			page.Token = l.token
			looks = append(looks, dueLook{page, l.begun})
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
func (l *listing) stalled() bool { return len(l.homeless) > 0 && l.listed || !l.listed && l.page == 0 }

// sent notes that a look of a listing is under way, unsent that the budget did not allow it.
func (k *Kernel) sent(l plan.Look, order int) {
	switch l.Kind {
	case plan.ListCluster:
		k.listings[l.In].page = order
	case plan.Homes:
		k.listings[l.In].homes[order] = true
	}
}

func (k *Kernel) unsent(l plan.Look) {
	if l.Kind == plan.Homes {
		k.listings[l.In].ask(l)
	}
}

// sawListing takes in a page, or where tasks are. What an earlier listing of the cluster ordered is nothing to this one: its pages have
// other tokens.
func (k *Kernel) sawListing(a answer) {
	l, done, now := a.Look, a.Done, a.now
	listing, id := k.listings[l.In], done.Request.ID
	if listing == nil || listing.page != id && !listing.homes[id] {
		return
	}
	if listing.page == id {
		listing.page = 0
	}
	delete(listing.homes, id)
	listing.calls += done.Result.Calls
	switch s := done.Result; {
	case s.Err != nil:
		k.listingFailed(listing, l, done, now)
	case l.Kind == plan.ListCluster:
		listing.fails = 0
		k.sawPage(listing, s.View, done.Started)
	default:
		k.sawHomes(listing, done, now)
	}
	switch {
	case listing.hopeless():
		k.endListing(l.In, listing, false, now)
	case listing.listed && len(listing.homeless)+len(listing.homes) == 0:
		k.endListing(l.In, listing, true, now)
	}
}

// hopeless reports whether a list of each container instance is the better way after all: calls fail, or take more of them.
func (l *listing) hopeless() bool {
	return l.fails >= listingFails || l.restarts > listingRestarts || l.calls > 2*len(l.subjects)+plan.ListPages
}

// listingFailed puts off what failed. A page that AWS refuses may have a token that is too old: then it starts anew.
func (k *Kernel) listingFailed(listing *listing, l plan.Look, done plan.Done, now time.Time) {
	listing.failed(done.Started, now)
	if l.Kind == plan.Homes {
		listing.ask(l)
	} else if done.Result.Err.Class == plan.Invalid {
		listing.restarts++
		k.Counts["listings restarted"]++
		listing.restart()
	}
}

// ask asks once more where tasks are.
func (l *listing) ask(homes plan.Look) {
	for _, s := range homes.Subjects {
		l.homeless = append(l.homeless, fleet.ARN(s.ID))
	}
}

// failed counts failures in a row; those that were under way together are one.
func (l *listing) failed(started, now time.Time) {
	if l.fails == 0 || started.After(l.failedAt) {
		l.fails++
	}
	l.failedAt = now
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
		if home := k.facts.homes[t.Task]; home.Is == fleet.Seen {
			put(k.facts.homes, t.Task, fleet.Seen, at, home.Value)
			k.listed(t.Task, k.facts.hostOf[home.Value])
			continue
		}
		l.homeless = append(l.homeless, t.Task)
	}
	l.token, l.listed = v.Next, v.Next == ""
}

// sawHomes keeps where tasks are; those on hosts that leave are described once more, together. One that AWS does not know any more has
// stopped long ago. One that is nowhere yet is on no host that is DRAINING, but may come to be on another.
func (k *Kernel) sawHomes(l *listing, done plan.Done, now time.Time) {
	for _, t := range done.Result.View.Tasks {
		if t.ContainerInstance == "" {
			continue
		}
		put(k.facts.homes, t.ARN, fleet.Seen, done.Started, t.ContainerInstance)
		k.listed(t.ARN, k.facts.hostOf[t.ContainerInstance])
	}
	if len(done.Result.Failed) > 0 {
		l.failed(done.Started, now)
	} else {
		l.fails = 0
	}
	for _, f := range done.Result.Failed {
		l.homeless = append(l.homeless, fleet.ARN(f.ID))
	}
}

// endListing credits the container instances whose lists it was. After one that failed each is listed by itself for a while.
func (k *Kernel) endListing(cluster string, l *listing, complete bool, now time.Time) {
	delete(k.listings, cluster)
	if complete {
		k.Counts["listings complete"]++
	} else {
		k.Counts["listings given up"]++
		put(k.facts.sizes, cluster, fleet.Absent, now, fleet.Cluster{})
	}
	for _, s := range l.subjects {
		arn := fleet.ARN(s.ID)
		e := k.open[k.facts.hostOf[arn]]
		if e == nil {
			continue // its drain has ended meanwhile
		}
		e.dirty = true
		k.ask(s).flying = false
		if complete {
			k.credit(e, arn, s.Kind, l.started, now, true)
		}
	}
}
