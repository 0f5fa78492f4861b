package desired

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

var seeds = flag.Int("seeds", 500, "how many simulated services")

var t0 = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// change is a count that somebody has set.
type change struct {
	at    time.Time
	count int
	ours  bool
	blind bool // nobody could see it in time, or tell it from what was there
}

// reason is something that wants a raise from a time on, until it ends.
type reason struct {
	raise       Raise
	begin, ends time.Time
}

// model is one service, who sets its count, and an Ebb that crashes.
type model struct {
	rng     *rand.Rand
	p       Policy
	faults  bool
	history []change
	reasons []reason
	others  []time.Time // when somebody else sets the count

	now    time.Time
	skew   time.Duration // of the clock of the Ebb that works now
	entry  Entry
	stored []byte
	fact   fleet.Fact[int]
	look   *fleet.Fact[int] // under way
	lookAt time.Time        // when it is back
	call   *call
	tell   []call // results that come yet, some twice
	log    strings.Builder
	wrong  string
}

// call is one of our calls.
type call struct {
	w       Write
	lands   time.Time // zero: it never takes effect
	told    time.Time
	outcome Outcome
}

func newModel(seed uint64) *model {
	m := &model{rng: rand.New(rand.NewPCG(seed, 7)), now: t0}
	m.p = Policy{Lag: 10 * time.Second, Limit: 5 * time.Second, Fresh: 5 * time.Second, Skew: 30 * time.Second, FromZero: m.rng.IntN(4) == 0}
	base := m.rng.IntN(12)
	if m.chance(0.3) {
		m.p.Max = 1 + m.rng.IntN(14)
	}
	m.faults = m.chance(0.8)
	m.history = []change{{at: t0.Add(-time.Hour), count: base}}
	for i := range 1 + m.rng.IntN(5) {
		r := reason{raise: Raise{Who: fmt.Sprint("drain ", i), By: 1 + m.rng.IntN(3)}, begin: m.within(300)}
		r.ends = r.begin.Add(time.Duration(1+m.rng.IntN(120)) * time.Second)
		if m.chance(0.3) {
			r.raise.Until = r.begin.Add(time.Duration(1+m.rng.IntN(120)) * time.Second)
		}
		m.reasons = append(m.reasons, r)
	}
	if m.chance(0.6) {
		for range 1 + m.rng.IntN(4) {
			m.others = append(m.others, m.within(450))
		}
	}
	slices.SortFunc(m.others, time.Time.Compare)
	m.store()
	return m
}

func (m *model) chance(p float64) bool { return m.rng.Float64() < p }

func (m *model) within(seconds int) time.Time {
	return t0.Add(time.Duration(m.rng.IntN(seconds)) * time.Second)
}

func (m *model) upTo(d time.Duration) time.Duration { return time.Duration(m.rng.Int64N(int64(d) + 1)) }

// clock is the time that Ebb sees. The one that takes over after a crash may have another.
func (m *model) clock() time.Time { return m.now.Add(m.skew) }

func (m *model) say(format string, args ...any) {
	fmt.Fprintf(&m.log, "%4.0f  %s\n", m.now.Sub(t0).Seconds(), fmt.Sprintf(format, args...))
}

// at is the count at a time.
func (m *model) at(t time.Time) int {
	count := 0
	for _, c := range m.history {
		if !c.at.After(t) {
			count = c.count
		}
	}
	return count
}

func (m *model) store() {
	body, err := json.Marshal(m.entry)
	if err != nil {
		panic(err)
	}
	m.stored = body
}

// crash forgets what is not stored. A call that is under way goes on, but nobody hears of it.
func (m *model) crash() {
	m.say("crash")
	m.entry, m.fact, m.look, m.tell = Entry{}, fleet.Fact[int]{}, nil, nil
	if err := json.Unmarshal(m.stored, &m.entry); err != nil {
		panic(err)
	}
	m.skew = time.Duration(m.rng.IntN(31)-15) * time.Second
	m.entry = m.entry.Resume(m.p, m.clock())
}

// run goes second by second, and then on until all has come to rest.
func (m *model) run() {
	for range 900 {
		m.now = m.now.Add(time.Second)
		m.cloud()
		if m.faults && m.now.Before(t0.Add(600*time.Second)) && m.chance(0.01) {
			m.crash()
		}
		m.ebb()
	}
}

// cloud lets calls take effect, and somebody else set the count.
func (m *model) cloud() {
	if m.call != nil && !m.call.lands.IsZero() && !m.call.lands.After(m.now) {
		m.history = append(m.history, change{at: m.now, count: m.call.w.To, ours: true})
		m.say("our call sets %d", m.call.w.To)
		m.call.lands = time.Time{}
	}
	for len(m.others) > 0 && !m.others[0].After(m.now) {
		m.others = m.others[1:]
		is := m.at(m.now)
		count := m.rng.IntN(14)
		if m.chance(0.4) {
			count = max(0, is+m.rng.IntN(7)-3)
		}
		var known Entry
		if err := json.Unmarshal(m.stored, &known); err != nil {
			panic(err)
		}
		same := []int{is, m.entry.Count, m.entry.Write.To, known.Count, known.Write.To}
		blind := slices.Contains(same, count) || m.call != nil && !m.call.lands.IsZero()
		m.history = append(m.history, change{at: m.now, count: count, blind: blind})
		m.say("somebody sets %d (blind: %v)", count, blind)
	}
}

// ebb is a pass of the kernel.
func (m *model) ebb() {
	m.results()
	for _, r := range m.reasons {
		if !m.now.Before(r.begin) && m.now.Before(r.ends) {
			m.entry = m.entry.Raise(r.raise)
		} else {
			m.entry = m.entry.Drop(r.raise.Who, m.clock())
		}
	}
	next, s := m.entry.Decide(m.fact, m.p, m.clock())
	again, s2 := m.entry.Decide(m.fact, m.p, m.clock())
	if !reflect.DeepEqual(next, again) || !reflect.DeepEqual(s, s2) {
		m.wrong = "the same input gives two decisions"
	}
	if _, s3 := next.Decide(m.fact, m.p, m.clock()); s3.Set {
		m.wrong = "what was decided is decided again"
	}
	m.entry = next
	if s.Adopted {
		m.say("adopted %d, void: %v", next.Base, s.Void)
		if !slices.ContainsFunc(m.history[1:], func(c change) bool { return !c.ours }) {
			m.wrong = "a count of our own is adopted"
		}
	}
	if len(s.Back) > 0 {
		m.say("taken back: %v", s.Back)
	}
	if s.Set {
		m.set(next.Write)
	} else if m.chance(0.7) {
		m.store()
	}
	if m.look == nil && (!s.Look.IsZero() && !m.clock().Before(s.Look) || m.chance(0.05)) {
		m.begin()
	}
}

// begin begins a look. It shows the count as it was up to Lag ago.
func (m *model) begin() {
	m.look = &fleet.Fact[int]{Is: fleet.Seen, At: m.clock(), Value: m.at(m.now.Add(-m.upTo(m.p.Lag)))}
	if m.faults && m.chance(0.2) {
		*m.look = fleet.Fact[int]{At: m.clock()} // it failed
	}
	m.lookAt = m.now.Add(m.upTo(2 * time.Second))
}

func (m *model) results() {
	if m.look != nil && !m.lookAt.After(m.now) {
		m.fact.Put(m.look.Is, m.look.At, m.look.Value)
		m.look = nil
	}
	for i, c := range m.tell {
		if c.told.IsZero() || c.told.After(m.now) {
			continue
		}
		m.entry = m.entry.Did(c.w, c.outcome, m.p, m.clock())
		m.tell[i].told = time.Time{}
		if m.chance(0.3) {
			m.tell[i].told = m.now.Add(m.upTo(40 * time.Second)) // the same result once more
		}
	}
}

// set notes a count, and makes the call.
func (m *model) set(w Write) {
	m.store()
	if m.call != nil && !m.call.lands.IsZero() {
		m.wrong = "a call begins before the one before it has come to its end"
	}
	for i := range m.history { // what nobody could have seen yet
		c := &m.history[i]
		c.blind = c.blind || !c.ours && !c.at.Add(m.p.Lag+m.p.Limit+m.p.Fresh).Before(m.now)
	}
	m.say("noted %d", w.To)
	if m.faults && m.chance(0.08) {
		m.crash()
		return
	}
	c := call{w: w, lands: m.now.Add(m.upTo(m.p.Limit - time.Second)), outcome: Done}
	c.told = c.lands.Add(m.upTo(time.Second))
	if m.faults && m.chance(0.15) {
		c.lands, c.outcome = time.Time{}, Refused
	}
	if m.faults && m.chance(0.15) {
		c.outcome, c.told = Unclear, m.now.Add(m.p.Limit)
		if m.chance(0.5) {
			c.lands = time.Time{}
		}
	}
	m.call = &c
	m.tell = append(m.tell, c)
}

// judge says what is wrong with a run; empty: nothing. It knows nothing of what Ebb believed.
func (m *model) judge() string {
	if m.wrong != "" {
		return m.wrong
	}
	if !m.entry.Over(m.clock()) {
		return fmt.Sprintf("all has ended, and the entry is %+v", m.entry)
	}
	raised := 0
	for _, r := range m.reasons {
		raised += r.raise.By
	}
	base := m.history[0]
	for _, c := range m.history[1:] {
		switch {
		case !c.ours:
			base = c
		case base.blind:
		case c.count < base.count:
			return fmt.Sprintf("the base is %d, and %d was set: what somebody wanted is undone", base.count, c.count)
		case c.count > base.count+raised:
			return fmt.Sprintf("the base is %d, at most %d are raised, and %d was set", base.count, raised, c.count)
		case m.p.Max > 0 && c.count > max(m.p.Max, base.count):
			return fmt.Sprintf("the base is %d, the maximum %d, and %d was set", base.count, m.p.Max, c.count)
		case base.count == 0 && c.count > 0 && !m.p.FromZero:
			return fmt.Sprintf("a service that was stopped has %d", c.count)
		}
	}
	if end := m.at(m.now); !base.blind && end != base.count {
		return fmt.Sprintf("the base is %d, all raises have ended, and the count is %d", base.count, end)
	}
	if !m.faults && base.at.Before(t0) {
		return m.raisedInTime(base.count)
	}
	return ""
}

// raisedInTime checks that a raise that lasts is set, where nothing goes wrong and nobody else sets the count.
func (m *model) raisedInTime(base int) string {
	for _, r := range m.reasons {
		end := r.ends
		if u := r.raise.Until; !u.IsZero() && u.Before(end) {
			end = u
		}
		want := base + r.raise.By
		if m.p.Max > 0 {
			want = max(base, min(want, m.p.Max))
		}
		if last := end.Add(-time.Second); (base > 0 || m.p.FromZero) && end.Sub(r.begin) > 12*time.Second && m.at(last) < want {
			return fmt.Sprintf("%s wants %d for %s, and the count is %d", r.raise.Who, want, end.Sub(r.begin), m.at(last))
		}
	}
	return ""
}

// What was raised is put back exactly once, and what somebody else sets is never undone, whatever is lost and whoever crashes.
func TestRandomServices(t *testing.T) {
	visible, alone, sets := 0, 0, 0
	for seed := range uint64(*seeds) {
		m := newModel(seed)
		m.run()
		if why := m.judge(); why != "" {
			t.Fatalf("seed %d: %s\nmaximum %d, %+v\n%s", seed, why, m.p.Max, m.reasons, m.log.String())
		}
		switch {
		case !slices.ContainsFunc(m.history[1:], func(c change) bool { return !c.ours }):
			alone++
		case slices.ContainsFunc(m.history[1:], func(c change) bool { return !c.ours && !c.blind }):
			visible++
		}
		for _, c := range m.history {
			if c.ours {
				sets++
			}
		}
	}
	t.Logf("%d services: nobody else set the count of %d, what somebody set could be seen with %d; %d calls", *seeds, alone, visible, sets)
	if alone < *seeds/4 || visible < *seeds/4 {
		t.Error("too few of them say anything")
	}
}
