package main

import (
	"math"
	"regexp"
	"strconv"

	"switchyard/rules/document"
)

// byteSize is a number of bytes, written with a unit as Redis has them: 1KB is 1024.
type byteSize int64

var byteSizes = regexp.MustCompile(`^([0-9]+)(B|KB|MB|GB|TB)$`)

var byteUnits = map[string]int64{"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}

// FromDocument implements document.Custom.
func (b *byteSize) FromDocument(value *document.Value) {
	var text string
	if value.Decode(&text); text == "" {
		return
	}
	parts := byteSizes.FindStringSubmatch(text)
	if parts == nil {
		value.Wrong("a size such as 512MB or 4GB was expected")
		return
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	if unit := byteUnits[parts[2]]; err == nil && n <= math.MaxInt64/unit {
		*b = byteSize(n * unit)
		return
	}
	value.Wrong("%s is more than can be counted", text)
}

// DocumentSchema implements document.Described.
func (byteSize) DocumentSchema(func(any) map[string]any) map[string]any {
	return map[string]any{"type": "string", "pattern": `^[0-9]+(B|KB|MB|GB|TB)$|\$\{`}
}
