package sim

import "time"

// mix is the finaliser of SplitMix64: a bijection that spreads neighbouring numbers.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// hex returns n fresh hexadecimal digits. They depend only on the seed and on how many were asked for before.
func (w *World) hex(n int) string {
	const digits = "0123456789abcdef"
	b := make([]byte, n)
	var x uint64
	for i := range b {
		if i%16 == 0 {
			w.ids++
			x = mix(mix(w.cfg.Seed) ^ w.ids)
		}
		b[i] = digits[x&15]
		x >>= 4
	}
	return string(b)
}

// uuid returns a fresh id of 36 characters.
func (w *World) uuid() string {
	h := w.hex(32)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

// roll is the next number of chance.
func (w *World) roll() uint64 {
	w.rolls++
	return mix(mix(w.cfg.Seed+0x5bd1e995) ^ w.rolls)
}

// between is a duration from low to high, by chance, in milliseconds.
func (w *World) between(low, high time.Duration) time.Duration {
	span := uint64((high-low)/time.Millisecond) + 1
	return low + time.Duration(w.roll()%span)*time.Millisecond
}

// chance is true in percent of all cases.
func (w *World) chance(percent int) bool {
	return percent > 0 && w.roll()%100 < uint64(percent)
}

// arn spells an ARN of the world's account and Region.
func (w *World) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + w.cfg.Region + ":" + w.cfg.Account + ":" + resource
}
