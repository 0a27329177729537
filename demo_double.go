package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"switchyard/adapters/deliver/knock/knocktest"
)

// knockDouble is a double of Knock that the demo's actions go to; nil when they go to the directory.
type knockDouble struct {
	knock    *knocktest.Knock
	listener net.Listener
}

// demoDouble starts the double that is asked for, and has the configuration in a file send actions there.
func demoDouble(asked, file string) (*knockDouble, error) {
	switch asked {
	case "":
		return nil, nil
	case "knock-double":
	default:
		return nil, usageError{fmt.Errorf("--destination must be knock-double, not %q", asked)}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &knockDouble{knock: knocktest.New(knocktest.Options{}), listener: listener}
	go func() { _ = http.Serve(listener, d.knock) }() // until it is closed
	doc, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	there := fmt.Sprintf("  - key: development\n    destination: {kind: knock, api_key: %s, base_url: \"http://%s\", allow_private: true}\n", knocktest.DefaultAPIKey, listener.Addr())
	return d, os.WriteFile(file, bytes.Replace(doc, []byte("  - key: development\n"), []byte(there), 1), 0o600)
}

func (d *knockDouble) close() {
	if d != nil {
		d.listener.Close()
	}
}

// tell says what the double has got.
func (d *knockDouble) tell(stdout io.Writer) {
	if d != nil {
		fmt.Fprintf(stdout, "\nThe double of Knock has %d users and %d workflow runs, and %d complaints.\n", len(d.knock.Users()), len(d.knock.Runs()), len(d.knock.Complaints()))
	}
}
