// Package planner compares what the configuration asks for with what the
// database has, and writes down the steps between them.
//
// All reading comes first, into one Observation; Decide is a pure function of
// the configuration and that observation. The result is plain data: it holds
// no handle, no secret and no clock reading, and the same inputs give the same
// bytes. Connections are opened by the caller's Connect function. What a plan
// leads to is package executor's business.
package planner
