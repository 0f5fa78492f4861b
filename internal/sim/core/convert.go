package core

import "time"

// What services need to turn the SDK's types into their own, and back.

// Only is the one element of ids, or otherwise other: an entry of the record names one thing.
func Only(ids []string, other string) string {
	if len(ids) == 1 {
		return ids[0]
	}
	return other
}

// Deref is what a pointer points to, or zero.
func Deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// Optional is a pointer to s, or nil if s is empty, for members that AWS leaves out.
func Optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Mapped applies f to all. The result is never nil: AWS answers with empty lists, not without them.
func Mapped[A, B any](all []A, f func(A) B) []B {
	out := make([]B, 0, len(all))
	for _, x := range all {
		out = append(out, f(x))
	}
	return out
}

// Same is its argument, for lists of names.
func Same(s string) string { return s }

// Seconds is a duration in AWS's whole seconds.
func Seconds(d time.Duration) int32 { return int32(d / time.Second) }

// Instant is a pointer to t, or nil if t is zero.
func Instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Whole is an optional whole number of AWS's.
func Whole(n *int32) *int {
	if n == nil {
		return nil
	}
	return new(int(*n))
}
