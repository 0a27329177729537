//go:build !race

package rules

const slower = 1

const runs, slowerRules = 3, 1
