package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"switchyard/adapters"
	"switchyard/adapters/verify"
)

const sendSynopsis = `--to URL --kind KIND [--secret SECRET] EVENT.json
       switchyard send -c FILE --source SOURCE [--env ENVIRONMENT] EVENT.json

With -c the address, the kind and the proof are those of a connection in the configuration.
For hightouch, census and polytomic the file may hold a row, a list of rows, or {"object": "invoice", "rows": […]}.`

// sending are the flags of send.
type sending struct {
	to, kind, secret  string
	file, source, env string
	proof             verify.Config
	extra             headerFlag
}

func send(args []string, stdout, stderr io.Writer) error {
	s := sending{extra: headerFlag{}}
	flags := newFlags("send", sendSynopsis, stderr)
	flags.StringVar(&s.to, "to", "", "the `URL` to post to, such as http://127.0.0.1:8080/v1/receive/WRITE_KEY")
	flags.StringVar(&s.kind, "kind", "http", "the vendor to send as: "+strings.Join(adapters.Names(), ", "))
	flags.StringVar(&s.secret, "secret", os.Getenv("SWITCHYARD_SECRET"), "the `secret` to sign with (or SWITCHYARD_SECRET, which other users of this machine can not see); none for an unverified connection")
	flags.StringVar(&s.proof.Scheme, "scheme", "", "how to prove it, where the vendor knows more than one `way`: "+strings.Join(verify.Schemes(), ", "))
	flags.StringVar(&s.proof.Header, "header", "", "the header's `name`, for the schemes header and hmac")
	flags.StringVar(&s.proof.Prefix, "prefix", "", "what stands before the signature of scheme hmac, such as sha256=")
	flags.StringVar(&s.proof.Parameter, "parameter", "", "the query parameter's `name`, for the scheme query")
	flags.Var(s.extra, "H", "one more header, `'Name: value'`; may be repeated")
	flags.StringVar(&s.file, "c", "", "the configuration `file` to take the connection from")
	flags.StringVar(&s.source, "source", "", "with -c: the `source` to send as")
	flags.StringVar(&s.env, "env", "", "with -c: the `environment`, where the source is in more than one")
	files, err := parse(flags, args, "EVENT.json")
	if err != nil {
		return err
	}
	if s.file != "" {
		if err := s.fromConfig(); err != nil {
			return err
		}
	}
	message, err := s.message(files[0])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	reply, err := post(ctx, s.to, message)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, strings.TrimSpace(string(reply)))
	return complaints(reply)
}

// fromConfig takes what a connection says of itself.
func (s *sending) fromConfig() error {
	p, err := loadPlan(s.file, os.LookupEnv)
	if err != nil {
		return err
	}
	var found []*plannedConnection
	for _, e := range p.environments {
		for _, c := range e.connections {
			if c.Source == s.source && (s.env == "" || s.env == e.key) {
				found = append(found, c)
			}
		}
	}
	switch {
	case len(found) == 0:
		return usageError{fmt.Errorf("the configuration has no connection of the source %q; --source names one", s.source)}
	case len(found) > 1:
		return usageError{fmt.Errorf("the source %s is in more than one environment; --env names one", s.source)}
	}
	s.kind, s.proof, s.secret = found[0].Kind, found[0].settings.Verify, ""
	if s.to == "" {
		s.to = "http://" + p.config.Listen.Value + "/v1/receive/" + found[0].writeKeys[0]
	}
	return nil
}

// message is the request that the vendor would make.
func (s *sending) message(file string) (*adapters.Message, error) {
	switch {
	case s.to == "":
		return nil, usageError{errors.New("--to is missing")}
	case !strings.Contains(s.to, "://"):
		return nil, usageError{errors.New("--to must begin with http:// or https://")}
	}
	vendor, known := adapters.Kinds[s.kind]
	if !known {
		return nil, usageError{fmt.Errorf("there is no kind %q%s; there are %s", s.kind, nearest(s.kind, adapters.Names()), strings.Join(adapters.Names(), ", "))}
	}
	event, err := readEvent(file)
	if err != nil {
		return nil, err
	}
	proof, err := s.prove(vendor)
	if err != nil {
		return nil, usageError{err}
	}
	message, err := vendor.Request(event, proof, time.Now())
	if err != nil {
		if s.secret != "" && len(vendor.Schemes) > 1 {
			err = fmt.Errorf("%w (the scheme is %s; --scheme may choose %s)", err, proof.Scheme, strings.Join(vendor.Schemes, ", "))
		}
		return nil, usageError{err}
	}
	for name, values := range s.extra {
		message.Header[name] = values
	}
	return message, nil
}

// prove is the proof asked for, or the vendor's best; none without a secret.
func (s *sending) prove(vendor adapters.Kind) (verify.Config, error) {
	if s.secret == "" {
		return s.proof, nil // of a connection, or none
	}
	proof := s.proof
	proof.Secrets = []string{s.secret}
	switch {
	case proof.Scheme != "":
	case proof.Header != "":
		proof.Scheme = verify.Header
	case proof.Parameter != "":
		proof.Scheme = verify.Query
	default:
		proof.Scheme = vendor.Schemes[0]
	}
	if proof.Scheme == verify.Header && proof.Header == "" {
		return proof, errors.New("this vendor proves itself by a header of your choice: add --header NAME, or --scheme bearer")
	}
	return proof, nil
}

// complaints finds in a good answer what was not taken.
func complaints(reply []byte) error {
	var answer struct {
		Invalid int
		Error   json.RawMessage
		Result  struct {
			RejectedRows  []json.RawMessage `json:"rejectedRows"`
			RecordResults []struct {
				Success bool
			} `json:"record_results"`
		}
	}
	if json.Unmarshal(reply, &answer) != nil {
		return nil // the answer of another server
	}
	bad := answer.Invalid + len(answer.Result.RejectedRows)
	for _, record := range answer.Result.RecordResults {
		if !record.Success {
			bad++
		}
	}
	if bad > 0 || answer.Error != nil {
		return errFound
	}
	return nil
}

// headerFlag collects headers.
type headerFlag http.Header

func (h headerFlag) String() string { return "" }

func (h headerFlag) Set(text string) error {
	name, value, ok := strings.Cut(text, ":")
	if !ok || strings.TrimSpace(name) == "" {
		return errors.New("a header is written 'Name: value'")
	}
	http.Header(h).Add(strings.TrimSpace(name), strings.TrimSpace(value))
	return nil
}

// readEvent reads a file, or standard input for -.
func readEvent(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(io.LimitReader(os.Stdin, 64<<20))
	}
	return os.ReadFile(file)
}
