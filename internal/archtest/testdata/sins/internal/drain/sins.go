// Package drain has one of each sin against purity. It never runs.
package drain

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os" // want "may not import os"
	"reflect"
	"slices"
	"sync" // want "may not import sync"
	t "time"

	"github.com/ebbhq/ebb/internal/fleet"
	"github.com/ebbhq/ebb/internal/kernel" // want "internal/drain may not import internal/kernel"
)

// ErrSin is an error that a caller compares with.
var ErrSin = errors.New("sin")

// Table could be changed from outside.
var Table = []int{1, 2} // want "anybody could change the exported variable Table"

var count int

var table = []int{1, 2}

var changed = map[string]int{}

var fresh sync.Mutex // want "fresh has no value"

func clock(at t.Time) {
	_ = t.Now()                           // want "may not use time.Now"
	t.Sleep(t.Second)                     // want "may not use time.Sleep"
	fmt.Println(at.Local(), table[0])     // want "may not use fmt.Println" "Time.Local depends"
	_ = rand.IntN(3)                      // want "may not use math/rand/v2.IntN"
	_ = rand.New(rand.NewPCG(1, 2))       // a seed
	_ = reflect.ValueOf(1)                // want "may not use reflect.ValueOf"
	_ = reflect.DeepEqual(1, kernel.Zero) // allowed
	now := t.Now                          // want "may not use time.Now"
	_ = now
}

func channels() {
	c := make(chan int) // want "no channels"
	go func() {         // want "starts no goroutine"
		c <- 1 // want "no channels"
	}()
	<-c      // want "no channels"
	select { // want "no channels"
	default:
	}
}

func loops(tags fleet.Tags, names fleet.Names, n int) {
	for range tags { // want "a loop over a map has a random order"
	}
	for range names {
	}
	for range n {
	}
	for range tags { //ebb:any-order only counts
		count++ // want "count is written to here"
	}
	//ebb:any-order the sum is the same in any order
	for k := range tags {
		changed[k] = 1 // want "changed is written to here"
	}
	for range tags { //ebb:any-order
		// want-above "a loop over a map has a random order"
	}
	for range missing() { // want "cannot be found out"
	}
	_ = slices.Sorted(maps.Keys(tags))
	_ = slices.Collect(maps.Keys(tags)) // want "may not use maps.Keys"
	//ebb:any-order the largest is the same in any order
	_ = slices.Max(slices.Collect(maps.Values(tags)))
	os.Exit(1)
}

func generic[M map[string]int | []int](m M) {
	for range m { // want "a loop over a map has a random order"
	}
}
