// Package tiny is changed by the tests of mutate: each kind of mutant has its place here.
package tiny

import (
	"errors"
	"time"
)

// Box has something to be set.
type Box struct {
	N     int
	Since time.Duration
}

const limit = 3

// Count is how many are at most so large; it stops at a negative one.
func Count(all []int, most int) int {
	n := 0
	for _, v := range all {
		if v < 0 {
			break
		}
		if v <= most {
			n++
		}
	}
	return n
}

// Look finds a name among those that are known.
func Look(ages map[string]int, name string) (int, error) {
	age, ok := ages[name]
	if !ok || name == "" {
		return 0, errors.New("nobody has this name")
	}
	return age + 1, nil
}

// Fill fills a box.
func (b *Box) Fill(n int) bool {
	if n > limit && n != 2*limit {
		return false
	}
	b.N = n
	b.wait(time.Second)
	return !(b.N == 2 || b.N == 1)
}

func (b *Box) wait(d time.Duration) { b.Since += d }

// Half survives: no test asks for an odd number.
func Half(n int) int {
	if n%2 == 1 {
		n = n - 1
	}
	return n / 2
}

// Max is the larger number; which of two equal ones it is makes no difference.
func Max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

// Never is reached by no test.
func Never(b *Box) { b.N = limit }

// String is left alone.
func (b *Box) String() string {
	if b.N == 1 {
		return "one"
	}
	return "some"
}
