package placement

// capacity is how many tasks of a service alone could have a place at most.
func (v *view) capacity(d *demand) int {
	total := 0
	for i := range v.rooms {
		if d.admits[i] != no {
			total += len(v.rooms[i].filled(d, load{}, d.s.Desired).services)
		}
	}
	return total
}

// filled adds tasks of a service to a load until the loose space of a room is full, at most limit of them.
func (r *room) filled(d *demand, l load, limit int) load {
	for n := 0; n < limit && r.loose.fits(l, d); n++ {
		l = l.with(d)
	}
	return l
}

// together looks for places for all tasks that must have one at once, though each service alone could have them. Where there
// is provably no such way, something is stuck, and every service concerned says so.
func (v *view) together(asked []*demand, fates []Fate) {
	var p packing
	var concerned []int
	for i, d := range asked {
		needed := d.lower - d.staying - d.others
		if fates[i].Verdict != Uncertain || d.running == 0 || needed <= 0 || fates[i].Reasons[0].Code != Order || len(v.hopes(d)) > 0 {
			continue
		}
		p.demands, p.needed, concerned = append(p.demands, d), append(p.needed, needed), append(concerned, i)
	}
	if len(concerned) < 2 {
		return
	}
	p.v, p.loads = v, make([]load, len(v.rooms))
	if p.place(0, 0, p.needed[0]) {
		return
	}
	words := togetherWords(&p)
	for _, i := range concerned {
		fates[i].Verdict = Stuck
		fates[i].Reasons = append([]Reason{{Together, words}}, fates[i].Reasons[1:]...)
	}
}

// packing is the search for places for several services together.
type packing struct {
	v       *view
	demands []*demand
	needed  []int
	loads   []load
	spent   int
}

// place puts n more tasks of the k-th service into rooms i and on, then the services after it. It gives up as a success.
func (p *packing) place(k, i, n int) bool {
	if p.spent++; p.spent > patience {
		return true
	}
	if n == 0 {
		if k++; k == len(p.demands) {
			return true
		}
		return p.place(k, 0, p.needed[k])
	}
	if i == len(p.v.rooms) {
		return false
	}
	before := p.loads[i]
	if p.demands[k].admits[i] != no && p.v.rooms[i].loose.fits(before, p.demands[k]) {
		p.loads[i] = before.with(p.demands[k])
		if p.place(k, i, n-1) {
			return true
		}
		p.loads[i] = before
	}
	return p.place(k, i+1, n)
}
