// Package archtest holds the rules of the house as tests: which packages are pure, who may import whom, that everything exported has
// a comment, and how long functions, files and lines may be.
//
// It never runs the code that it reads, and nothing imports it.
package archtest
