package kernel

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/journal"
	"github.com/ebbhq/ebb/internal/plain"
	"github.com/ebbhq/ebb/internal/scale"
)

// Override is an operator's word about one service that is scaled: other bounds for a while, or no scaling at all. Like a pause it is a record
// of its own, which the command line writes under no lease.
type Override struct {
	Cluster string `json:"cluster"`
	Service string `json:"service"`
	scale.Override
	Hold    bool      `json:"hold,omitempty"` // the count is not changed at all
	By      string    `json:"by"`             // user@host
	Message string    `json:"message,omitempty"`
	Since   time.Time `json:"since"` // by the clock of whoever wrote it
	Until   time.Time `json:"until"` // no later than LongestOverride after Since
	Told    bool      `json:"told,omitempty"`
}

// LongestOverride is how long an override lasts at most. What should last longer belongs into the configuration.
const LongestOverride = 31 * 24 * time.Hour

// overrideKind is the kind of its record.
const overrideKind = "override"

type storedOverride struct {
	form
	Override
}

func overrideKey(cluster, service string) string {
	return overrideKind + ":" + cluster + "/" + service + "/1"
}

// ReadOverride reads the override in a record; false: the record is about something else.
func ReadOverride(r journal.Record) (Override, bool) {
	var s storedOverride
	if !strings.HasPrefix(r.Key, overrideKind+":") || json.Unmarshal(r.Body, &s) != nil {
		return Override{}, false
	}
	o := s.Override.bounded()
	return o, s.Kind == overrideKind && s.Version <= 1 && r.Key == overrideKey(o.Cluster, o.Service) && r.Scope == clusterScope(o.Cluster)
}

func (o Override) bounded() Override {
	o.By, o.Message = plain.Text(o.By, 100), plain.Text(o.Message, 200)
	if most := o.Since.Add(LongestOverride); o.Until.After(most) {
		o.Until = most
	}
	return o
}

// String says what is different, who has said so, until when, and why.
func (o Override) String() string {
	var parts []string
	if o.Hold {
		parts = append(parts, "paused")
	}
	if o.Min != nil {
		parts = append(parts, fmt.Sprintf("min %d", *o.Min))
	}
	if o.Max != nil {
		parts = append(parts, fmt.Sprintf("max %d", *o.Max))
	}
	text := strings.Join(parts, ", ") + " by " + o.By + " until " + o.Until.UTC().Format("2006-01-02 15:04:05 UTC")
	if o.Message != "" {
		text += ": " + o.Message
	}
	return text
}

func (o Override) record(after int64, open bool) journal.Record {
	body, err := json.Marshal(storedOverride{form{Kind: overrideKind}, o.bounded()})
	if err != nil {
		panic(err) // a struct of strings, numbers and times always marshals
	}
	return journal.Record{Key: overrideKey(o.Cluster, o.Service), Scope: clusterScope(o.Cluster), Rev: after + 1, Open: open, Body: body}
}

// Begin is what to write so that the override stands in place of an earlier one. open are the open records of the journal.
func (o Override) Begin(open []journal.Record) (b journal.Batch) {
	var after int64
	for _, r := range open {
		if r.Key == overrideKey(o.Cluster, o.Service) {
			after = r.Rev
		}
	}
	add(&b, o.record(after, true), ScaleLine, "service "+o.Service+" in cluster "+o.Cluster+" has "+o.bounded().String(), o.Since)
	return b
}

// EndOverride is what to write so that a service has no override any more, and which it had; false: none.
func EndOverride(open []journal.Record, cluster, service, by string, now time.Time) (b journal.Batch, was Override, had bool) {
	for _, r := range open {
		if o, ok := ReadOverride(r); ok && o.Cluster == cluster && o.Service == service {
			was, had = o, true
			add(&b, o.record(r.Rev, false), ScaleLine, "service "+service+" in cluster "+cluster+" has its own bounds again, by "+plain.Text(by, 100)+
				"; it had "+o.String(), now)
		}
	}
	return b, was, had
}

// overridden is an override as this kernel knows it.
type overridden struct {
	Override
	rev  int64
	over time.Time // by the clock of this Ebb
}

// setOverrides takes over the overrides of its scopes among the open records of the journal.
func setOverrides(k *Kernel, open []journal.Record) {
	k.overrides = map[string]overridden{}
	for _, r := range open {
		if o, ok := ReadOverride(r); ok && k.cfg.mine(r.Scope) {
			k.overrides[r.Key] = overridden{o, r.Rev, o.Until.Add(k.cfg.Skew)}
		}
	}
}

// overrideOf is what an operator has said about a service.
func overrideOf(k *Kernel, cluster, service string) (o scale.Override, paused string) {
	is, ok := k.overrides[overrideKey(cluster, service)]
	if ok && is.Hold {
		paused = is.String()
	}
	return is.Override.Override, paused
}

// endOverrides ends those whose time is over, and has people told of those that are new.
func endOverrides(k *Kernel, now time.Time) (ended []journal.Record) {
	for _, key := range slices.Sorted(maps.Keys(k.overrides)) {
		o := k.overrides[key]
		switch {
		case !now.Before(o.over):
			ended = append(ended, o.record(o.rev, false))
			k.line(now, countKey(o.Cluster, o.Service), ScaleLine, "service "+o.Service+" in cluster "+o.Cluster+" has its own bounds again; it had "+o.String())
			tellScaled(k, o.Cluster, o.Service, "it has its own bounds again", "it had "+o.String(), now)
			delete(k.overrides, key)
		case !o.Told && len(k.cfg.Routes) > 0:
			o.Told = true
			ended = append(ended, o.record(o.rev, true))
			o.rev++
			k.overrides[key] = o
			tellScaled(k, o.Cluster, o.Service, "it has other bounds for a while", o.String(), now)
		}
	}
	return ended
}
