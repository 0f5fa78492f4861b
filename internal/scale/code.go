package scale

import "github.com/ebbhq/ebb/internal/fleet"

// Code says why a count is what it is, in one word that does not change between versions of Ebb.
type Code string

// The codes. Those that act come first.
const (
	AlarmOut   Code = "alarm-out"
	AlarmIn    Code = "alarm-in"
	AlarmExact Code = "alarm-exact"
	BrakeIn    Code = "brake-in"
	QueueOut   Code = "queue-out"
	QueueIn    Code = "queue-in"
	TrackOut   Code = "tracking-out"
	TrackIn    Code = "tracking-in"
	Fallback   Code = "fallback"
	BelowMin   Code = "below-min"
	AboveMax   Code = "above-max"
	Restored   Code = "restored"

	Steady      Code = "steady"
	AtMin       Code = "at-min"
	AtMax       Code = "at-max"
	CooldownOut Code = "cooldown-out"
	CooldownIn  Code = "cooldown-in"
	Starting    Code = "starting"
	OutWins     Code = "out-wins"
	Braked      Code = "braked"
	Settling    Code = "settling"
	InFlight    Code = "in-flight"
	Learning    Code = "learning"
	Deployment  Code = "deployment"
	Draining    Code = "draining"
	Muted       Code = "muted"
	NoAlarm     Code = "no-alarm"
	NoData      Code = "no-data"
	NoService   Code = "no-service"
	Daemon      Code = "daemon"
	Unknown     Code = "unknown"
	Fought      Code = "two-scalers"
	Observed    Code = "observed"
	Excluded    Code = "excluded"
	Paused      Code = "paused"
)

// codes has a row for each: what it means, for people, and whether the count is changed.
var codes = map[Code]struct {
	Acts  bool
	Quiet bool // it is the ordinary course of things: shown, and not written down
	Tells bool // people are told of it
	Means string
}{
	AlarmOut:   {Acts: true, Means: "an alarm asks for more tasks"},
	AlarmIn:    {Acts: true, Means: "an alarm asks for fewer tasks, and nothing for more"},
	AlarmExact: {Acts: true, Means: "an alarm asks for an exact count"},
	BrakeIn:    {Acts: true, Means: "a brake takes tasks away, whatever else asks for more"},
	QueueOut:   {Acts: true, Means: "the queue holds more than these tasks finish in time"},
	QueueIn:    {Acts: true, Means: "the queue has needed fewer tasks for the whole window"},
	TrackOut:   {Acts: true, Means: "the metric is above its target"},
	TrackIn:    {Acts: true, Means: "the metric has been below its target for the whole window"},
	Fallback:   {Tells: true, Acts: true, Means: "the load could not be read several times in a row, and a count is configured for that"},
	BelowMin:   {Acts: true, Means: "somebody else, or a new minimum, has left the count below the minimum"},
	AboveMax:   {Tells: true, Acts: true, Means: "somebody else, or a new maximum, has left the count above the maximum"},
	Restored:   {Tells: true, Acts: true, Means: "somebody else has lowered the count while the load asks for more"},

	Steady:      {Quiet: true, Means: "nothing asks for another count"},
	AtMin:       {Means: "fewer tasks are asked for, and the count is at its minimum"},
	AtMax:       {Tells: true, Means: "more tasks are asked for, and the count is at its maximum"},
	CooldownOut: {Quiet: true, Means: "the last step out was taken a moment ago"},
	CooldownIn:  {Quiet: true, Means: "the count has changed a moment ago"},
	Starting:    {Quiet: true, Means: "the tasks of the last step do not run yet"},
	OutWins:     {Means: "one alarm asks for more and another for fewer: the service does not shrink"},
	Braked:      {Means: "a brake forbids the service to grow"},
	Settling:    {Quiet: true, Means: "fewer tasks are needed, but not yet for the whole window"},
	InFlight:    {Quiet: true, Means: "tasks work on messages, and nothing says which of them are idle"},
	Learning:    {Quiet: true, Means: "it is not known yet how many messages a task works off"},
	Deployment:  {Means: "fewer tasks are asked for, and a deployment is in progress"},
	Draining:    {Means: "fewer tasks are asked for, and tasks of the service are on hosts that drain"},
	Muted:       {Means: "an alarm asks for a change, but its actions are disabled or muted"},
	NoAlarm:     {Tells: true, Means: "an alarm of the policy does not exist"},
	NoData:      {Tells: true, Means: "an alarm, the queue or the metric could not be read, or has no data: the service does not shrink"},
	NoService:   {Tells: true, Means: "the service does not exist"},
	Daemon:      {Tells: true, Means: "the service is a daemon service, which has no desired count"},
	Fought:      {Tells: true, Means: "Application Auto Scaling sets the count of the service too: Ebb leaves it alone"},
	Unknown:     {Quiet: true, Means: "the service, or an alarm, has not been read yet"},
	Observed:    {Means: "mode is observe: what would be done is said only"},
	Excluded:    {Means: "the service has the tag " + fleet.ExcludeTag},
	Paused:      {Means: "an operator has paused the scaling of the service"},
}

// Acts reports whether the count is changed.
func (c Code) Acts() bool { return codes[c].Acts }

// quiet reports whether it is not worth a line in the journal.
func (c Code) quiet() bool { return codes[c].Quiet }

// Tells reports whether people are told of it.
func (c Code) Tells() bool { return codes[c].Tells }

// Means is what the code means, in a few words; empty: there is no such code.
func (c Code) Means() string { return codes[c].Means }
