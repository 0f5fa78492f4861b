package kernel

import (
	"maps"
	"slices"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// listing is one list of all the tasks of a cluster that have a desired status, made page by page: for many container instances that takes
// far fewer calls than a list of each. ListTasks names only the tasks, so each that is new is described once to learn where it is.
type listing struct {
	cluster  string
	kind     plan.LookKind  // ListRunning or ListStopped
	token    string         // of its next page
	started  time.Time      // when its first page was sent
	subjects []plan.Subject // container instances that want a list; it is made for them
	seen     map[fleet.ARN]bool
	homeless []fleet.ARN  // tasks listed of which the container instance is not known yet
	page     int          // the request for the page under way; 0: none is
	homes    map[int]bool // the requests under way that ask where tasks are
	listed   bool         // every page has come
	calls    int          // so far
	restarts int
	failures
	begun time.Time
}

const (
	// wholeFrom is how many container instances must want a list before one of the whole cluster is considered.
	wholeFrom = 20
	// gather is how long a list of the whole cluster waits for container instances that will want one within that time.
	gather = 10 * time.Second
	// listingFails and listingRestarts are how many failures in a row, and how many restarts, end a listing. Its wants are then due again,
	// and the cluster is not listed as a whole for a while.
	listingFails    = 8
	listingRestarts = 3
	// passPages is how many pages one pass may read: each costs two calls with those that say where its tasks are, and the twenty seconds of a
	// pass have 375 for everything. What is not complete when it ends is lost, while lists of single hosts are kept.
	passPages = 100
)

// listLooks turns the wants for lists in one cluster into looks: of each container instance, or of the cluster as a whole.
// That one waits a little for those that will want it soon.
func (o *observer) listLooks(b *batchAt, now time.Time) []dueLook {
	cluster, due, all := b.where, b.subjects, len(b.subjects)+b.soon
	if all < wholeFrom {
		return chunked(due)
	}
	if o.listings[cluster] != nil {
		return nil // after the listing that is under way
	}
	size := known[fleet.Cluster](o.facts, sizeOf(cluster))
	if now.Sub(size.At) > plan.Clusters.Spec().Keep { // of one that is not known the time is zero
		return o.sizeLooks(cluster, due, now)
	}
	if size.Is == fleet.Absent || !cheaper(size.Value, all) || o.cfg.OnePass && pages(size.Value) > passPages {
		return chunked(due)
	}
	if b.soon > 0 && now.Sub(b.first) < gather && !o.cfg.OnePass {
		return nil
	}
	o.beginListing(cluster, &listing{kind: b.kind, subjects: subjectsOf(due), begun: now})
	return nil
}

// sizeLooks asks how large a cluster is. Where that fails, perhaps always, the container instances are listed one by one meanwhile.
func (o *observer) sizeLooks(cluster string, due []dueSubject, now time.Time) []dueLook {
	var looks []dueLook
	a := o.ask(sizeOf(cluster))
	if a.free(now) {
		looks = append(looks, dueLook{plan.LookAt(a.s), now})
	}
	if a.fails == 0 {
		return looks
	}
	return append(looks, chunked(due)...)
}

func (o *observer) beginListing(cluster string, l *listing) {
	l.cluster, l.homes = cluster, map[int]bool{}
	l.restart()
	o.listings[cluster] = l
	o.Counts["listings begun"]++
	for _, s := range l.subjects {
		o.ask(s).flying = true
	}
}

func (l *listing) restart() {
	l.token, l.started, l.seen, l.homeless = "", time.Time{}, map[fleet.ARN]bool{}, nil
}

// home is where a task of the cluster is, as a subject.
func (l *listing) home(task fleet.ARN) plan.Subject {
	return plan.Subject{Kind: plan.Homes, In: l.cluster, ID: string(task)}
}

// desired is the desired status that is being listed.
func (l *listing) desired() string {
	if l.kind == plan.ListStopped {
		return fleet.Stopped
	}
	return "RUNNING"
}

// cheaper reports whether a list of the whole cluster clearly takes fewer calls than one for each of n container instances. As many tasks
// may have stopped lately as run now, and tasks whose container instance is not known must be described.
func cheaper(size fleet.Cluster, n int) bool { return 3*pages(size) < n }

func pages(size fleet.Cluster) int { return (size.Running+size.Pending)/plan.MaxDescribeECS + 1 }

// listingLooks are the next looks of the listings under way.
func (o *observer) listingLooks(now time.Time) []dueLook {
	var looks []dueLook
	for _, cluster := range slices.Sorted(maps.Keys(o.listings)) {
		l := o.listings[cluster]
		if l.again().After(now) {
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

// stalled reports whether a listing has a request to make.
func (l *listing) stalled() bool { return len(l.homeless) > 0 && l.listed || !l.listed && l.page == 0 }

// sent notes that a look of a listing is under way, unsent that the call rates did not allow it.
func (o *observer) sent(l plan.Look, request int) {
	switch l.Kind {
	case plan.ListCluster:
		o.listings[l.In].page = request
	case plan.Homes:
		o.listings[l.In].homes[request] = true
	}
}

func (o *observer) unsent(l plan.Look) {
	if l.Kind == plan.Homes {
		o.listings[l.In].ask(l)
	}
}

// sawListing takes in a page, or where tasks are. Results that an earlier listing of the cluster asked for are ignored; their page tokens
// differ.
func (o *observer) sawListing(a answer) {
	l, done, now := a.Look, a.Done, a.now
	listing, id := o.listings[l.In], done.Request.ID
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
		o.listingFailed(listing, l, done, now)
	case l.Kind == plan.ListCluster:
		listing.fails = 0
		o.sawPage(listing, s.View, done.Started)
	default:
		o.sawHomes(listing, done, now)
	}
	switch {
	case listing.hopeless():
		o.endListing(l.In, listing, false, now)
	case listing.listed && len(listing.homeless)+len(listing.homes) == 0:
		o.endListing(l.In, listing, true, now)
	}
}

// hopeless reports whether to list each container instance after all: calls fail, or the listing takes more of them than that would.
func (l *listing) hopeless() bool {
	return l.fails >= listingFails || l.restarts > listingRestarts || l.calls > 2*len(l.subjects)+plan.ListPages
}

// listingFailed puts off what failed. If AWS refuses a page its token may be too old: then the listing restarts.
func (o *observer) listingFailed(listing *listing, l plan.Look, done plan.Done, now time.Time) {
	listing.failed(done.Started, now)
	if l.Kind == plan.Homes {
		listing.ask(l)
	} else if done.Result.Err.Class == plan.Invalid {
		listing.restarts++
		o.Counts["listings restarted"]++
		listing.restart()
	}
}

// ask asks once more where tasks are.
func (l *listing) ask(homes plan.Look) {
	for _, s := range homes.Subjects {
		l.homeless = append(l.homeless, fleet.ARN(s.ID))
	}
}

// failed counts failures in a row; those of calls that were under way together count once.
func (l *listing) failed(started, now time.Time) {
	if l.fails == 0 || started.After(l.failedAt) {
		l.fails++
	}
	l.failedAt = now
}

func (o *observer) sawPage(l *listing, v plan.View, started time.Time) {
	if l.started.IsZero() {
		l.started = started
	}
	for _, t := range v.Listed {
		if l.seen[t.Task] {
			continue
		}
		l.seen[t.Task] = true
		at := l.home(t.Task)
		if home := known[fleet.ARN](o.facts, at); home.Is == fleet.Seen {
			put(o.facts, at, fleet.Seen, started, home.Value)
			o.listed(t.Task, o.ownerOf[home.Value])
			continue
		}
		l.homeless = append(l.homeless, t.Task)
	}
	l.token, l.listed = v.Next, v.Next == ""
}

// sawHomes keeps on which container instances tasks are; those on hosts that leave are described once more, together. A task that AWS does
// not know any more has stopped long ago. One without a container instance yet cannot come to a host that is DRAINING, but to another.
func (o *observer) sawHomes(l *listing, done plan.Done, now time.Time) {
	for _, t := range done.Result.View.Tasks {
		if t.ContainerInstance == "" {
			continue
		}
		put(o.facts, l.home(t.ARN), fleet.Seen, done.Started, t.ContainerInstance)
		o.listed(t.ARN, o.ownerOf[t.ContainerInstance])
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

// endListing credits the container instances that the listing was for. After a listing that failed each is listed by itself for a while.
func (o *observer) endListing(cluster string, l *listing, complete bool, now time.Time) {
	delete(o.listings, cluster)
	if complete {
		o.Counts["listings complete"]++
	} else {
		o.Counts["listings given up"]++
		put(o.facts, sizeOf(cluster), fleet.Absent, now, fleet.Cluster{})
	}
	for _, s := range l.subjects {
		arn := fleet.ARN(s.ID)
		e := o.open[o.ownerOf[arn]]
		if e == nil {
			continue // its drain has ended meanwhile
		}
		e.dirty = true
		o.ask(s).flying = false
		if complete {
			o.credit(e, arn, s.Kind, l.started, now, true)
		}
	}
}
