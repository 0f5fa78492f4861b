package advice

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// FuzzQuote lets a shell read what Quote writes.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "web", "Web Servers (blue)", "team/web", "web$(touch pwned)", "`id`", "it's", `a"b`, "a\\",
		"-x", "~", "#", "a;b", "*", "!x", "\n", "é", "{a,b}"} {
		f.Add(s, "x")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.ContainsRune(a+b, 0) {
			return // no argument has a NUL
		}
		out, err := exec.Command("sh", "-c", "printf '%s|' "+Quote(a)+" "+Quote(b)).Output()
		if err != nil || string(out) != a+"|"+b+"|" {
			t.Errorf("%q and %q become %q (%v)", a, b, out, err)
		}
	})
}

func TestEveryCommandOfTheAWSCLINamesItsRegionAndEndpoint(t *testing.T) {
	at := At{"eu-west-1", "http://127.0.0.1:4599"}
	for name, c := range map[string]Command{
		"plain":  at.CompleteHook("web", "ebb-drain", "i-0a"),
		"quoted": at.CompleteHook("Web Servers (blue)", "it's", "i-0a"),
		"dash":   at.DeleteHook("-web", "ebb-drain"),
	} {
		line := c.Line()
		if !strings.HasSuffix(line, " --region eu-west-1 --endpoint-url http://127.0.0.1:4599") {
			t.Errorf("%s: %s", name, line)
		}
		out, err := exec.Command("sh", "-c", "printf '%s\n' "+line).Output()
		if err != nil || string(out) != strings.Join(c.Argv, "\n")+"\n" {
			t.Errorf("%s: a shell reads %q of %s", name, out, line)
		}
	}
	line := (At{Region: "eu-west-1"}).DeleteHook("-web", "h").Line()
	if !strings.Contains(line, " --auto-scaling-group-name=-web ") || strings.Contains(line, "endpoint") {
		t.Error(line)
	}
}

func TestACommandThatCannotBeWrittenDownIsNotShown(t *testing.T) {
	at := At{Region: "eu-west-1"}
	for _, name := range []string{"a\nb", "\x1b[2J", "\u202egsa", "file:///etc/passwd", "fileb://x"} {
		f := at.DeleteHook(name, "h").For("")
		b, _ := json.Marshal(f)
		if f.Line() != "" || strings.Contains(string(b), `"command"`) || !strings.Contains(Of(f).Text(""), unshown) {
			t.Errorf("%q: %s\n%s", name, b, Of(f).Text(""))
		}
	}
	if at.Deploy("ebb", "t.yaml", "p.json").Line() == "" {
		t.Error("a file that is meant is not shown")
	}
}

func TestWhatDestroysStandsApart(t *testing.T) {
	at := At{Region: "eu-west-1"}
	a := Of(at.StopTask("prod", "0123").For(""), Say("wait"), at.Terminate("i-0a").Known("no task is left").For("it may go"))
	if len(a.Fix) != 2 || len(a.Last) != 1 || a.Last[0].Harm() != Destroys || a.Fix[1].Harm() != Safe {
		t.Errorf("%+v", a)
	}
	want := "  wait\n> aws autoscaling terminate-instance-in-auto-scaling-group --instance-id i-0a --no-should-decrement-desired-capacity --region eu-west-1\n" +
		"  it may go\n  when: no task is left\nif nothing else helps:\n  > aws ecs stop-task --cluster prod --task 0123 --region eu-west-1\n" +
		"    destroys: the work that the task has not finished\n    when: its work is done, or can be done again\n"
	if got := a.Text(""); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	b, err := json.Marshal(a)
	if err != nil || !strings.Contains(string(b), `"harm":"destroys"`) || !strings.Contains(string(b), `"if_nothing_else_helps":[{"command":"aws ecs stop-task`) {
		t.Errorf("%s %v", b, err)
	}
}
