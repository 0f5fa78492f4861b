package doctor

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ebbhq/ebb/internal/advice"
	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/inventory"
)

func tellChecks() []Check {
	rules := func(in *Input) []inventory.Rule { return in.Inventory.Rules }
	return []Check{
		{"unheard", "A hook that notifies nobody", eachOf((*Input).groups, own, unheard)},
		{"queue-gone", "A hook or rule sends to a queue that does not exist", queueGone},
		{"queue-policy", "A queue that refuses EventBridge", queuePolicy},
		{"rule-matches-nothing", "A rule that matches no hook", each(rules, ruleMatchesNothing)},
	}
}

// unheard looks at every way by which a hook can notify: its own target, and the rules. ECS listens to its own hook.
func unheard(in *Input, g *inventory.Group, h fleet.Hook) *Finding {
	if !in.read("", "events:ListRules", "events:ListTargetsByRule") || in.heard(g, h) {
		return nil
	}
	f := &Finding{
		Severity: Warn, Subject: "group " + g.Name, Finding: "hook " + h.Name + " has no notification target, and no enabled EventBridge rule forwards its event",
		Impact: "unless something on the instance answers it, every instance waits " + span(h.Heartbeat) + " and is then terminated undrained",
		Advice: advice.Of(advice.Say("ask the owner of the hook what should receive its notifications: a target of the hook, or a rule of EventBridge")),
	}
	if h.Target != "" {
		f.Finding = "hook " + h.Name + " notifies " + string(h.Target) + ", which is not the queue that Ebb reads, and no enabled " +
			"EventBridge rule forwards its event"
	}
	if h.Name == in.hook() {
		f.Finding += " to Ebb"
		f.Impact = "Ebb finds a leaving instance only when it checks the groups once a minute, and loses that time"
		f.Advice = advice.Of(in.At.Ebb("init", "--group", g.Name).For("writes what makes the rule that leads to Ebb's queue"))
	}
	in.explainRules(g, h, f)
	return f
}

// explainRules names a rule that would forward the event if it were enabled or had a target.
func (in *Input) explainRules(g *inventory.Group, h fleet.Hook, f *Finding) {
	for _, r := range in.Inventory.Rules {
		switch {
		case in.matches(r, g, h) == no || r.ManagedBy != "":
		case !r.Enabled:
			f.Finding += "; rule " + r.Name + " would do so, but it is disabled"
			f.Advice = advice.Of(in.At.Messaging().EnableRule(r.Name).For(""))
			return
		case len(r.Targets) == 0:
			f.Finding += "; rule " + r.Name + " would do so, but it has no target"
			if h.Name == in.hook() && in.queueARN() != "" {
				f.Advice = advice.Of(in.At.Messaging().PutTarget(r.Name, in.queueARN()).For("lets the rule send to Ebb's queue"))
			}
			return
		}
	}
}

// queueARN is the queue that Ebb reads; empty: it is not known.
func (in *Input) queueARN() string {
	for _, q := range in.Inventory.Queues {
		if in.isEbbs(q) {
			return q.ARN
		}
	}
	return ""
}

// heard reports whether some listener may receive the messages of a hook; where Ebb's queue is known, whether Ebb receives them.
// Where a topic or function forwards its messages is not known, and assumed to be right.
func (in *Input) heard(g *inventory.Group, h fleet.Hook) bool {
	queue := ""
	if h.Name == in.hook() {
		queue = in.queueARN()
	}
	reaches := func(arn string) bool {
		return arn != "" && (queue == "" || arn == queue || !strings.Contains(arn, ":sqs:"))
	}
	if reaches(string(h.Target)) {
		return true
	}
	return slices.ContainsFunc(in.Inventory.Rules, func(r inventory.Rule) bool {
		return r.Enabled && r.ManagedBy == "" && in.matches(r, g, h) != no && slices.ContainsFunc(r.Targets, reaches)
	})
}

func queueGone(in *Input) (found []Finding) {
	absent := map[string]bool{}
	for _, q := range in.Inventory.Queues {
		absent[q.ARN] = q.Absent && q.ARN != ""
		if q.Absent && in.isEbbs(q) {
			found = append(found, Finding{
				Severity: Error, Subject: "queue " + q.URL, Finding: "Ebb's configuration names this queue, which does not exist",
				Impact: "ebb serve does not start", Advice: advice.Of(advice.Say("correct queue: in Ebb's configuration, or create it"),
					in.At.Messaging().CreateQueue(q.URL[strings.LastIndexByte(q.URL, '/')+1:], nil).For("creates it")),
			})
		}
	}
	send := func(subject, who, arn string) {
		if absent[arn] {
			found = append(found, Finding{
				Severity: Error, Subject: subject, Finding: who + " sends to queue " + arn + ", which does not exist",
				Impact: "nobody learns that an instance leaves",
				Advice: advice.Of(advice.Say("name another queue, or create it"),
					in.At.Messaging().CreateQueue(arn[strings.LastIndexByte(arn, ':')+1:], nil).For("creates it")),
			})
		}
	}
	for _, g := range in.groups() {
		for _, h := range g.Hooks {
			send("group "+g.Name, "hook "+h.Name, string(h.Target))
		}
	}
	for _, r := range in.Inventory.Rules {
		for _, arn := range r.Targets {
			send("rule "+r.Name, "the rule", arn)
		}
	}
	return found
}

// queuePolicy looks at the queues that a rule sends to without a role: EventBridge may do so only if the queue's policy says so.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
func queuePolicy(in *Input) (found []Finding) {
	for _, q := range in.Inventory.Queues {
		if !queueRead(in, q) || allowsEvents(q.Policy) != no {
			continue
		}
		for _, r := range in.Inventory.Rules {
			if !r.Enabled || !slices.Contains(r.Targets, q.ARN) || slices.Contains(r.WithRole, q.ARN) {
				continue
			}
			found = append(found, Finding{
				Severity: Error, Subject: "queue " + q.ARN, Finding: "rule " + r.Name + " sends to it, but its policy does not let EventBridge (events.amazonaws.com) send",
				Impact: "the events are dropped, and nobody learns that an instance leaves",
				Advice: advice.Of(in.allow(q, r)),
			})
		}
	}
	return found
}

// allow lets a rule send to a queue. A policy that is there already is kept: its statements are for whoever wrote them to put together.
func (in *Input) allow(q inventory.Queue, r inventory.Rule) advice.Fix {
	statement := map[string]any{
		"Effect": "Allow", "Principal": map[string]string{"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": q.ARN,
		"Condition": map[string]any{"ArnEquals": map[string]string{"aws:SourceArn": r.ARN}},
	}
	if q.Policy != "" {
		text, _ := json.Marshal(statement) // of what JSON knows
		return advice.Say("add to its policy: %s", text)
	}
	policy, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{statement}})
	return in.At.Messaging().SetQueue(q.URL, map[string]string{"Policy": string(policy)}).For("gives it a policy; it has none")
}

// allowsEvents reads a policy: maybe, where it cannot be read. Conditions count as met.
func allowsEvents(policy string) verdict {
	if policy == "" {
		return no
	}
	var p struct{ Statement json.RawMessage }
	if json.Unmarshal([]byte(policy), &p) != nil {
		return maybe
	}
	type statement struct {
		Effect            string
		Principal, Action any
		NotPrincipal      any
		NotAction         any
	}
	var all []statement
	if json.Unmarshal(p.Statement, &all) != nil {
		all = make([]statement, 1)
		if json.Unmarshal(p.Statement, &all[0]) != nil {
			return maybe
		}
	}
	for _, s := range all {
		if s.Effect != "Allow" {
			continue
		}
		if s.NotPrincipal != nil || s.NotAction != nil {
			return maybe
		}
		sends := slices.ContainsFunc(words(s.Action), func(a string) bool {
			a = strings.ToLower(a)
			return a == "sqs:sendmessage" || strings.HasSuffix(a, "*") && strings.HasPrefix("sqs:sendmessage", strings.TrimSuffix(a, "*"))
		})
		if sends && speaksOfEvents(s.Principal) {
			return yes
		}
	}
	return no
}

func speaksOfEvents(principal any) bool {
	if m, ok := principal.(map[string]any); ok {
		return slices.Contains(words(m["Service"]), "events.amazonaws.com") || slices.Contains(words(m["AWS"]), "*")
	}
	return principal == "*"
}

// words reads what a policy writes as one word or as a list.
func words(v any) (out []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, item := range v {
			s, _ := item.(string) // empty, which nobody looks for, where it is something else
			out = append(out, s)
		}
	}
	return out
}

// ruleMatchesNothing looks at rules for terminating actions. It needs an inventory of the whole account.
func ruleMatchesNothing(in *Input, r inventory.Rule) *Finding {
	if !in.Everything || !in.read("", "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeLifecycleHooks") ||
		!strings.Contains(r.Pattern, "EC2 Instance-terminate Lifecycle Action") || !r.Enabled || r.ManagedBy != "" {
		return nil
	}
	hooks := 0
	for _, g := range in.groups() {
		for _, h := range g.Terminating() {
			if in.matches(r, g, h) != no {
				return nil
			}
			hooks++
		}
	}
	if hooks == 0 {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "rule " + r.Name, Finding: "the rule is for terminating lifecycle actions, but its pattern matches " +
			"none of the " + strconv.Itoa(hooks) + " terminating hooks: " + r.Pattern,
		Impact: "the receiver of its events does not learn that an instance leaves",
		Advice: advice.Of(advice.Say("name the right group and hook in its detail, or take every terminating action"),
			in.At.Messaging().PutRule(r.Name, `{"source":["aws.autoscaling"],"detail-type":["EC2 Instance-terminate Lifecycle Action"]}`).
				Undone(in.At.Messaging().PutRule(r.Name, r.Pattern)).Costs(advice.Interrupts, "its receiver hears of every group", "its receiver knows its own groups").
				For("takes every terminating action")),
	}
}

func queueChecks() []Check {
	return []Check{
		{"no-redrive", "A queue without a dead-letter queue", each((*Input).listened, noRedrive)},
		{"queue-settings", "Queue settings that lose or repeat messages", queueSettings},
		{"dead-letters", "Messages in a dead-letter queue", each((*Input).deadLetterQueues, deadLetters)},
	}
}

// listened are the queues that receive lifecycle actions: from a hook, from a rule, or because Ebb reads them.
func (in *Input) listened() []inventory.Queue {
	s := in.Inventory
	told := map[string]bool{}
	for _, g := range s.Groups {
		for _, h := range g.Hooks {
			told[string(h.Target)] = true
		}
	}
	for _, r := range s.Rules {
		for _, arn := range r.Targets {
			told[arn] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(s.Queues), func(q inventory.Queue) bool {
		return !queueRead(in, q) || !told[q.ARN] && !in.isEbbs(q)
	})
}

// queueRead reports whether a queue is there and its attributes are known.
func queueRead(in *Input, q inventory.Queue) bool {
	return !q.Absent && q.ARN != "" && q.URL != "" && in.read("queue "+q.URL, "sqs:GetQueueAttributes")
}

func (in *Input) deadLetterQueues() []inventory.Queue {
	return slices.DeleteFunc(slices.Clone(in.Inventory.Queues), func(q inventory.Queue) bool {
		return q.ARN == "" || !slices.ContainsFunc(in.Inventory.Queues, func(other inventory.Queue) bool { return other.Redrive == q.ARN })
	})
}

func noRedrive(in *Input, q inventory.Queue) *Finding {
	if q.Redrive != "" {
		return nil
	}
	name := q.ARN[strings.LastIndexByte(q.ARN, ':')+1:]
	return &Finding{
		Severity: Warn, Subject: "queue " + q.URL, Finding: "the queue has no redrive policy",
		Impact: "a message that no reader understands is delivered again and again until it expires; Ebb writes it to its journal and deletes it after 5 receives",
		Advice: advice.Of(in.At.Messaging().CreateQueue(name+"-dlq", map[string]string{"MessageRetentionPeriod": "1209600"}).
			For("first a queue for what no reader understands"),
			in.At.Messaging().SetQueue(q.URL, map[string]string{"RedrivePolicy": advice.Redrive(q.ARN + "-dlq")}).For("then its redrive policy")),
	}
}

// shortRetention is how long a reader must be able to be away without losing messages about terminations.
const shortRetention = time.Hour

func queueSettings(in *Input) (found []Finding) {
	for _, q := range in.listened() {
		set := func(what, ifLeft, attribute, value string) {
			found = append(found, Finding{
				Severity: Warn, Subject: "queue " + q.URL, Finding: what, Impact: ifLeft,
				Advice: advice.Of(in.At.Messaging().SetQueue(q.URL, map[string]string{attribute: value}).For("")),
			})
		}
		if q.Retention < shortRetention {
			set("the queue keeps messages for "+span(q.Retention)+" only", "if its reader is away for longer, messages about terminations are lost",
				"MessageRetentionPeriod", "345600")
		}
		if q.Visibility == 0 && !in.isEbbs(q) { // Ebb asks for a time of its own at each receive
			set("a received message becomes visible again at once (visibility timeout 0)",
				"every message is handled several times at the same time", "VisibilityTimeout", "60")
		}
		if q.Redrive != "" && q.MaxReceives > 0 && q.MaxReceives < 3 {
			set(fmt.Sprintf("a message goes to the dead-letter queue after %d receives", q.MaxReceives),
				"a reader that is restarted in the middle loses the message to the dead-letter queue",
				"RedrivePolicy", advice.Redrive(q.Redrive))
		}
	}
	return found
}

func deadLetters(in *Input, q inventory.Queue) *Finding {
	if q.Visible == 0 {
		return nil
	}
	return &Finding{
		Severity: Warn, Subject: "queue " + q.URL, Finding: fmt.Sprintf("this dead-letter queue holds messages: about %d", q.Visible),
		Impact: "nobody acted on them: instances may have left undrained, or a reader does not understand its messages",
		Advice: advice.Of(in.At.Messaging().ReadQueue(q.URL).For("shows some of them"), in.At.Messaging().SendBack(q.ARN).For("sends them back"),
			in.At.Messaging().Purge(q.URL).For("drops them")),
	}
}
