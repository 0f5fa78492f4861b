package dynamodb

import (
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ebbhq/ebb/internal/journal"
)

// size is the size of an item in bytes, as DynamoDB counts it.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func size(it item) int {
	n := 0
	for name, v := range it {
		n += len(name) + sizeOf(v)
	}
	return n
}

func sizeOf(v types.AttributeValue) int {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return len(v.Value)
	case *types.AttributeValueMemberB:
		return len(v.Value)
	case *types.AttributeValueMemberN:
		return len(v.Value)/2 + 2
	case *types.AttributeValueMemberL:
		n := 3
		for _, x := range v.Value {
			n += 1 + sizeOf(x)
		}
		return n
	case *types.AttributeValueMemberM:
		return 3 + len(v.Value) + size(v.Value)
	}
	panic("an attribute of a type that a journal does not have")
}

// writeUnits are the write units of a transaction: two for each kilobyte of each item, and two for a check. What is deleted has less than a
// kilobyte here.
func writeUnits(items []types.TransactWriteItem) int {
	n := 0
	for _, w := range items {
		n += 2
		if w.Put != nil {
			n += 2 * ((size(w.Put.Item) - 1) / 1024)
		}
	}
	return n
}

// aDrain is a typical drain: opened, eight times changed and ended, each with a line; records and lines are as long as in the simulated
// runs.
func aDrain() (journal.Lease, []journal.Batch) {
	lease := journal.Lease{Scope: "prod", Holder: "x", Fence: 1, Beat: 1, At: start}
	key := "web/i-0123456789abcdef0/71514b9d-6a40-4b26-8523-05e7eEXAMPLE"
	var out []journal.Batch
	for rev := int64(1); rev <= 10; rev++ {
		out = append(out, journal.Batch{
			Under:   []journal.Lease{lease},
			Records: []journal.Record{{Key: key, Scope: "prod", Rev: rev, Open: rev < 10, Body: make([]byte, 514)}},
			Lines:   []journal.Line{{At: start, Key: key, Kind: "waiting", Text: strings.Repeat("x", 150)}},
		})
	}
	return lease, out
}

// What a drain costs is what the reference says.
func TestWhatADrainCosts(t *testing.T) {
	_, batches := aDrain()
	total := 0
	for i, b := range batches {
		parts, err := split(b)
		if err != nil || len(parts) != 1 {
			t.Fatalf("%d parts, error %v", len(parts), err)
		}
		var items []types.TransactWriteItem
		for _, o := range ops(parts[0], 1, start) {
			items = append(items, o.in("t"))
		}
		want := 6
		if i == 9 {
			want = 8
		}
		if n := writeUnits(items); n != want {
			t.Errorf("write %d takes %d units, want %d", i+1, n, want)
		}
		total += writeUnits(items)
	}
	text, err := os.ReadFile("../../../docs/reference/journal.md")
	if err != nil {
		t.Fatal(err)
	}
	if total != 62 || !strings.Contains(string(text), "**62**") {
		t.Errorf("a drain takes %d units, and the reference says something else", total)
	}
}
