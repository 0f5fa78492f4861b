package kernel

import (
	"fmt"
	"testing"
	"time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/plan"
)

// many is a kernel with 10,000 open drains, all of them looked at, none of them listed.
func many(b *testing.B) *Kernel {
	k := newKernel(b, Config{InFlight: 100_000, Rates: Rates{plan.AutoScaling: {1e6, 1e6}, plan.ECSRead: {1e6, 1e6},
		plan.ECSModify: {1e6, 1e6}, plan.EC2: {1e6, 1e6}}})
	for i := range 10_000 {
		k.Hear(termination(i), t0)
	}
	settle(k, cloud{fleet.Active}, t0)
	return k
}

// BenchmarkPassOfOne is a pass over 10,000 open drains of which one has news.
func BenchmarkPassOfOne(b *testing.B) {
	k := many(b)
	b.ReportAllocs()
	for b.Loop() {
		k.open[fleet.HostTarget("i-0005")].dirty = true
		k.Next(t0.Add(time.Second))
	}
}

// BenchmarkPassOfAll is a pass in which all of 10,000 open drains decide.
func BenchmarkPassOfAll(b *testing.B) {
	k := many(b)
	b.ReportAllocs()
	for b.Loop() {
		for _, e := range k.open { // each by itself
			e.dirty = true
		}
		k.Next(t0.Add(time.Second))
	}
}

// BenchmarkHear is one message heard, a duplicate, beside 10,000 open drains.
func BenchmarkHear(b *testing.B) {
	k := many(b)
	b.ReportAllocs()
	for b.Loop() {
		k.Hear(termination(5), t0)
		k.settle = k.settle[:0]
	}
}

// BenchmarkTenThousandTasks is ten thousand tasks on Fargate Spot that are interrupted at once: how long after the notice their targets are out, in
// seconds of virtual time.
func BenchmarkTenThousandTasks(b *testing.B) {
	for _, groups := range []int{1, 20, 200} {
		b.Run(fmt.Sprintf("%d-groups", groups), func(b *testing.B) {
			for b.Loop() {
				accepted, _ := manyTasks(b, 10_000, groups, 100*time.Millisecond)
				if len(accepted) == 0 {
					b.Fatal("none was out")
				}
				b.ReportMetric(float64(len(accepted)), "out")
				b.ReportMetric(accepted[len(accepted)*99/100].Seconds(), "p99-s")
				b.ReportMetric(accepted[len(accepted)-1].Seconds(), "last-s")
			}
		})
	}
}
