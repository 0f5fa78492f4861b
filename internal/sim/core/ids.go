package core

import "time"

// Mix is the finaliser of SplitMix64: a bijection that spreads neighbouring numbers.
func Mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Hex returns n fresh hexadecimal digits. They depend only on the seed and on how many were asked for before.
func (c *Core) Hex(n int) string {
	const digits = "0123456789abcdef"
	b := make([]byte, n)
	var x uint64
	for i := range b {
		if i%16 == 0 {
			c.ids++
			x = Mix(Mix(c.seed) ^ c.ids)
		}
		b[i] = digits[x&15]
		x >>= 4
	}
	return string(b)
}

// UUID returns a fresh id of 36 characters.
func (c *Core) UUID() string {
	h := c.Hex(32)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}

// Roll is the next number of chance.
func (c *Core) Roll() uint64 {
	c.rolls++
	return Mix(Mix(c.seed+0x5bd1e995) ^ c.rolls)
}

// Between is a duration from low to high, by chance, in milliseconds.
func (c *Core) Between(low, high time.Duration) time.Duration {
	span := uint64((high-low)/time.Millisecond) + 1
	return low + time.Duration(c.Roll()%span)*time.Millisecond
}

// Chance is true in percent of all cases.
func (c *Core) Chance(percent int) bool {
	return percent > 0 && c.Roll()%100 < uint64(percent)
}

// ARN spells an ARN of the world's account and Region.
func (c *Core) ARN(service, resource string) string {
	return "arn:aws:" + service + ":" + c.Region + ":" + c.Account + ":" + resource
}

// UserARN is who a caller is: an IAM user with the name of its access key.
func (c *Core) UserARN(name string) string { return "arn:aws:iam::" + c.Account + ":user/" + name }
