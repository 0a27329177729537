package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"switchyard/adapters"
	"switchyard/adapters/verify"
)

func send(args []string, stdout, stderr io.Writer) error {
	flags := newFlags("send", "--to URL --kind KIND [--secret SECRET] EVENT.json\n\nFor hightouch, census and polytomic the file may hold a row, a list of rows, or {\"object\": \"invoice\", \"rows\": […]}.", stderr)
	to := flags.String("to", "", "the `URL` to post to, such as http://127.0.0.1:8080/v1/receive/WRITE_KEY")
	kind := flags.String("kind", "http", "the vendor to send as: "+strings.Join(adapters.Names(), ", "))
	secret := flags.String("secret", os.Getenv("SWITCHYARD_SECRET"), "the `secret` to sign with (or SWITCHYARD_SECRET, which other users of this machine can not see); none for an unverified connection")
	proof := verify.Config{}
	flags.StringVar(&proof.Scheme, "scheme", "", "how to prove it, where the vendor knows more than one `way`: "+strings.Join(verify.Schemes(), ", "))
	flags.StringVar(&proof.Header, "header", "", "the header's `name`, for the schemes header and hmac")
	flags.StringVar(&proof.Parameter, "parameter", "", "the query parameter's `name`, for the scheme query")
	files, err := parse(flags, args, "EVENT.json")
	if err != nil {
		return err
	}
	if *to == "" {
		return usageError{fmt.Errorf("--to is missing")}
	}
	vendor, known := adapters.Kinds[*kind]
	if !known {
		return usageError{fmt.Errorf("there is no kind %q%s; there are %s", *kind, nearest(*kind, adapters.Names()), strings.Join(adapters.Names(), ", "))}
	}
	event, err := readEvent(files[0])
	if err != nil {
		return err
	}
	message, err := vendor.Request(event, sendingConfig(vendor, proof, *secret), time.Now())
	if err != nil {
		return usageError{err}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	reply, err := post(ctx, *to, message)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, strings.TrimSpace(string(reply)))
	return err
}

// sendingConfig is the proof asked for, or the vendor's best; none without a secret.
func sendingConfig(vendor adapters.Kind, proof verify.Config, secret string) verify.Config {
	if secret == "" {
		return verify.Config{}
	}
	if proof.Scheme == "" {
		proof.Scheme = vendor.Schemes[0]
	}
	proof.Secrets = []string{secret}
	return proof
}

// readEvent reads a file, or standard input for -.
func readEvent(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(io.LimitReader(os.Stdin, 64<<20))
	}
	return os.ReadFile(file)
}
