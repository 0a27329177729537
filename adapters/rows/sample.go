package rows

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"switchyard/engine"
)

// Sample is what a person gives to have it sent as a vendor would: a row, a list of rows, {"object", "rows"}, or a body
// that is ready to be sent.
type Sample struct {
	Object string
	Rows   []json.RawMessage
	// ready is true for a body of the vendor's own form.
	ready bool
}

func sampleOf(doc []byte, own []string) (Sample, error) {
	if err := engine.CheckJSON(doc, engine.DefaultJSONLimits); err != nil {
		return Sample{}, fmt.Errorf("the file is not JSON: %w", err)
	}
	columns := ColumnsOf(doc)
	if slices.ContainsFunc(own, func(name string) bool { return columns.Value(name) != nil }) {
		return Sample{ready: true}, nil
	}
	sample := Sample{Object: engine.UserObject, Rows: []json.RawMessage{}}
	list := json.RawMessage(doc)
	switch {
	case engine.KindOf(columns.Value("rows")) == '[':
		list = columns.Value("rows")
		if object := columns.Text("object"); object != "" {
			sample.Object = object
		}
	case engine.KindOf(doc) == '{':
		list = slices.Concat([]byte("["), doc, []byte("]"))
	case engine.KindOf(doc) != '[':
		return Sample{}, errors.New("the file must hold a row, a list of rows, or {\"object\": …, \"rows\": […]}")
	}
	err := engine.ElementsOf(list, engine.DefaultJSONLimits, func(row json.RawMessage) error {
		sample.Rows = append(sample.Rows, row)
		return nil
	})
	return sample, err
}

// Encode is how a vendor would post a sample: in its envelope, or as it is when it is ready, which any of the vendor's own
// members makes it.
func Encode(doc []byte, own []string, envelope func(sample Sample) any) (http.Header, []byte, error) {
	header := http.Header{"Content-Type": {"application/json"}}
	sample, err := sampleOf(doc, own)
	if err != nil || sample.ready {
		return header, doc, err
	}
	body, err := json.Marshal(envelope(sample))
	return header, body, err
}

// HashOf is a short hash of a row's content.
func HashOf(row json.RawMessage) string {
	hash := sha256.Sum256(row)
	return hex.EncodeToString(hash[:8])
}
