package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A server that is none of ours, or is not there, is told of in words that say what to do.
func TestServersThatAnswerOddly(t *testing.T) {
	odd := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/html":
			_, _ = w.Write([]byte("<html>"))
		case "/token":
			http.Error(w, "no", http.StatusUnauthorized)
		case "/refused":
			http.Error(w, strings.Repeat("no ", 10_000), http.StatusTeapot)
		case "/endless":
			for r.Context().Err() == nil {
				_, _ = w.Write(make([]byte, 1<<20))
			}
		}
	}))
	defer odd.Close()
	for _, test := range []struct{ base, path, want string }{
		{odd.URL, "/html", "is it the admin_listen of a server?"},
		{odd.URL, "/token", "it wants a token of its admin.tokens, by --token or SWITCHYARD_TOKEN"},
		{odd.URL, "/refused", "418 I'm a teapot: no no"},
		{odd.URL, "/endless", "the answer is longer than 64 MB"},
		{"http://127.0.0.1:1", "/", "the server http://127.0.0.1:1 does not answer: "},
		{"127.0.0.1:8081", "/", "--server must be a URL such as http://127.0.0.1:8081"},
		{"ftp://127.0.0.1", "/", "--server must be a URL such as http://127.0.0.1:8081"},
	} {
		err := client{base: test.base}.get(context.Background(), test.path, &struct{}{})
		if err == nil || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 700 {
			t.Errorf("%s%s: %.700v", test.base, test.path, err)
		}
		if wrong := (usageError{}); errors.As(err, &wrong) != strings.HasPrefix(test.want, "--server") {
			t.Errorf("%s: is it a wrong command line? %v", test.base, err)
		}
	}
}

func TestReplacingAFile(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "link.yaml")
	if err := errors.Join(os.WriteFile(path, []byte("before"), 0o640), os.Symlink(path, link)); err != nil {
		t.Fatal(err)
	}
	if err := replace(link, []byte("after"), 0o640); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if info, _ := os.Stat(path); err != nil || string(text) != "after" || info.Mode().Perm() != 0o640 {
		t.Errorf("%q %v %v", text, info, err)
	}
	if err := replace(filepath.Join(dir, "none.yaml"), nil, 0o640); err == nil {
		t.Error("a file that is not there is written")
	}
	if found, _ := os.ReadDir(dir); len(found) != 2 {
		t.Errorf("something is left over: %v", found)
	}
}
