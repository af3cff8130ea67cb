//go:build !linux

package main

// protect has nothing to ask of this system.
func protect() {}
