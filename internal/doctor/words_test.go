package doctor

import (
	"testing"
)

func TestSeverities(t *testing.T) {
	for text, want := range map[string]Severity{"info": Info, "warn": Warn, "error": Error} {
		if got, err := ParseSeverity(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if _, err := ParseSeverity("fatal"); err == nil || err.Error() != `there is no severity "fatal"; use info, warn or error` {
		t.Errorf("got %v", err)
	}
	for _, x := range []struct {
		found []Finding
		worst Severity
		any   bool
	}{
		{nil, Info, false}, {[]Finding{{Severity: Info}}, Info, true}, {[]Finding{{Severity: Warn}, {Severity: Error}, {Severity: Info}}, Error, true},
	} {
		if worst, found := Worst(x.found); worst != x.worst || found != x.any {
			t.Errorf("%v: %v, %t", x.found, worst, found)
		}
	}
}

func TestTheWorstFindingsComeFirst(t *testing.T) {
	in := clean()
	g := in.Inventory.Groups[0]
	g.Hooks[0].DefaultResult = "ABANDON" // info
	in.Inventory.Queues[0].Redrive = ""  // warn
	g.MaxLifetime, in.Ebb.Groups[0].Cluster = 0, "other"
	found := Examine(in)
	if len(found) < 3 {
		t.Fatalf("found %+v", found)
	}
	for i := 1; i < len(found); i++ {
		if found[i].Severity > found[i-1].Severity {
			t.Errorf("%s comes before %s", found[i-1].Check, found[i].Check)
		}
	}
}

// Who may send to a queue, by its policy: a rule needs it for EventBridge.
func TestWhatAPolicyAllowsEventBridge(t *testing.T) {
	for policy, want := range map[string]verdict{
		`{"Statement":{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage"}}`:                           yes,
		`{"Statement":[{"Effect":"Allow","Principal":{"Service":["sns.amazonaws.com","events.amazonaws.com"]},"Action":["sqs:SendMessage"]}]}`: yes,
		`{"Statement":{"Effect":"Allow","Principal":"*","Action":"*"}}`:                                                                        yes,
		`{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"SQS:Send*"}}`:                                                        yes,
		`{"Statement":{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:SendMessage"}}`:                              no,
		`{"Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sqs:SendMessage"}}`:                                       no,
		`{"Statement":{"Effect":"Allow","Principal":"111122223333","Action":"sqs:SendMessage"}}`:                                               no,
		`{"Statement":{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:ReceiveMessage"}}`:                        no,
		`{"Statement":{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:Receive*"}}`:                              no,
		`{"Statement":{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMes"}}`:                               no,
		`{"Statement":{"Effect":"Deny","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage"}}`:                            no,
		`{"Statement":[]}`: no, "": no,
		`{"Statement":[{"Effect":"Allow","Principal":{"Service":"sns.amazonaws.com"},"Action":"sqs:SendMessage"},` +
			`{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":"sqs:SendMessage"}]}`: yes,
		`{"Statement":[{"Effect":"Deny","Principal":"*","Action":"sqs:DeleteQueue"},` +
			`{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"Action":[1,"sqs:SendMessage"]}]}`: yes,
	} {
		if got := allowsEvents(policy); got != want {
			t.Errorf("%s: %v", policy, got)
		}
	}
	// What cannot be judged for certain is not complained of.
	for _, policy := range []string{
		`{"Statement":{"Effect":"Allow","NotPrincipal":{"AWS":"111122223333"},"Action":"sqs:SendMessage"}}`,
		`{"Statement":{"Effect":"Allow","Principal":{"Service":"events.amazonaws.com"},"NotAction":"sqs:DeleteMessage"}}`,
		`not JSON`, `{"Statement":"all"}`,
	} {
		if got := allowsEvents(policy); got != maybe {
			t.Errorf("%s: %v", policy, got)
		}
	}
}
