//go:build race

package rules

// slower is how much longer things take with the race detector.
const slower = 20
