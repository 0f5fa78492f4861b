package tiny

import (
	"testing"
	"time"
)

func TestCount(t *testing.T) {
	for most, want := range map[int]int{0: 1, 1: 2, 2: 3} {
		if got := Count([]int{0, 1, 2, -1, 0}, most); got != want {
			t.Errorf("%d are at most %d, want %d", got, most, want)
		}
	}
}

func TestLook(t *testing.T) {
	ages := map[string]int{"ann": 40, "": 3}
	if age, err := Look(ages, "ann"); age != 41 || err != nil {
		t.Error(age, err)
	}
	for _, name := range []string{"bob", ""} {
		if age, err := Look(ages, name); age != 0 || err == nil {
			t.Error(name, age, err)
		}
	}
}

func TestFill(t *testing.T) {
	for n, want := range map[int]bool{1: false, 2: false, 3: true, 4: false, 5: false, 6: true, 7: false} {
		b := &Box{}
		if got := b.Fill(n); got != want {
			t.Errorf("%d: %t", n, got)
		}
		if n <= limit && (b.N != n || b.Since != time.Second) {
			t.Errorf("%d: %+v", n, b)
		}
	}
}

func TestHalf(t *testing.T) {
	if Half(4) != 2 {
		t.Error(Half(4))
	}
}

func TestMax(t *testing.T) {
	if Max(1, 2) != 2 || Max(2, 1) != 2 {
		t.Error("not the larger")
	}
}
