package story

import (
	"os"
	"testing"
)

// What the story of the queue promises: nothing is begun late, and nothing is cut off.
func TestTheQueueIsServed(t *testing.T) {
	b, err := os.ReadFile("testdata/stories/a-queue-brings-a-service-from-nothing-to-what-it-needs-and-back.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	res, err := Run(s)
	if err != nil {
		t.Fatal(err)
	}
	l := res.Load[0]
	t.Logf("%+v", l)
	if l.Arrived != 12000 || l.Done != l.Arrived || l.Late > 0 || l.Cut > 0 {
		t.Errorf("%+v", l)
	}
}
