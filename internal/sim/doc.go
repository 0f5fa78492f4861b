// Package sim is the simulated cloud: a discrete-event model of the slice of AWS that Ebb touches, with explicit time.
// Groups terminate instances and wait for hooks, ECS places, drains and stops tasks, target groups deregister with delay,
// queues redeliver. Everything about AWS that is not known for certain is a switch.
//
// Each service is a package below, with its model and one row per operation, and knows package core only; this package makes a world
// of them from a spec, and alone wires them to one another. The AWS protocols on top of it are package sim/wire.
//
// It never reads a clock, never starts a goroutine and never does I/O: the same calls at the same times give the same world.
package sim
