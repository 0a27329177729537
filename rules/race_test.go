//go:build race

package rules

// slower is how much longer things take with the race detector.
const slower = 20

// Once is enough then, and a few of the longest.
const runs, slowerRules = 1, 4
