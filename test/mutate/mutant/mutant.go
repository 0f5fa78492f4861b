// Package mutant is what the changed copies of Ebb's code call: it says which mutant is on in this process, and notes which were reached.
//
// The environment says both, once at the start: EBB_MUTANT is the number of the mutant, EBB_MUTANT_REACHED a file for the numbers of those
// that were reached. Code that is released never imports it.
package mutant

import (
	"cmp"
	"fmt"
	"iter"
	"os"
	"strconv"
	"sync"
)

// Number is any number that can be counted with.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

var (
	active = number(os.Getenv("EBB_MUTANT"))
	record = open(os.Getenv("EBB_MUTANT_REACHED"))
	noted  sync.Map
)

func number(s string) int {
	if s == "" {
		return -1
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		panic("EBB_MUTANT is not a number: " + s)
	}
	return n
}

func open(name string) *os.File {
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	return f
}

// On reports whether a mutant is the one that is on.
func On(n int) bool {
	if record != nil {
		note(n)
	}
	return n == active
}

func note(n int) {
	if _, was := noted.LoadOrStore(n, true); !was {
		fmt.Fprintln(record, n)
	}
}

// Minus is a number with the other sign.
func Minus[T Number](n int, v T) T {
	if On(n) {
		return -v
	}
	return v
}

// Add is a number and so much more.
func Add[T Number](n int, more, v T) T {
	if On(n) {
		return v + more
	}
	return v
}

// Less is a number and so much less.
func Less[T Number](n int, less, v T) T {
	if On(n) {
		return v - less
	}
	return v
}

// Zero is the zero value instead of a value: no time at all, or the wrong key.
func Zero[T any](n int, v T) T {
	if On(n) {
		var zero T
		return zero
	}
	return v
}

// First is the first element of a slice only.
func First[S ~[]E, E any](n int, s S) S {
	if On(n) && len(s) > 1 {
		return s[:1]
	}
	return s
}

// FirstKey is one key of a map only: the first by its text.
func FirstKey[M ~map[K]V, K comparable, V any](n int, m M) M {
	if !On(n) || len(m) < 2 {
		return m
	}
	var first *K
	for k := range m {
		if first == nil || cmp.Less(fmt.Sprint(k), fmt.Sprint(*first)) {
			first = &k
		}
	}
	return M{*first: m[*first]}
}

// FirstOf is a sequence that ends after its first element.
func FirstOf[E any](n int, s iter.Seq[E]) iter.Seq[E] {
	if !On(n) {
		return s
	}
	return func(yield func(E) bool) {
		for e := range s {
			yield(e)
			return
		}
	}
}

// FirstPair is a sequence of pairs that ends after its first one.
func FirstPair[K, V any](n int, s iter.Seq2[K, V]) iter.Seq2[K, V] {
	if !On(n) {
		return s
	}
	return func(yield func(K, V) bool) {
		for k, v := range s {
			yield(k, v)
			return
		}
	}
}
