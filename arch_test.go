package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rooms of the house and which of our rooms each may import, in the order of the imports: every chain ends at
// engine. A pattern ending in /* is each folder below. The first pattern that fits counts.
var rooms = []struct {
	room string
	may  []string
}{
	{"engine", nil},
	{"engine/redislog", []string{"engine"}},
	{"engine/redislog/redistest", nil}, // a redis-server for tests
	{"rules/document", nil},
	{"rules/masking", []string{"engine"}},
	{"rules", []string{"engine", "rules/document"}},
	{"adapters/verify", []string{"engine"}},
	{"adapters/spec", []string{"engine", "adapters/verify"}},
	{"adapters/rows", []string{"engine", "adapters/spec"}},
	{"adapters/schema", []string{"engine"}},
	{"adapters/deliver/dial", []string{"engine"}},
	{"adapters/deliver/*", []string{"engine", "adapters/deliver/dial"}},
	{"adapters/deliver/knock/knocktest", nil}, // a double of Knock for tests and demonstrations; it shares no code with what it judges
	{"adapters/*", []string{"engine", "adapters/spec", "adapters/rows", "adapters/verify"}},
	{"adapters", []string{"engine", "adapters/*"}},
	{"httpapi", []string{"engine", "adapters"}},
	{"", []string{"engine", "engine/redislog", "rules", "rules/document", "rules/masking", "adapters", "adapters/*", "adapters/deliver/*", "adapters/deliver/knock/knocktest", "httpapi"}},
}

// libraries are the rooms of each foreign module; one that is not listed may not be imported.
var libraries = []struct {
	prefix string
	in     []string
}{
	{"github.com/gofiber/fiber/v2", []string{"httpapi"}},
	{"github.com/expr-lang/expr", []string{"rules"}},
	{"github.com/itchyny/timefmt-go", []string{"rules"}},
	{"github.com/gosimple/slug", []string{"rules"}},
	{"github.com/nyaruka/phonenumbers", []string{"rules", "rules/masking"}},
	{"github.com/bojanz/currency", []string{"rules"}},
	{"github.com/cockroachdb/apd/v3", []string{"rules"}},
	{"golang.org/x/text", []string{"rules"}},
	{"github.com/google/uuid", []string{"rules"}},
	{"go.yaml.in/yaml", []string{"rules/document"}},
	{"github.com/redis/go-redis/v9", []string{"engine/redislog"}},
	{"github.com/alicebob/miniredis/v2", []string{"engine/redislog"}},
	{"github.com/klauspost/compress", []string{"engine/redislog"}},
	{"github.com/santhosh-tekuri/jsonschema/v5", []string{"adapters/schema"}},
	{"golang.org/x/time/rate", []string{"adapters", "adapters/deliver/knock", "engine"}},
	{"github.com/sony/gobreaker/v2", []string{"engine"}},
	{"github.com/prometheus/client_golang", []string{"engine", "httpapi", ""}}, // main makes the registry
}

// complaint says why a room may not import a path; "" when it may.
func complaint(room, path string) string {
	if own, ok := strings.CutPrefix(path, "switchyard/"); ok {
		for _, rule := range rooms {
			if fits(rule.room, room) {
				if slices.ContainsFunc(rule.may, func(pattern string) bool { return fits(pattern, own) }) {
					return ""
				}
				return fmt.Sprintf("%s may not import %s; it may import %v", roomName(room), own, rule.may)
			}
		}
		return roomName(room) + " is no room of the house; add it to the table with a reason, or move the code"
	}
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	for _, library := range libraries {
		if path == library.prefix || strings.HasPrefix(path, library.prefix+"/") {
			if slices.Contains(library.in, room) {
				return ""
			}
			return fmt.Sprintf("%s may not import %s; its room is %v", roomName(room), path, library.in)
		}
	}
	return fmt.Sprintf("%s imports %s, which has no room", roomName(room), path)
}

func fits(pattern, room string) bool {
	if parent, ok := strings.CutSuffix(pattern, "/*"); ok {
		below, under := strings.CutPrefix(room, parent+"/")
		return under && !strings.Contains(below, "/")
	}
	return pattern == room
}

func roomName(room string) string {
	if room == "" {
		return "package main"
	}
	return room
}

func TestImportsFollowTheTable(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files++
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		room := filepath.ToSlash(filepath.Dir(path))
		if room == "." {
			room = ""
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if wrong := complaint(room, imported); wrong != "" {
				t.Errorf("%s: %s", path, wrong)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("only %d files were looked at", files)
	}
}

// The table must be able to fail: each of these imports would be a crack in the house.
func TestTheTableRefuses(t *testing.T) {
	for _, crack := range []struct{ room, path string }{
		{"engine", "switchyard/rules"},
		{"engine", "github.com/redis/go-redis/v9"},
		{"engine/redislog", "switchyard/rules"},
		{"rules", "switchyard/adapters"},
		{"rules", "go.yaml.in/yaml/v3"},
		{"adapters/segment", "switchyard/adapters/http"},
		{"adapters/segment", "switchyard/adapters"},
		{"adapters/deliver/directory", "switchyard/engine/redislog"},
		{"adapters/http", "github.com/gofiber/fiber/v2"},
		{"httpapi", "switchyard/engine/redislog"},
		{"httpapi", "github.com/expr-lang/expr/vm"},
		{"util", "switchyard/engine"},
		{"engine", "github.com/somebody/else"},
	} {
		if complaint(crack.room, crack.path) == "" {
			t.Errorf("%s imports %s and nobody minds", crack.room, crack.path)
		}
	}
	for _, sound := range []struct{ room, path string }{
		{"engine", "encoding/json"},
		{"rules", "switchyard/engine"},
		{"adapters/segment", "switchyard/adapters/spec"},
		{"adapters", "switchyard/adapters/segment"},
		{"httpapi", "switchyard/engine"},
		{"", "switchyard/engine/redislog"},
	} {
		if wrong := complaint(sound.room, sound.path); wrong != "" {
			t.Errorf("refused without reason: %s", wrong)
		}
	}
}
