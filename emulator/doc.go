// Package emulator is a PlanetScale on one machine: the same API and MySQL
// endpoints, moving through the same states, with no account.
//
// An [Emulator] is an http.Handler that serves the API, and a MySQL server
// that knows users and passwords made through the API. What a branch holds
// lives in an [Engine]. The emulator prints nothing; it tells what happens
// through [Options.Events].
package emulator
