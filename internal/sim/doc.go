// Package sim is the simulated cloud: a discrete-event model of the slice of AWS that Ebb touches, with explicit time.
// Groups terminate instances and wait for hooks, ECS places, drains and stops tasks, target groups deregister with delay,
// queues redeliver. Everything about AWS that is not known for certain is a switch.
//
// It never reads a clock, never starts a goroutine and never does I/O: the same calls at the same times give the same world.
// Its scheduler shares no code with Ebb's placement. The AWS protocols on top of it are package sim/wire.
package sim
