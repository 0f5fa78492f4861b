#!/usr/bin/env python3
"""Plants known bugs, one at a time, in a copy of the tree, and says what finds each: random seeds, and after how many, or a named test.

usage: plants.py [SEEDS [WORDS [FIRST]]]   default 1000, from seed 1 or FIRST on; exits with 1 when a plant is not found by its test, or
                                 within that many seeds; with WORDS, a regular expression, only the plants whose name it finds
       plants.py check           only checks that each plant still has its place in the code

It changes nothing in this tree. A plant whose place in the code is not found any more is an error: fix the plant.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent

# name, file, the code as it is, the code with the bug. The seeds must find it.
SEEDED = [
    ("the hook of an agent is answered although its host runs", "internal/drain/agent.go",
     "	dead := m.Is == fleet.Absent || m.Is == fleet.Seen && m.Value.Gone()\n", "	dead := m.Is != fleet.Unknown\n"),
    ("the hook of an agent whose host is gone is left to its time-out", "internal/kernel/agent.go", "!man.Agent || ", "man.Agent || "),
    ("a host whose agent's hook is followed is drained again", "internal/drain/course.go", "		c.course = agentCourse\n", "		_ = agentCourse\n"),
    ("the hook of an agent gets Ebb's heartbeats", "internal/kernel/hooks.go", "d.Agent || over", "over"),
    ("a rehearsal is believed without the task's own word", "internal/drain/stop.go",
     "f.Is != fleet.Seen || !c.now.Before(f.Value.RehearsedUntil) {", "f.Is != fleet.Seen {"),
    ("a rehearsal is begun where the configuration does not allow it", "internal/kernel/tasks.go", "case e.Rehearsal && !man.Rehearsals:", "case false:"),
    ("a task that was taken out for a rehearsal is not stopped", "internal/drain/stop.go",
     "	if !d.toStop() || f.Value.Leaves() {\n", "	if true || !d.toStop() || f.Value.Leaves() {\n"),
    ("DRAINING does not wait until traffic has left", "internal/drain/steps.go", "if !hasSlot(c) || !trafficLeft(c) {", "if !hasSlot(c) {"),
    ("the stated wait of traffic is not waited", "internal/drain/trafficfirst.go", "	by := c.d().EarlyOut.Add(wait + c.p.Skew)\n",
     "	by := c.d().EarlyOut.Add(wait/4 + c.p.Skew)\n"),
    ("a target that serves again does not begin its wait anew", "internal/drain/trafficfirst.go",
     "			e.EarlyOut, e.QuietSince = time.Time{}, time.Time{}\n", ""),
    ("what other hosts take out of a target group is not counted", "internal/drain/trafficfirst.go",
     "slices.Concat(c.seen.Taken(fleet.ARN(group)), mine)", "mine"),
    ("how many targets must be healthy is not looked at", "internal/drain/trafficfirst.go", "if lost == 0 || !v.Opens(healthy, there) {", "if v.Delay >= 0 {"),
    ("the targets that are taken out first are remembered after the call", "internal/kernel/pass.go",
     "			if t.In == group && e.d.Open() {", "			if t.In == group && e.d.Open() && !e.d.EarlyOut.IsZero() {"),
    ("a notice of EC2 is believed without a look", "internal/drain/notice.go",
     "if s.Is == fleet.Seen && s.Value.Leaves() {", "if s.Is == fleet.Seen {"),
    ("an instance is said to have ended, and that is believed", "internal/drain/notice.go",
     "\tcase d.Noticed == Down:\n\t\treturn notDown(c)\n\t}\n", "\tcase d.Noticed == Down:\n\t\treturn false\n\t}\n"),
    ("a notice of a task is believed without a look", "internal/drain/task.go",
     "	case f.Is == fleet.Seen && (f.Value.Leaves() || c.d().toStop()):\n		lookAtTask(c, c.p.Look)",
     "	case f.Is == fleet.Seen:\n		lookAtTask(c, c.p.Look)"),
    ("the target of a task is taken out at another port", "internal/fleet/endpoints.go",
     "TargetID{a.IP, lb.ContainerPort}", "TargetID{a.IP, lb.ContainerPort + 1}"),
    ("the other target group of a blue/green deployment is not looked at", "internal/cloud/convert.go",
     "groups = append(groups, lb.AdvancedConfiguration.AlternateTargetGroupArn)", "_ = groups"),
    ("the net under what services name is not read", "internal/drain/net.go", "	if len(ids) == 0 {", "	if len(ids) >= 0 {"),
    ("tasks are left in Cloud Map", "internal/fleet/endpoints.go", "range s.Registries {", "range s.Registries[:0] {"),
    ("tasks are left in VPC Lattice", "internal/fleet/endpoints.go", "range s.Lattice {", "range s.Lattice[:0] {"),
    ("what is under the net is not taken out", "internal/drain/task.go", "	if !c.deregister(slices.Concat(named, more)) {", "	if _ = more; !c.deregister(named) {"),
    ("a task of which no event tells is not looked for", "internal/kernel/looks.go", "	looks = append(looks, spotLooks(o, now)...)\n", ""),
    ("a task is said to be drained once AWS has accepted the call", "internal/drain/task.go", "	if !c.deregister(slices.Concat(named, more)) {",
     "	if !c.deregister(slices.Concat(named, more)) && !c.seen.Tried(plan.Deregister).Flying {"),
    ("who was first is asked after the call", "internal/drain/task.go",
     "allOut(c, balanced) && c.seen.Tried(plan.Deregister).Started.IsZero()", "allOut(c, balanced) || c.seen.Tried(plan.Deregister).Fails == 0"),
    ("a step is taken again for the same change of an alarm", "internal/scale/alarm.go", "	if t.Repeat == 0 {\n		return false\n	}\n", ""),
    ("a step that is taken is not remembered", "internal/scale/scale.go", "		d.Acted = append(without(d.Acted, a.Alarm), a)\n", "		_ = a\n"),
    ("a service shrinks while another alarm has no data", "internal/scale/alarm.go", "		if a.State != \"OK\" || a.Trouble != \"\" {", "		if a.State == \"\" {"),
    ("a service shrinks while another alarm asks for more", "internal/scale/alarm.go", "		t.wants = append(t.wants, r.Alarm)\n", ""),
    ("the maximum of a service is not kept", "internal/scale/scale.go", "		return min(out.to, hi), out.code, out.why", "		return out.to, out.code, out.why"),
    ("other bounds do not end", "internal/kernel/override.go", "case !now.Before(o.over):", "case now.IsZero():"),
    ("a group that is not to be raised gets more instances", "internal/kernel/capacity.go",
     "	return ok && m.RaiseCapacity && m.Cluster == cluster && !m.Policy.Observe\n", "	return ok && m.Cluster == cluster\n"),
    ("a desired capacity is lowered", "internal/cloud/act.go", "	if to <= aws.ToInt32(g.DesiredCapacity) {\n		return nil\n	}\n", ""),
    ("a message in flight is not work", "internal/scale/queue.go", "	if !d.Policy.Queue.Protected {", "	if false {"),
    ("a window is not heeded", "internal/scale/bounds.go", "		if open {\n", "		if open && w.For == 0 {\n"),
    ("a window does not end", "internal/scale/bounds.go", "	begin := w.start.Next(now.Add(-w.For))", "	begin := w.start.Next(now.Add(-2 * w.For))"),
    ("a metric without data is taken for nothing", "internal/scale/track.go", "	if f.Is != fleet.Seen || d.now.After(late) ||", "	if"),
    ("the tag that excludes a service is not heeded", "internal/cloud/convert.go", "		out.Excluded = out.Excluded || aws.ToString(t.Key) == fleet.ExcludeTag",
     "		out.Excluded = out.Excluded || aws.ToString(t.Key) == \"\""),
    ("scaling goes on while it is paused", "internal/scale/scale.go", "(p.Observe || s.Paused != \"\" || excluded)", "(p.Observe || excluded)"),
    ("what was remembered of a scaled service is lost at a restart", "internal/kernel/counts.go", "`json:\"scaling,omitzero\"`", "`json:\"-\"`"),
    ("an alarm of which no message tells is not looked at", "internal/kernel/scale.go", "			after(s, alarmEvery)\n", "			after(s, 24*time.Hour)\n"),
    ("a raised desired count is put back twice", "internal/desired/desired.go",
     "			s.Back = append(s.Back, r.Who)\n", "			s.Back, e.Base = append(s.Back, r.Who), max(0, e.Base-r.By)\n"),
    ("a raised desired count is forgotten at a restart", "internal/kernel/kernel.go", "	loadCounts(k, open)\n", ""),
    ("a desired count is set before it is stored", "internal/kernel/counts.go",
     "	blank := c.rev == 0 && (", "	blank := !c.Write.At.IsZero() || c.rev == 0 && ("),
    ("a desired count that somebody else has set is undone", "internal/desired/desired.go",
     "	e.Base, e.Count, e.Write, e.Raises = count, count, Write{}, slices.Clone(e.Raises)\n",
     "	if e.Count = count; e.Count >= 0 {\n		return e, s\n	}\n"),
    ("Spot without capacity is not replaced", "internal/kernel/looks.go", "	looks = append(looks, countLooks(o, now)...)\n", ""),
    ("the hook is answered when the running count is 0", "internal/fleet/fleet.go",
     'return t.LastStatus != Stopped && t.LastStatus != "DELETED"', "return t.DesiredStatus != Stopped && t.LastStatus != Stopped"),
    ("a failed heartbeat is remembered as done", "internal/kernel/pass.go",
     "t.Class, t.Message, t.Fails = fail.Class, fail.Message, t.Fails+1\n",
     "t.Class, t.Message, t.Fails = fail.Class, fail.Message, t.Fails+1\n\t\tif a.Kind == plan.Beat {\n\t\t\tt.Class, t.OK, t.Fails = plan.OK, started, 0\n\t\t}\n"),
    ("a message is deleted before the journal is durable", "internal/engine/core.go",
     "\tif err := c.write(ctx, &out); err != nil {", "\tc.settle(ctx, out.Settle)\n\tif err := c.write(ctx, &out); err != nil {"),
    ("a result of a forgotten kernel is taken for one of the new kernel", "internal/engine/core.go", "if k == c.Kernel && k != nil {", "if c.Kernel != nil {"),
    ("an operator's word that is taken back is not seen", "internal/drain/word.go",
     "if !d.asked() || d.WordGone.IsZero() {", "if true || d.WordGone.IsZero() {"),
    ("one look without an operator's word is enough", "internal/drain/word.go",
     "c.container.At.Before(over) {", "false && c.container.At.Before(over) {"),
    ("an operator's word that has been obeyed is obeyed again", "internal/kernel/words.go",
     "open || k.recent[t].obeyed(ci.Word) ||", "open ||"),
    ("at an operator's deadline his word is not looked at once more", "internal/drain/rules.go",
     "notSeen(c) || heard(c) || overdue(c)", "notSeen(c) || overdue(c)"),
    ("an operator's host is terminated before its tasks have stopped", "internal/drain/steps.go",
     "\twatch(c, len(waited) > 0)\n",
     "\twatch(c, len(waited) > 0)\n\tif c.d().asked() {\n\t\twaited, daemons = nil, nil\n\t}\n"),
    ("the outbox is emptied before people are told", "internal/engine/outbox.go",
     "\tshown, err := o.tell(ctx, route, f, n, messages)\n", "\to.remove(ctx, f)\n\tshown, err := o.tell(ctx, route, f, n, messages)\n"),
    ("a notice that is sent again has another key", "internal/engine/outbox.go",
     "\tshown, err := o.tell(ctx, route, f, n, messages)\n", "\tn.Key += now.Format(\"/150405\")\n\tshown, err := o.tell(ctx, route, f, n, messages)\n"),
    ("people are told of the same blocker again and again", "internal/kernel/tell.go", ' || slices.Contains(e.telling.Told, b.Code) {', " {"),
    ("it is forgotten that a digest was made", "internal/engine/outbox.go",
     "\t\tb.Forwarded = append(b.Forwarded, r.Mark(until))\n", "\t\t_ = r.Mark(until)\n"),
    ("notices are written after the batch that they are about", "internal/engine/aside.go",
     "\terr := c.put(ctx, out.Batch)\n\tif refused(err) {\n",
     "\tlater := out.Batch.Forwarded\n\tout.Batch.Forwarded = nil\n\terr := c.put(ctx, out.Batch)\n\tout.Batch.Forwarded = later\n"
     "\tif err == nil {\n\t\terr = c.put(ctx, journal.Batch{Forwarded: later})\n\t}\n\tif refused(err) {\n"),
    ("the second page of ListTasks is not read", "internal/cloud/ecs.go",
     "return out.TaskArns, out.NextToken", "return out.TaskArns, nil"),
    ("a failed look is taken for absence", "internal/kernel/observer.go",
     "if s.Err == nil || l.Kind == plan.ListCluster", "if true || l.Kind == plan.ListCluster"),
    ("ABANDON is sent instead of CONTINUE", "internal/drain/rules.go", 'call.Result = "CONTINUE"', 'call.Result = "ABANDON"'),
    ("a restart answers the hook", "internal/drain/course.go",
     "\tremember(c)\n", "\tremember(c)\n\tif !d.DrainingSince.IsZero() && c.instance.Is == fleet.Unknown {\n\t\tc.answer(Drained, \"restarted\", nil)\n\t\treturn c.out\n\t}\n"),
    ("a failures entry of UpdateContainerInstancesState is ignored", "internal/cloud/act.go", "fail(refused(ids, res.Failures))", "_ = res"),
    ("a failures entry of the Describe calls is ignored", "internal/cloud/ecs.go",
     "{ return f.Class == plan.Gone }", "{ return true }"),
    ("the first pages of a cluster's list are taken for all", "internal/kernel/listing.go",
     'l.token, l.listed = v.Next, v.Next == ""', 'l.token, l.listed = "", true'),
    ("who leaves is not counted after a restart", "internal/kernel/slots.go",
     "return !e.d.Slot.IsZero() || len(e.d.Taken) > 0 || !e.d.DrainingSince.IsZero() || ci.Is",
     "return e.fresh && !e.d.Slot.IsZero() || ci.Is"),
    ("a message for another Ebb is deleted without a note", "internal/kernel/hear.go",
     "k.forwarded = append(k.forwarded, journal.Forwarded{Scope: scope, ID: id, Body: h.Body, Sent: h.Sent})\n", "_ = id\n"),
    ("a lease is taken over without waiting", "internal/lease/lease.go", "now.Sub(s.since) > l.For ||", "now.Sub(s.since) > l.For/4 ||"),
    ("a record is written under no lease", "internal/kernel/pass.go", "out.Batch.Under = k.under(out.Batch.Records)", "out.Batch.Under = nil"),
    ("a function forgets that tasks ran", "internal/kernel/passstate.go", "\t\t\tc.Live = append(c.Live, id)\n", "\t\t\t_ = id\n"),
    ("a turn is not remembered", "internal/drain/drain.go", 'json:"turn,omitzero"', 'json:"-"'),
    ("a drain that is only observed is kept alive", "internal/drain/course.go", "\tif c.p.Observe {\n\t\treturn\n\t}\n\ta.Target", "\ta.Target"),
    ("a drain that is only observed is drained", "internal/kernel/record.go", "\tman.Policy.Skew = k.cfg.Skew\n",
     "\tman.Policy.Skew, man.Policy.Observe = k.cfg.Skew, false\n"),
    ("a pause is forgotten when another Ebb takes over", "internal/kernel/kernel.go", "\tk.SetPauses(open)\n", ""),
    ("a pause that comes while Ebb runs is not heard", "internal/engine/core.go", "\tc.Kernel.SetPauses(open)\n", "\t_ = open\n"),
    ("a group that is excluded is drained", "internal/drain/exclude.go", "\tcase slot.Excluded && !slot.Unread:\n", "\tcase false && slot.Unread:\n"),
    ("one less than may is let go", "internal/drain/steps.go", "t.Leave < t.Limit:", "t.Leave == 0 || t.Leave+1 < t.Limit:"),
    ("a share is taken of more than a group has", "internal/kernel/saw.go", "o.groups[g.Name] = len(g.Instances)", "o.groups[g.Name] = max(6, len(g.Instances))"),
    ("a list of the cluster with tasks on two hosts counts for one of them only", "internal/kernel/listing.go",
     "o.listed(t.ARN, o.ownerOf[t.ContainerInstance])\n", "if len(l.subjects) > 0 {\n\t\t\to.listed(t.ARN, o.ownerOf[fleet.ARN(l.subjects[0].ID)])\n\t\t}\n"),
    ("one record that the journal refuses stops every drain", "internal/engine/aside.go",
     "\tif refused(err) {\n\t\treturn c.writeApart(ctx, out)\n\t}\n", ""),
    ("no heartbeat is sent while the journal is away", "internal/engine/core.go", "\tc.beats.keep(c.remember()...)\n", "\t_ = c.remember()\n"),
    ("the message of a drain that was let go is deleted", "internal/engine/aside.go",
     "\tleave(out, func(v kernel.Verdict) bool { return v.Drain == key })\n", ""),
    ("people are told again, after a restart, that a drain is let go", "internal/engine/aside.go", "\t\tif again {\n", "\t\tif again && false {\n"),
    ("a line that the journal refuses is lost without a word", "internal/engine/aside.go",
     'err = c.setAside(ctx, l.Key, fmt.Sprintf("a line of history, %q: %s: %s", l.Kind, err.Error(), l.Text))', "err = nil"),
]

# name, file, the code as it is, the code with the bug, the package and the test. The test must find it, and must pass without it.
TESTED = [
    ("an Ebb that was away when a task was to be stopped gives up", "internal/drain/stop.go",
     "return Later(d.StopBy, c.seen.Since()).Add(stopFor)", "return d.StopBy.Add(stopFor)", "drain", "TestATaskThatAnOperatorLetsLeave"),
    ("a task is stopped while its targets drain", "internal/drain/stop.go",
     "d.Quiet.IsZero() && c.now.Before(d.StopBy) {", "false && d.Quiet.IsZero() && c.now.Before(d.StopBy) {", "drain", "TestATaskThatAnOperatorLetsLeave"),
    ("a task whose targets may be out is left as it is", "internal/drain/stop.go",
     "	if over && !touched(c) {", "	if over && c.d().Accepted.IsZero() {", "drain", "TestATaskThatAnOperatorLetsLeave"),
    ("a host whose interruption is rehearsed waits as any other that an operator lets leave", "internal/drain/notice.go",
     "return d.warned() || d.asked() && d.Word.Rehearses() }", "return d.warned() }", "drain", "TestAHostWhoseInterruptionIsRehearsed"),
    ("a host is interrupted for a rehearsal that is not allowed", "internal/kernel/words.go",
     "if ci.Word.Rehearses() && !man.Rehearsals {", "if false {", "kernel", "TestARehearsalOfAHost"),
    ("a notice after one that was not true is passed over", "internal/kernel/tasks.go",
     "k.recent[t] != nil && !k.recent[t].newest().stayed:", "k.recent[t] != nil:", "kernel", "TestRehearsals"),
    ("a connection count that cannot be read is none", "internal/drain/trafficfirst.go",
     "		if n.Is != fleet.Seen || n.At.Before(e.EarlyOut) {\n", "		if n.Is == fleet.Absent {\n", "drain", "TestTrafficFirst"),
    ("the TTL in Cloud Map is not waited for", "internal/drain/trafficfirst.go", "ttl.Value.Delay+ttlMargin)", "ttlMargin)", "sim/story", "TestStories"),
    ("a wait for traffic has no end", "internal/drain/trafficfirst.go", "	case !c.now.Before(end):\n", "	case false:\n", "sim/story", "TestStories"),
    ("a word that is taken back leaves tasks without traffic", "internal/drain/word.go",
     "if len(d.Taken) > 0 && c.container.Value.Status == fleet.Active {", "if false {", "sim/story", "TestStories"),
    ("a Spot Instance that EC2 takes back waits for its traffic", "internal/drain/trafficfirst.go", "|| d.hasMinutes() || d.Observed", "|| d.Observed", "sim/story",
     "TestStories"),
    ("what has begun since a count was decided does not keep it from being set", "internal/kernel/scale.go",
     '(c.Base > from || no == "")', '(c.Base > from || no != "never")', "sim/story", "TestStories"),
    ("a delay that is longer than the deadline is not told", "internal/drain/delays.go", "known && delay >= left {", "known && delay < 0 {", "sim/story", "TestStories"),
    ("the target groups of another VPC are looked at for the same address", "internal/kernel/net.go", "g.VPC == vpc && g.Holds()", "g.Holds()",
     "kernel", "TestTheNetIsReadOnce"),
    ("the net is read before the targets that are named are out", "internal/drain/task.go",
     "	if known && (len(named) == 0 || !c.d().Accepted.IsZero() || allOut(c, named)) {", "	if known {",
     "drain", "TestTheNetUnderATask"),
    ("a net that cannot be read keeps a task", "internal/drain/task.go",
     "	if read || fails ||", "	if read || false && fails ||", "drain", "TestTheNetUnderATask"),
    ("a net that cannot be read keeps a lost host", "internal/drain/net.go",
     "	if read || !c.now.Before(by) {", "	if read {", "drain", "TestTheNetUnderALostHost"),
    ("a host that EC2 takes back waits for a slot", "internal/drain/steps.go",
     "d.hasMinutes() || len(d.Taken) > 0 || t.Leave < t.Limit", "len(d.Taken) > 0 || t.Leave < t.Limit",
     "drain", "TestANoticeOfEC2"),
    ("the targets on a host that EC2 takes back wait for ECS", "internal/drain/steps.go",
     "after: []func(*decider){beat, outAtOnce, admit},", "after: []func(*decider){beat, admit},",
     "drain", "TestANoticeOfEC2"),
    ("the end that EC2 has set is ignored", "internal/drain/notice.go",
     "if d.warned() && !d.Ends.IsZero() && d.Ends.Before(at) {", "if false {",
     "drain", "TestTheEndThatEC2Sets"),
    ("notice and hook of an instance make two drains", "internal/drain/notice.go",
     "if d.Observed || i.Is == fleet.Absent ||", "if true || d.Observed || i.Is == fleet.Absent ||",
     "sim/story", "TestSpotInstancesThatStopOrHibernate"),
    ("a notice is acknowledged before the group of its instance is known", "internal/kernel/notices.go",
     "\tcase !managed && !k.swept.After(u.at) && (n.Noticed != drain.Down || !k.Swept()):\n\t\treturn false, \"\", false\n", "",
     "kernel", "TestANoticeWaitsForASweep"),
    ("the end of an instance that is explained opens a drain", "internal/kernel/recent.go",
     "p.gone && (since < lagsFor || since < goesFor && !h.back)", "false",
     "kernel", "TestWhatFollowsFromANotice"),
    ("a service that somebody has stopped is raised", "internal/desired/desired.go", "if e.Base > 0 || p.FromZero {", "if true || p.FromZero {",
     "desired", "TestWhatSomebodyElseSetsStands"),
    ("on-demand tasks are taken back while those on Spot are missing", "internal/kernel/shortage.go",
     "max(s.Most, missing)", "max(s.Most, 0)", "kernel", "TestAServiceStandsInForSpot"),
    ("a look that lags behind our own call is taken for what somebody else has set", "internal/desired/desired.go",
     "seen.Is == fleet.Unknown || seen.At.Before(e.from(p))", "seen.Is == fleet.Unknown", "desired", "TestRandomServices"),
    ("a raise is taken out of a count that somebody else has set", "internal/desired/desired.go",
     "e.Base, e.Count, e.Write, e.Raises = count, count,", "e.Base, e.Count, e.Write, e.Raises = max(0, count-e.Count+e.Base), count,",
     "desired", "TestRandomServices"),
    ("a step in counts as load", "internal/scale/track.go", "			then = min(then, have) //", "			then = max(then, have) //", "scale", "TestAStepInIsNotTakenBack"),
    ("the rate is not measured while no message waits", "internal/scale/queue.go", "	case q.Visible == 0:\n		return time.Duration(", "	case false:\n		return time.Duration(",
     "scale", "TestTheRateIsMeasuredWhileNoMessageWaits"),
    ("what cannot be read of a queue is taken for nothing", "internal/scale/queue.go", "	if f.Is != fleet.Seen || d.now.Sub(f.At) > stale {\n		at :=",
     "	if false {\n		at :=", "scale", "TestAQueueThatCannotBeRead"),
    ("a count that may have been set is taken for one that was", "internal/desired/desired.go",
     "\tcase Unclear:\n", "\tcase Unclear:\n\t\te.Count, e.Write, e.Sure = w.To, Write{}, now.Add(p.Lag)\n", "desired", "TestRandomServices"),
    ("an accepted heartbeat of a forgotten kernel is lost", "internal/engine/core.go",
     "k == nil || k != c.Kernel && a != nil && a.Kind == plan.Beat && done.Outcome.Err == nil", "k == nil && a != nil",
     "engine", "TestAnAcceptedHeartbeatOfAForgottenKernelCounts"),
    ("while the journal is away nobody looks which hooks are open", "internal/engine/beats.go",
     "if _, known := b.hooks[h.Target]; !known {", "if _, known := b.hooks[h.Target]; !known && false {", "engine", "TestWhatALookShowsIsKeptAlive"),
    ("a digest that the journal did not take is taken for made", "internal/engine/outbox.go",
     "\t\t\treturn fmt.Errorf(\"write the digest: %w\", err)\n", "\t\t\treturn nil\n", "engine", "TestOneDigestADay"),
    ("a digest is named by when it is made", "internal/notice/digest.go",
     '"digest/" + until.UTC().Format("2006-01-02") +', '"digest/" + until.UTC().Format("2006-01-02T15") +', "notice", "TestDigest"),
    ("whoever has lost the lease makes a digest", "internal/engine/outbox.go",
     "b := journal.Batch{Under: []journal.Lease{l}, Forwarded:", "b := journal.Batch{Forwarded:", "engine", "TestWhoMakesTheDigest"),
    ("the scope of a record may have any form", "internal/journal/journal.go",
     'name("scope", r.Scope, 0)', 'size("scope", len(r.Scope), MaxKey)', "journal", "TestEveryNameIsBounded"),
    ("the key of a line may have any form", "internal/journal/journal.go",
     'name("key", l.Key, 0)', 'size("key", len(l.Key), MaxKey)', "journal", "TestEveryNameIsBounded"),
    ("whoever has lost a lease and taken it again writes under the old one", "internal/journal/memory/memory.go",
     "is.Holder != l.Holder || is.Fence != l.Fence", "is.Holder != l.Holder", "journal", "TestConformance"),
    ("the agent repeats a step that has ended", "internal/steps/order.go", "(r == nil || !r.Done) {", "(r == nil || !r.Done || r.Broken > 0) {", "agent", "TestSeeds"),
    ("the agent answers its hook while a step runs", "internal/steps/order.go", "\t\tc.watch(name)\n\t\treturn\n", "\t\tc.watch(name)\n", "agent", "TestSeeds"),
    ("the agent sends no heartbeat while a step runs", "internal/steps/decide.go", "!st.Answered.IsZero() || c.over() {\n\t\treturn",
     "!st.Answered.IsZero() || c.over() || c.seen.Running != \"\" {\n\t\treturn", "agent", "TestSeeds"),
    ("the agent has no deadline", "internal/steps/decide.go", "end = st.Opened.Add(c.Deadline)", "end = st.Opened.Add(10 * c.Deadline)", "agent", "TestSeeds"),
    ("a refused token of the metadata service is kept", "internal/agent/imds.go", "m.token, m.plain = \"\", false", "_ = m.plain",
     "agent", "TestARefusedTokenIsReplacedAtOnce"),
    ("a daemon that a command left behind is not ended", "internal/host/tree.go",
     "if p.pid != leader.pid && p.dead", "if p.pid != leader.pid && p.group != leader.group || p.dead", "host", "TestCommandsAreEnded"),
    ("a secret that comes in two pieces is shown", "internal/host/output.go",
     "cut = max(0, cut-len(c.secrets[0])+1)", "cut = max(0, cut)", "host", "TestNoSecretIsShown"),
    ("one look at empty buffers is enough", "internal/host/fluent.go", "case zeros >= 2:\n", "case zeros >= 1:\n", "host", "TestFluentd"),
    ("a buffer that was thrown away counts as delivered", "internal/host/fluent.go",
     "fell > 0 && now.errors[k] > was.errors[k]", "fell > 0 && now.errors[k] < 0", "host", "TestFluentd"),
    ("only the first worker of Fluentd is looked at", "internal/host/fluentd.go", "range max(f.Workers, 1)", "range 1", "host", "TestFluentd"),
    ("Zabbix gets the token in the body whatever its version", "internal/host/zabbix.go",
     's.auth != "" && !s.since(6, 4)', 's.auth != ""', "host", "TestZabbixOfEachVersion"),
    ("an agent that registers its host anew wins", "internal/host/zabbix.go",
     "\t\t\treturn err\n\t\t}\n\t\treturn s.leave(ctx, j)\n", "\t\t\treturn err\n\t\t}\n\t\treturn nil\n", "host", "TestZabbixAndItsAgent"),
    ("what S3 has already is copied again", "internal/host/logship.go", "head.Metadata[mark] == marked[mark]", "head.Metadata[mark] == \"\"", "host", "TestLogship"),
    ("the output of a slow reader is cut", "internal/host/command.go", "from.SetReadDeadline(time.Now().Add(time.Second)) // anew",
     "from // anew", "host", "TestLogship"),
    ("a step's directory may be written by all", "internal/host/directory.go", "info.Mode()&0o022 != 0", "info.Mode()&0o020 != 0", "host", "TestDirectory"),
    ("an error of a receiver shows its URL", "internal/notify/notify.go", "return message, known(err)", "return message, err",
     "notify", "TestNoErrorShowsASecret"),
    ("a receiver that leads elsewhere is followed", "internal/notify/notify.go", "return http.ErrUseLastResponse", "return nil",
     "notify", "TestARedirectIsNoReceiver"),
    ("an error about a wrong signature shows the session token", "internal/cloud/connect.go",
     "cfg.APIOptions = append(cfg.APIOptions, hideToken)", "_ = hideToken", "cloud", "TestNoErrorShowsCredentials"),
    ("a problem of the configuration shows a line with a secret", "internal/config/problem.go",
     'hide(strings.TrimRight(lines[p.Line-1], "\\r "), hidden)', 'strings.TrimRight(lines[p.Line-1], "\\r ")', "config", "TestNoProblemShowsASecret"),
    ("the log shows what a secret is", "internal/cli/serve.go", 'log.Info("serving", ', 'log.Info("serving", "key", p.Env("AWS_SECRET_ACCESS_KEY"), ',
     "cli", "TestNothingShowsASecret"),
    ("a secret without a key is shown", "internal/notify/secret.go", "or add it to the secret\", key)", "or add it to the secret\", key+out.SecretString)",
     "cli", "TestNothingShowsASecret"),
    ("the simulated Parameter Store decrypts unasked", "internal/sim/ssm/table.go", "!core.Deref(in.WithDecryption)", "false",
     "sim/wire", "TestParameters"),
    ("a line shares its bytes with whoever wrote it", "internal/journal/memory/memory.go",
     "\t\tl.Data = slices.Clone(l.Data)\n\t\ts.lines", "\t\ts.lines", "journal", "TestConformance"),
    ("a drain that is open is pruned with its oldest lines", "internal/journal/sqlite/sqlite.go",
     "key = ?1 AND open = 0 AND NOT", "key = ?1 AND NOT", "journal/sqlite", "TestHistoryIsPruned"),
    ("a damaged database of somebody else is moved away", "internal/journal/sqlite/file.go",
     'bytes.HasPrefix(head[min(mark, len(head)):], []byte("Ebbj")) ||', 'bytes.HasPrefix(head, []byte("SQLite")) ||', "journal/sqlite", "TestADamagedDatabaseOfSomethingElseStays"),
    ("DynamoDB is read as it was a while ago", "internal/journal/dynamodb/dynamodb.go",
     "TableName: &s.table, ConsistentRead: aws.Bool(true)", "TableName: &s.table, ConsistentRead: aws.Bool(false)",
     "journal/dynamodb", "TestEveryReadIsConsistentAndShowsNothingExpired"),
    ("the history is deleted after two days", "internal/journal/dynamodb/write.go", "history, forwarded := until", "forwarded, history := until",
     "journal/dynamodb", "TestHowLongItemsAreKept"),
    ("a claim over a lease of the same holder is taken for done", "internal/journal/dynamodb/dynamodb.go",
     "bad == nil && equal(stored, is)", "bad == nil && stored.Holder == is.Holder", "journal/dynamodb", "TestAClaimThatIsStoredAlready"),
    ("a message that is forwarded again loses its place", "internal/journal/dynamodb/dynamodb.go",
     'fmt.Sprintf("#%s = if_not_exists(#%s, :%s)", v.name, v.name, v.name)', 'fmt.Sprintf("#%s = :%s", v.name, v.name)',
     "journal/dynamodb", "TestAMessageIsForwardedOnce"),
    ("it is not asked how old a message is", "internal/source/sqs/queue.go",
     "types.MessageSystemAttributeNameSentTimestamp,\n", "types.MessageSystemAttributeNameApproximateFirstReceiveTimestamp,\n", "source/sqs", "TestReceive"),
    ("the redrive policy is not asked for", "internal/source/sqs/queue.go",
     "QueueAttributeName{types.QueueAttributeNameRedrivePolicy}", "QueueAttributeName{types.QueueAttributeNameRedriveAllowPolicy}", "source/sqs", "TestCheck"),
    ("two events that differ have one id", "internal/source/lambda/lambda.go", "sum[:16]", "sum[:1]",
     "source/lambda", "TestEventsThatDifferHaveOtherIDs"),
    ("only the first message that failed comes again", "internal/source/lambda/lambda.go",
     "{ItemIdentifier: m.ID})\n", "{ItemIdentifier: m.ID})\n\t\t\tbreak\n", "source/lambda", "TestReply"),
    ("a hook with a slash in its name is refused", "internal/config/settings.go", "`^[A-Za-z0-9_/-]{1,255}$`", "`^[A-Za-z0-9_-]{1,255}$`",
     "config", "TestEveryNameThatAWSTakes"),
    ("a Region of the government is refused", "internal/config/settings.go", "`^[a-z]{2}(-[a-z]+)+-[0-9]+$`", "`^[a-z]{2}-[a-z]+-[0-9]+$`",
     "config", "TestEveryNameThatAWSTakes"),
    ("an event of a container instance is not understood", "internal/event/eventbridge.go", ' "aws.ecs: ECS Container Instance State Change",', "",
     "event", "TestEveryEventOfARuleIsKnown"),
    ("what is no instance id spoils the look at all others", "internal/event/fields.go", "`^i-[0-9a-f]{8,17}$`", "`^i-[0-9a-z]{8,17}$`",
     "event", "TestWhatIsNoInstanceID"),
    ("throttling of a kind that is new is taken for a failure of which nothing is known", "internal/cloud/classes.go",
     '\t{"SlowDown", "", plan.Throttled},\n', "", "cloud", "TestEveryCodeHasItsClass"),
    ("a call that AWS may have carried out is taken for one that it refused", "internal/cloud/classes.go",
     "\t\t}\n\t}\n\treturn plan.Unclear\n", "\t\t}\n\t}\n\treturn plan.Invalid\n", "cloud", "TestEveryCodeHasItsClass"),
    ("a group is excluded by its last tag only", "internal/cloud/groups.go", "out.Excluded = out.Excluded || aws", "out.Excluded = aws",
     "cloud", "TestATagThatExcludesAGroupStandsAnywhere"),
    ("a launch that names an older termination puts a deadline into the past", "internal/cloud/groups.go",
     '!strings.HasPrefix(description, "Terminating ")', '!strings.Contains(description, "Terminating ")', "cloud", "TestWhatTerminates"),
    ("the simulated group retains what was answered", "internal/sim/autoscaling/hooks.go", 'result == "ABANDON" && m.g.Retain', "m.g.Retain",
     "sim", "TestWhatWasAnsweredIsNotRetained"),
    ("the simulated hook opens after the last delay, not the longest", "internal/sim/autoscaling/terminate.go",
     "longest = max(longest, w.Targets.DeregisterInstance(arn, m.ID))", "longest = w.Targets.DeregisterInstance(arn, m.ID)",
     "sim", "TestTheLongestDelayOfAGroupCounts"),
    ("the simulated service counts tasks that are stopping", "internal/sim/ecs/service.go", "\t\tcase !t.live():\n", "",
     "sim", "TestTheCountsOfAServiceLieToo"),
    ("the simulated daemon waits for standalone tasks", "internal/sim/ecs/schedule.go", "if t.s != nil && !t.Daemon {", "if !t.Daemon {",
     "sim", "TestADaemonDoesNotWaitForAStandaloneTask"),
    ("the simulated ECS finds a task in every cluster", "internal/sim/ecs/task_calls.go", "if t == nil || t.c != c {", "if t == nil {",
     "sim", "TestATaskOfAnotherClusterIsMissing"),
    ("an interrupted task may take longer than two minutes", "internal/sim/ecs/runtime.go", "min(last.Ends, within)", "last.Ends",
     "sim", "TestSpotOrders"),
    ("the simulated ECS waits for a target that somebody else has taken out", "internal/sim/ecs/task.go", "len(t.targets) == 0 && !t.interrupted {",
     "len(t.targets) == 0 {", "sim", "TestSpotTargetTakenByHand"),
    ("a stop frees capacity of Fargate", "internal/sim/ecs/container_instances.go", "if s.blocked && !s.onFargate() {", "if s.blocked {",
     "sim", "TestFargateRetriesByItself"),
    ("the simulated EC2 warns of hibernation two minutes before", "internal/sim/ec2/spot.go", "if action == hibernate {", "if action == stop {",
     "sim", "TestSpotInstanceIsStopped"),
    ("the simulated Spot warning names the account", "internal/sim/ec2/spot.go", '"arn:aws:ec2:"+h.Zone+":instance/"+h.ID',
     'w.ARN("ec2", "instance/"+h.ID)', "sim", "TestSpotInstanceIsTerminated"),
    ("the simulated queue counts 12 hours from the first receive", "internal/sim/sqs/sqs.go",
     "m.LastReceived.Add(maxInvisible)", "m.FirstReceived.Add(maxInvisible)", "sim", "TestTwelveHoursBeginWithEachReceive"),
    ("the simulated queue shows at once what AWS delivers", "internal/sim/sqs/sqs.go", "w.send(q, body, nil, q.Delay, about)", "w.send(q, body, nil, 0, about)",
     "sim", "TestTheDelayOfAQueueIsForEverybody"),
    ("a deletion that fails ends a simulated batch", "internal/sim/sqs/batch.go",
     "continue\n\t\t}\n\t\tout.Successful = append(out.Successful, types.DeleteMessage", "break\n\t\t}\n\t\tout.Successful = append(out.Successful, types.DeleteMessage",
     "sim/wire", "TestQueue"),
    ("a queue that may not be read does not exist", "internal/cloud/collector/messages.go",
     'strings.HasSuffix(api.ErrorCode(), "NonExistentQueue") ||', 'api.ErrorCode() != "" ||', "cloud/collector", "TestAQueueThatCannotBeReadIsNotAbsent"),
    ("the queue of another account is looked for in this one", "internal/cloud/collector/messages.go",
     "QueueOwnerAWSAccountId: aws.String(parts[4])", "QueueOwnerAWSAccountId: nil", "cloud/collector", "TestAQueueThatCannotBeReadIsNotAbsent"),
    ("a rule in a state of its own counts as off", "internal/cloud/collector/messages.go",
     "r.State != ebtypes.RuleStateDisabled", "r.State == ebtypes.RuleStateEnabled", "cloud/collector", "TestRulesAreRead"),
    ("a container port of the host counts as free", "internal/cloud/collector/clusters.go",
     "network == string(ecstypes.NetworkModeHost) && port == 0", 'network == "hosts" && port == 0', "cloud/collector", "TestWhatATaskNeeds"),
    ("a task needs what its containers reserve, not its own size", "internal/cloud/collector/clusters.go",
     "cmp.Or(number(in.Cpu), cpu), cmp.Or(number(in.Memory), memory)", "cmp.Or(cpu, number(in.Cpu)), cmp.Or(memory, number(in.Memory))",
     "cloud/collector", "TestWhatATaskNeeds"),
    ("a group with a little Spot capacity has none", "internal/cloud/collector/groups.go",
     "OnDemandPercentageAboveBaseCapacity < 100", "OnDemandPercentageAboveBaseCapacity == 0", "cloud/collector", "TestWhichPoliciesAskForSpot"),
    ("the constraints of a service are not read", "internal/cloud/collector/clusters.go",
     "ecstypes.PlacementConstraint) inventory.Constraint {\n\t\treturn inventory.Constraint{Type: string(c.Type), Expression: "
     "aws.ToString(c.Expression)}", "ecstypes.PlacementConstraint) inventory.Constraint {\n\t\treturn inventory.Constraint{Type: string(c.Type)}",
     "cloud/collector", "TestAServiceIsRead"),
    ("a failure of any kind means that something has gone", "internal/cloud/collector/clusters.go",
     'aws.ToString(f.Reason) != "MISSING"', 'aws.ToString(f.Reason) == ""', "cloud/collector", "TestAFailureIsUnread"),
    ("the doctor lifts the protection of a host with a standalone task", "internal/doctor/groups.go",
     "return v == nil || !v.Daemon", "return v != nil && !v.Daemon", "doctor", "TestAStandaloneTaskKeepsAHostProtected"),
    ("the doctor advises to delete Ebb's own hook", "internal/doctor/hooks.go", "\t\tcase h.Name == in.hook():\n", "\t\tcase h.Name == defaultHook:\n",
     "doctor", "TestWhichDrainerIsEnded"),
    ("the doctor ends a drainer while an instance waits", "internal/doctor/hooks.go",
     "return i.State.Waiting() || i.State.Leaving() })", "return i.State.Leaving() })", "doctor", "TestWhichDrainerIsEnded"),
    ("the doctor overwrites the policy of a queue", "internal/doctor/notifications.go", 'if q.Policy != "" {', 'if q.Policy == "" {',
     "doctor", "TestAPolicyThatIsThereIsKept"),
    ("a refresh that has not begun waits for nothing", "internal/doctor/groups.go", 'r.Status != "Pending" && r.Status != "InProgress"', 'r.Status != "InProgress"',
     "doctor", "TestWhatIsNoFaultAndWhatIs"),
    ("a short delay behind UDP and TCP is not found", "internal/doctor/targets.go", '"TCP", "TLS", "UDP", "TCP_UDP"', '"TCP", "TLS", "UDP"',
     "doctor", "TestWhatIsNoFaultAndWhatIs"),
    ("plan does not look at the health of targets", "internal/placement/demand.go", "\t\thealthy, known := v.serves(d.s, t)\n", "\t\thealthy, known := true, true\n",
     "sim/story", "TestPromises"),
    ("plan counts on the room of tasks that still stop", "internal/placement/view.go", "\tv.stillTaken(&r)\n", "", "sim/story", "TestPromises"),
    ("plan ignores the deadline", "internal/diagnose/drains.go", "\tcase stop+replacing > man.Deadline:\n", "\tcase false:\n", "sim/story", "TestPromises"),
    ("plan places tasks of EC2 on external instances", "internal/placement/view.go", " && !external(h) {", " {", "sim/story", "TestPromises"),
    ("plan does not read the protection of tasks", "internal/placement/fate.go", "\t\tif t.Protected {\n", "\t\tif false {\n", "sim/story", "TestPromises"),
    ("why takes a part of a large cluster for the whole", "internal/placement/placement.go", "\t\tif c.Part != nil {\n", "\t\tif false {\n",
     "diagnose", "TestNoAnswerGetsBetterByReadingAPart"),
    ("reading a large account does not wait for its turn", "internal/cloud/collector/pace.go", "\tif turn <= 0 {\n", "\tif true {\n",
     "../test/answers", "TestLargeClusters"),
    ("why waits for the last load balancer that a group names", "internal/diagnose/fix.go",
     "longest = max(longest, tg.Delay)", "longest = tg.Delay", "diagnose", "TestTheLongestDelayOfTheGroupIsWaitedFor"),
    ("why never comes nearer to when a lost host is given up", "internal/diagnose/group.go",
     "e.Unreached.Add(e.Lost)", "w.q.Now.Add(e.Lost)", "diagnose", "TestWhenALostHostIsGivenUp"),
    ("why counts on an Ebb that does not look after the group", "internal/diagnose/group.go", "\tcase waits && w.ours():\n", "\tcase waits && w.q.Ebb != nil:\n",
     "diagnose", "TestWhoLetsADeadHostGo"),
    ("why answers a launching hook", "internal/diagnose/fix.go", "\t\tfor _, h := range k.group.Terminating() {\n\t\t\tall", "\t\tfor _, h := range k.group.Hooks {\n\t\t\tall",
     "diagnose", "TestWhoLetsADeadHostGo"),
    ("why quotes the oldest lines of the journal", "internal/diagnose/diagnose.go",
     "w.q.Lines[max(0, len(w.q.Lines)-journalLines):]", "w.q.Lines[:min(len(w.q.Lines), journalLines)]", "diagnose", "TestTheNewestLinesOfTheJournalAreQuoted"),
    ("a plan promises what it has not read", "internal/diagnose/plan.go", "if len(only) > 0 && len(outside) > 0 {", "if len(only) > 0 && len(outside) == len(ids) {",
     "diagnose", "TestWhatAPlanPromises"),
    ("tasks of an old revision count as replaced", "internal/placement/demand.go", "\t\t\tif t.Family != d.s.TaskDefinition {\n\t\t\t\tcontinue\n\t\t\t}\n", "",
     "placement", "TestHowManyAreMissingAndWhatComesFirst"),
    ("a task on another host that leaves counts as healthy", "internal/placement/demand.go",
     "\t\tcase v.leaving[t.ContainerInstance]:\n\t\t\td.others++\n", "", "placement", "TestWhatAVerdictRestsOn"),
    ("a daemon whose agent is away stops", "internal/placement/fate.go", "append(f.Reasons, v.cutOff(t)...)\n\t\t\t}\n\t\t}\n\t\tif len(f.Reasons)",
     "f.Reasons\n\t\t\t}\n\t\t}\n\t\tif len(f.Reasons)", "placement", "TestWhatAVerdictRestsOn"),
    ("a task that stops stays for ever", "internal/placement/fate.go",
     "!v.target[t.ContainerInstance] || t.DesiredStatus == fleet.Stopped", "!v.target[t.ContainerInstance]", "placement", "TestWhatAVerdictRestsOn"),
    ("less_than_equal means less", "internal/placement/query.go", '"less_than_equal": "<="', '"less_than_equal": "<"', "placement", "TestEveryOperatorInWords"),
    ("the rest of a chunk with one bad id is not asked for", "internal/cloud/cloud.go", "work = append(work, chunk[:len(chunk)/2], chunk[len(chunk)/2:])",
     "work = append(work, chunk[:len(chunk)/2])", "cloud", "TestOneBadIDDoesNotSpoilALook"),
    ("the doctor deregisters a host that is only stopped", "internal/doctor/hosts.go",
     "\t\tif m.State == fleet.StateStopped {\n", "\t\tif m.State == fleet.StateStopping {\n", "doctor", "TestAStoppedHostIsNotDeregistered"),
    ("the doctor says that no task is left where none was read", "internal/doctor/hosts.go", "if in.tasksKnown(h.cluster) && !slices", "if !slices",
     "doctor", "TestWhatTheEndOfAHostCosts"),
    ("the simulated ECS places a task on an instance that drains", "internal/sim/ecs/strategy.go",
     "\t\tif ci.Status != \"ACTIVE\" {\n\t\t\tcontinue", "\t\tif ci.Status == \"INACTIVE\" {\n\t\t\tcontinue", "sim", "TestHealthyPercentsLetADrainGoOn"),
    ("the simulated ECS forgets a task soon after it has stopped", "internal/sim/ecs/task_calls.go", "> stoppedFor {", "> time.Minute {", "sim", "TestCountsLie"),
    ("a simulated heartbeat adds to what is left", "internal/sim/autoscaling/hooks.go", "until := w.Now().Add(a.heartbeat)", "until := a.Expires.Add(a.heartbeat)",
     "sim", "TestHeartbeatRestartsFromNow"),
    ("a simulated target is gone before its delay is over", "internal/sim/elb/elb.go", "w.After(tg.Delay, func() {", "w.After(tg.Delay/2, func() {",
     "sim", "TestATargetDrainsForTheWholeDelay"),
    ("a simulated message is moved to the dead letters while it is worked on", "internal/sim/sqs/sqs.go",
     "m.Receives >= q.MaxReceives && !m.VisibleAt.After(w.Now())", "m.Receives >= q.MaxReceives", "sim", "TestWhatIsWorkedOnIsNotMoved"),
    ("why sends SIGKILL before the target group has let go", "internal/diagnose/task.go",
     "t.StoppingAt.Add(wait + l.Duration)", "t.StoppingAt.Add(max(wait, l.Duration))", "diagnose", "TestUntilWhenATaskStops"),
    ("why adds a host to another group", "internal/diagnose/fix.go", "p.Name == item.Provider && g != nil", 'item.Provider != "" && g != nil',
     "diagnose", "TestWhichGroupGetsAHostMore"),
    ("why takes a deployment whose tasks all run for one that fails", "internal/diagnose/service.go",
     "d.Failed > 0 && d.Running < d.Desired", "d.Failed > 0", "diagnose", "TestWhichDeploymentsFail"),
    ("whoever cannot read a journal is told to become another user", "internal/journal/sqlite/open.go",
     "return is == sqlite3.SQLITE_READONLY ||", "return is != sqlite3.SQLITE_OK ||", "journal/sqlite", "TestAReaderIsToldWhatIsWrong"),
]

PLANTS = SEEDED + TESTED


def copy_tree(to):
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)


def hunt(tree, seeds, first):
    """Runs the seeds and returns after how many one failed, and what it broke, or None."""
    run = subprocess.run(
        ["go", "test", "./internal/sim/story", "-run", "^TestSeeds$", "-count=1", "-once", "-stop", f"-seeds={seeds}", f"-first={first}"],
        cwd=tree, capture_output=True, text=True)
    found = re.search(r"first failure at seed (\d+): (.*)", run.stdout)
    if found:
        return f"after {int(found[1]) - first + 1} seeds; {found[2]}"
    if "panic:" in run.stdout:
        return "panic: " + run.stdout.split("panic:")[1].split("\n")[0]
    if run.returncode != 0:
        sys.exit(f"the tests did not run:\n{run.stdout}{run.stderr}")
    return None


def finds(tree, package, name):
    """Runs one test and reports whether it fails. A test that is not there or does not compile finds nothing: that is an error."""
    run = subprocess.run(["go", "test", "-trimpath", "-v", f"./internal/{package}", "-run", f"^{name}$"], cwd=tree, capture_output=True, text=True)
    result = re.search(rf"^--- (PASS|FAIL): {name} ", run.stdout, re.MULTILINE)
    if not result:
        sys.exit(f"the test {name} of {package} did not run:\n{run.stdout}{run.stderr}")
    return result[1] == "FAIL"


def planted(tree, name, file, good, bad, *_):
    """Returns the file's text as it is and with the bug."""
    lost = misplaced(tree, name, file, good, bad)
    if lost:
        sys.exit(lost + "; fix test/plants.py")
    text = (tree / file).read_text()
    return text, text.replace(good, bad)


def misplaced(tree, name, file, good, bad, package="", test=""):
    """Returns what is wrong with the place of a plant, or None."""
    if test and not any(f"func {test}(" in f.read_text() for f in (tree / "internal" / package).glob("*_test.go")):
        return f"plant {name!r}: there is no {test} in internal/{package}"
    times = (tree / file).read_text().count(good) if (tree / file).is_file() else 0
    if times != 1:
        return f"plant {name!r}: its place in {file} is there {times} times"
    return None


def seek(tree, plant, seeds, first):
    """Plants one bug, and returns what found it, or None."""
    file, test = tree / plant[1], plant[4:]
    text, buggy = planted(tree, *plant)
    if test and finds(tree, *test):
        sys.exit(f"the test {test[1]} of {test[0]} fails without a bug")
    file.write_text(buggy)
    found = hunt(tree, seeds, first) if not test else test[1] if finds(tree, *test) else None
    file.write_text(text)
    return found


def main():
    if sys.argv[1:] == ["check"]:
        lost = [place for place in (misplaced(ROOT, *plant) for plant in PLANTS) if place]
        if lost:
            sys.exit("\n".join(lost) + "\nfix test/plants.py")
        print(f"all {len(PLANTS)} plants have their place")
        return
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    words = sys.argv[2] if len(sys.argv) > 2 else ""
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    missed = 0
    with tempfile.TemporaryDirectory() as temp:
        tree = pathlib.Path(temp)
        copy_tree(tree)
        for plant in PLANTS:
            name = plant[0]
            if not re.search(words, name):
                continue
            found = seek(tree, plant, seeds, first)
            missed += not found
            print(f"found   {name}: {found}" if found else f"MISSED  {name}", flush=True)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
