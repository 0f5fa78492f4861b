package wire

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// own are the simulated cloud's own pages: its clock, its record, its counts, and what clients asked for that is not here.
func (s *server) own(mux *http.ServeMux) {
	mux.HandleFunc("GET /_sim/clock", s.clock)
	mux.HandleFunc("GET /_sim/record", s.record)
	mux.HandleFunc("GET /_sim/counts", s.counts)
	mux.HandleFunc("GET /_sim/missed", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.api.Missed()) })
	mux.HandleFunc("POST /_sim/advance", s.advance)
}

// clockPage is the answer of /_sim/clock: the world's time, and how fast it goes.
type clockPage struct {
	Now   time.Time `json:"now"`
	Speed float64   `json:"speed"`
}

func (s *server) clock(w http.ResponseWriter, _ *http.Request) {
	unlock := s.api.lock()
	page := s.now()
	unlock()
	writeJSON(w, page)
}

// now moves the world to now, if it moves by itself, and tells its time. The world must be locked.
func (s *server) now() clockPage {
	page := clockPage{}
	if c := s.api.clock; c != nil {
		c.CatchUp()
		page.Speed = c.speed
	}
	page.Now = s.api.World.Now()
	return page
}

// record writes the entries of the world's record after the first n, one line each.
func (s *server) record(w http.ResponseWriter, r *http.Request) {
	after := 0
	if text := r.URL.Query().Get("after"); text != "" {
		var err error
		if after, err = strconv.Atoi(text); err != nil || after < 0 {
			http.Error(w, "after must be the number of entries that you have already, such as after=120", http.StatusBadRequest)
			return
		}
	}
	unlock := s.api.lock()
	s.now()
	entries := s.api.World.Record()
	unlock() // entries that are written stay as they are
	w.Header().Set("Content-Type", "application/jsonl")
	lines := json.NewEncoder(w)
	for _, e := range entries[min(after, len(entries)):] {
		if lines.Encode(e) != nil {
			return
		}
	}
}

func (s *server) counts(w http.ResponseWriter, r *http.Request) {
	if by := r.URL.Query().Get("by"); by != "" {
		writeJSON(w, s.api.CountsBy(by))
		return
	}
	writeJSON(w, s.api.Counts())
}

// advance moves a paused world: by=90s, or to=2026-11-21T09:15:00Z.
func (s *server) advance(w http.ResponseWriter, r *http.Request) {
	by, to := r.FormValue("by"), r.FormValue("to")
	unlock := s.api.lock()
	page, problem := s.move(by, to)
	unlock()
	if problem != "" {
		http.Error(w, problem, http.StatusBadRequest)
		return
	}
	writeJSON(w, page)
}

// move moves the world, or tells why not. The world must be locked.
func (s *server) move(by, to string) (page clockPage, problem string) {
	page = s.now()
	if page.Speed > 0 {
		return page, "the world moves by itself: start it with speed 0 to move it by hand"
	}
	target, err := time.Parse(time.RFC3339Nano, to)
	if by != "" {
		var d time.Duration
		d, err = time.ParseDuration(by)
		target = page.Now.Add(d)
	}
	if err != nil || target.Before(page.Now) {
		return page, "say how far to move the world: by=90s, or to=2026-11-21T09:15:00Z, not before its now"
	}
	s.api.World.Advance(target)
	s.api.wake()
	return s.now(), ""
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that is gone needs no answer
}
