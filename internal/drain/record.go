package drain

import (
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
)

// Record is a drain as the journal keeps it: one flat object, in this order since the first journals.
type Record struct {
	Key               string           `json:"key"`
	Group             string           `json:"group"`
	Hook              string           `json:"hook"`
	Instance          fleet.InstanceID `json:"instance"`
	Token             string           `json:"token,omitempty"`
	ByID              bool             `json:"by_id,omitempty"`
	Cluster           string           `json:"cluster,omitempty"`
	ContainerInstance fleet.ARN        `json:"container_instance,omitempty"`
	Adopted           bool             `json:"adopted,omitempty"`
	WarmPool          bool             `json:"warm_pool,omitempty"`
	Heard             time.Time        `json:"heard"`
	NotBefore         time.Time        `json:"not_before,omitzero"`
	Zero              time.Time        `json:"zero"`
	Doubt             bool             `json:"doubt,omitempty"`
	Queued            time.Time        `json:"queued,omitzero"`
	Slot              time.Time        `json:"turn,omitzero"`
	Asked             time.Time        `json:"asked,omitzero"`
	AbsentSince       time.Time        `json:"absent_since,omitzero"`
	UnreachedFrom     time.Time        `json:"unreached_from,omitzero"`
	WaitingSince      time.Time        `json:"waiting_since,omitzero"`
	StayingSince      time.Time        `json:"staying_since,omitzero"`
	DrainingSince     time.Time        `json:"draining_since,omitzero"`
	Agreed            time.Time        `json:"agreed,omitzero"`
	EmptySince        time.Time        `json:"empty_since,omitzero"`
	Left              []string         `json:"left,omitempty"`
	Intent            *Answer          `json:"intent,omitempty"`
	Ended             time.Time        `json:"ended,omitzero"`
	Final             *Answer          `json:"final,omitempty"`
}

// Record is the drain of a host as the journal keeps it.
func (d *Drain) Record() Record {
	return Record{
		Key: d.Key, Instance: d.Instance(), Heard: d.Heard, Zero: d.Zero, Queued: d.Queued, Slot: d.Slot, Left: d.Left,
		Group: d.Group, Hook: d.Hook, Token: d.Token, ByID: d.ByID, Adopted: d.Adopted, WarmPool: d.WarmPool, Doubt: d.Doubt,
		NotBefore: d.NotBefore, WaitingSince: d.WaitingSince, StayingSince: d.StayingSince,
		Cluster: d.Cluster, ContainerInstance: d.ContainerInstance, Asked: d.Asked, AbsentSince: d.AbsentSince,
		UnreachedFrom: d.UnreachedFrom, DrainingSince: d.DrainingSince, Agreed: d.Agreed, EmptySince: d.EmptySince,
		Intent: d.Intent, Ended: d.Ended, Final: d.Final,
	}
}

// Drain is the drain of a host that a record tells of.
func (r *Record) Drain() Drain {
	return Drain{
		Key: r.Key, Target: fleet.HostTarget(r.Instance), Heard: r.Heard, Zero: r.Zero, Queued: r.Queued, Slot: r.Slot, Left: r.Left,
		Hold: Hold{
			Group: r.Group, Hook: r.Hook, Token: r.Token, ByID: r.ByID, Adopted: r.Adopted, WarmPool: r.WarmPool, Doubt: r.Doubt,
			NotBefore: r.NotBefore, WaitingSince: r.WaitingSince, StayingSince: r.StayingSince,
		},
		Host: Host{
			Cluster: r.Cluster, ContainerInstance: r.ContainerInstance, Asked: r.Asked, AbsentSince: r.AbsentSince,
			UnreachedFrom: r.UnreachedFrom, DrainingSince: r.DrainingSince, Agreed: r.Agreed, EmptySince: r.EmptySince,
		},
		Intent: r.Intent, Ended: r.Ended, Final: r.Final,
	}
}
