package schema

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// What is wrong with a file, where, and what to do. FOLDER stands for the folder of the test.
func TestLoadSaysWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		name  string
		files []string
		want  []string
	}{
		{"not JSON", []string{"s.json", "{\n  \"ä\": {\"type\": string}\n}"},
			[]string{`FOLDER/s.json:2:17: a JSON value was expected, not 's'; a schema is a JSON document`}},
		{"empty", []string{"s.json", ""},
			[]string{`FOLDER/s.json:1:1: the JSON ends early: a JSON value was expected; a schema is a JSON document`}},
		{"YAML", []string{"s.json", "type: object\n"},
			[]string{`FOLDER/s.json:1:1: a JSON value was expected, not 't'; a schema is a JSON document`}},
		{"a list", []string{"s.json", "[]"},
			[]string{`FOLDER/s.json:1:1: must be an object or a boolean, not an array`}},
		{"a wrong type", []string{"s.json", "{\n\"properties\": {\n  \"plan\": {\"type\": \"strin\"}}}"},
			[]string{`FOLDER/s.json:3:20: /properties/plan/type: must be one of "array", "boolean", "integer", "null", "number", "object", "string"; it is "strin"`}},
		{"two problems", []string{"s.json", `{"minLength":-1,"required":"a"}`},
			[]string{`FOLDER/s.json:1:14: /minLength: must be at least 0; it is -1`, `FOLDER/s.json:1:28: /required: must be an array, not a string`}},
		{"a pattern with look-ahead", []string{"s.json", `{"pattern":"(?=a)"}`},
			[]string{`FOLDER/s.json:1:12: /pattern: must be a regular expression (RE2: without look-around and back-references); it is "(?=a)"`}},
		{"a name that is no pattern", []string{"s.json", `{"$schema":"http://json-schema.org/draft-07/schema","patternProperties":{"(":{}}}`},
			[]string{`FOLDER/s.json:1:78: /patternProperties/(: its name must be a regular expression (RE2: without look-around and back-references); it is "("`}},
		{"a draft 4 pattern", []string{"s.json", `{"$schema":"http://json-schema.org/draft-04/schema#","properties":{"a":{"pattern":"("}}}`},
			[]string{`FOLDER/s.json:1:83: /properties/a/pattern: must be a regular expression (RE2: without look-around and back-references); it is "("`}},
		{"an unknown draft", []string{"s.json", `{"$schema":"https://example.com/my"}`},
			[]string{`FOLDER/s.json:1:12: /$schema: must be the URL of a draft from 4 to 2020-12, such as "https://json-schema.org/draft/2020-12/schema"; it is "https://example.com/my"`}},
		{"a draft that is no text", []string{"s.json", `{"$schema":7}`},
			[]string{`FOLDER/s.json:1:12: /$schema: must be the URL of a draft from 4 to 2020-12, such as "https://json-schema.org/draft/2020-12/schema"; it is 7`}},
		{"a number that is too long", []string{"s.json", `{"enum":[1,1e9999999]}`},
			[]string{`FOLDER/s.json:1:12: /enum/1: a number may have at most 400 digits`}},
		{"a keyword of the library's", []string{"s.json", `{"regexProperties":true}`},
			[]string{`FOLDER/s.json:1:1: "regexProperties" is no keyword; use "propertyNames": {"format": "regex"}`}},
		{"an $id that is no plain URL", []string{"s.json", `{"$id":"https://example.com/a/../ä b.json","$defs":{"x":{}},"$ref":"#/$defs/x"}`},
			[]string{`FOLDER/s.json:1:8: /$id: must be a plain URL, with everything escaped that has to be; it is "https://example.com/a/../ä b.json"`}},
		{"an $id that is a host only", []string{"s.json", `{"$id":"//host/a/","$defs":{"x":{"$id":"//[x"}}}`},
			[]string{`FOLDER/s.json:1:40: /$defs/x/$id: must be a plain URL, with everything escaped that has to be; it is "//[x"`}},
		{"one of draft 4, below", []string{"s.json", `{"$schema":"http://json-schema.org/draft-04/schema","definitions":{"x":{"id":"http:/x"}}}`},
			[]string{`FOLDER/s.json:1:78: /definitions/x/id: must be a plain URL, with everything escaped that has to be; it is "http:/x"`}},

		{"a missing definition", []string{"s.json", "{\"properties\":{\n\"a\": {\"$ref\":\"#/$defs/user\"}}}"},
			[]string{`FOLDER/s.json:2:14: /properties/a/$ref: refers to "#/$defs/user", which is not there; is the name under $defs or definitions right?`}},
		{"a missing anchor", []string{"s.json", `{"$ref":"#user"}`},
			[]string{`FOLDER/s.json:1:9: /$ref: refers to "#user", which is not there; is the name under $defs or definitions right?`}},
		{"a reference to no schema", []string{"s.json", `{"x":{"y":{"type":5}},"$ref":"#/x/y"}`},
			[]string{`FOLDER/s.json:1:19: /x/y/type: must be one of "array", "boolean", "integer", "null", "number", "object", "string"; it is 5`}},
		{"a missing file", []string{"s.json", `{"properties":{"a":{"$ref":"b.json#/x"}}}`},
			[]string{`FOLDER/s.json:1:28: /properties/a/$ref: refers to "FILE/b.json", but FOLDER/b.json: there is no such file; schema files are looked for relative to the file that names them`}},
		{"a folder", []string{"s.json", `{"$ref":"d"}`, "d/x.json", `{}`},
			[]string{`FOLDER/s.json:1:9: /$ref: refers to "FILE/d", but FOLDER/d: is a folder; name a schema file in it`}},
		{"broken below", []string{"s.json", `{"$ref":"d/b.json"}`, "d/b.json", "{\n\"type\":5}"},
			[]string{`FOLDER/d/b.json:2:8: /type: must be one of "array", "boolean", "integer", "null", "number", "object", "string"; it is 5`}},
		{"not JSON below", []string{"s.json", `{"$ref":"b.json"}`, "b.json", "x"},
			[]string{`FOLDER/b.json:1:1: a JSON value was expected, not 'x'; a schema is a JSON document`}},
		{"the web", []string{"s.json", `{"allOf":[{"$ref":"https://example.com/a.json"}]}`},
			[]string{`FOLDER/s.json:1:19: /allOf/0/$ref: refers to "https://example.com/a.json", but schemas are never fetched; save it beside this file and refer to it by its file name`}},
		{"another scheme", []string{"s.json", `{"$ref":"ftp://example.com/a.json"}`},
			[]string{`FOLDER/s.json:1:9: /$ref: refers to "ftp://example.com/a.json", but only files can be referred to, by a name relative to this file`}},
		{"another machine", []string{"s.json", `{"$ref":"file://server/share/a.json"}`},
			[]string{`FOLDER/s.json:1:9: /$ref: refers to "file://server/share/a.json", but schemas are not fetched from other machines; save it here and refer to it by its file name`}},
		{"a neighbour that is not there", []string{"s.json", `{"$id":"https://example.com/x/s.json","$ref":"b.json"}`},
			[]string{`FOLDER/s.json:1:46: /$ref: refers to "https://example.com/x/b.json", but FOLDER/b.json: there is no such file; schema files are looked for relative to the file that names them`}},

		{"itself", []string{"s.json", `{"$ref":"#"}`},
			[]string{`FOLDER/s.json:1:9: /$ref: refers to itself without end: nothing can ever fit`}},
		{"itself in a circle", []string{"s.json", `{"$ref":"#/$defs/a","$defs":{"a":{"allOf":[{"$ref":"#/$defs/b"}]},"b":{"$ref":"#/$defs/a"}}}`},
			[]string{`refers to itself without end: nothing can ever fit`}},
		{"itself through another file", []string{"s.json", `{"properties":{"a":{"$ref":"b.json"}}}`, "b.json", `{"$ref":"c.json"}`, "c.json", `{"anyOf":[{},{"$ref":"b.json"}]}`},
			[]string{`FOLDER/b.json:1:1: refers to itself without end: nothing can ever fit`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := written(t, test.files...)
			_, err := Load(file)
			var problems Problems
			if !errors.As(err, &problems) || len(problems) != len(test.want) {
				t.Fatalf("got %v\nwant %q", err, test.want)
			}
			for i, line := range strings.Split(err.Error(), "\n") {
				line = strings.ReplaceAll(line, "file://"+filepath.Dir(file), "FILE")
				line = strings.ReplaceAll(line, filepath.Dir(file), "FOLDER")
				if !strings.Contains(line, test.want[i]) {
					t.Errorf("\ngot  %s\nwant %s", line, test.want[i])
				}
			}
		})
	}
}

func TestLoadOfWhatIsNoFile(t *testing.T) {
	folder := t.TempDir()
	large := filepath.Join(folder, "large.json")
	if err := os.WriteFile(large, make([]byte, maxFile+1), 0o644); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		filepath.Join(folder, "none.json"):   "none.json: there is no such file; schema files are looked for relative to the file that names them",
		folder:                               ": is a folder; name a schema file in it",
		filepath.Join(large, "a.json"):       "a.json: can not be read: not a directory",
		large:                                "large.json: is larger than 1 MB",
		os.DevNull:                           "is not a regular file",
		filepath.Join(folder, "none%20#?.x"): "none%20#?.x: there is no such file; schema files are looked for relative to the file that names them",
	} {
		if _, err := Load(file); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestFiles(t *testing.T) {
	for _, test := range []struct {
		name   string
		files  []string
		want   []string
		data   string
		faults []string
	}{
		{"alone", []string{"s.json", `{}`}, []string{"s.json"}, `{}`, nil},
		{"below and above", []string{"x/s.json", `{"properties":{"a":{"$ref":"y/a.json#/$defs/s"},"b":{"$ref":"../b.json"}}}`, "x/y/a.json", `{"$defs":{"s":{"$ref":"../../b.json"}}}`, "b.json", `{"type":"string"}`},
			[]string{"b.json", "x/s.json", "x/y/a.json"}, `{"a":1,"b":2}`, []string{"/a must be a string, not a number", "/b must be a string, not a number"}},
		{"a name for $id that is no address", []string{"s.json", `{"$id":"urn:example:s","$defs":{"s":{"$id":"urn:example:t","type":"string"}},"properties":{"a":{"$ref":"urn:example:t"},"b":{"$ref":"#/$defs/s"}}}`},
			[]string{"s.json"}, `{"a":1,"b":2}`, []string{"/a must be a string, not a number", "/b must be a string, not a number"}},
		{"an address without a scheme", []string{"s.json", `{"$id":"//host/a/","$defs":{"s":{"$id":"b","type":"string"}},"properties":{"a":{"$ref":"b"},"b":{"$ref":"#/$defs/s"}}}`},
			[]string{"s.json"}, `{"a":1,"b":2}`, []string{"/a must be a string, not a number", "/b must be a string, not a number"}},
		{"strange names", []string{"a b%20#ä.json", `{"properties":{"a":{"$ref":"c%20d%23.json"}}}`, "c d#.json", `{"type":"string"}`},
			[]string{"a b%20#ä.json", "c d#.json"}, `{"a":1}`, []string{"/a must be a string, not a number"}},
		{"the addresses of $id", []string{"x/s.json", `{"$id":"https://example.com/x/s.json","properties":{"a":{"$ref":"a.json"},"b":{"$ref":"https://example.com/b.json#/$defs/s"}}}`, "x/a.json", `{"$id":"https://example.com/x/a.json","properties":{"a":{"$ref":"s.json"},"b":{"type":"string"}}}`, "b.json", `{"$defs":{"s":{"type":"string"}}}`},
			[]string{"b.json", "x/a.json", "x/s.json"}, `{"a":{"a":{"b":1}},"b":2}`, []string{"/a/a/b must be a string, not a number", "/b must be a string, not a number"}},
		{"a circle with an end", []string{"s.json", `{"properties":{"a":{"$ref":"b.json"}},"required":["a"]}`, "b.json", `{"properties":{"b":{"$ref":"s.json"}}}`},
			[]string{"b.json", "s.json"}, `{"a":{"b":{}}}`, []string{`/a/b lacks the required "a"`}},
		{"drafts of their own", []string{"s.json", `{"$schema":"http://json-schema.org/draft-04/schema#","properties":{"a":{"$ref":"b.json"},"b":{"const":1}}}`, "b.json", `{"$schema":"http://json-schema.org/draft-06/schema#","const":1}`},
			[]string{"b.json", "s.json"}, `{"a":2,"b":2}`, []string{"/a must be 1; it is 2"}},
		{"the schema of schemas", []string{"s.json", `{"properties":{"a":{"$ref":"http://json-schema.org/draft-07/schema#"}}}`}, []string{"s.json"}, `{"a":{"type":5}}`,
			[]string{`/a/type must be one of "array", "boolean", "integer", "null", "number", "object", "string"; it is 5`}},
		{"a byte order mark", []string{"s.json", "\ufeff{}"}, []string{"s.json"}, `{}`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			first := written(t, test.files...)
			folder := strings.TrimSuffix(first, test.files[0])
			t.Chdir(folder)
			for _, name := range []string{first, test.files[0]} {
				s, err := Load(name)
				if err != nil {
					t.Fatal(err)
				}
				var files []string
				for _, file := range s.Files() {
					if filepath.IsAbs(file) != filepath.IsAbs(name) {
						t.Errorf("%s as a file of %s", file, name)
					}
					files = append(files, strings.TrimPrefix(file, folder))
				}
				if files[0] != test.files[0] {
					t.Errorf("the first is %s", files[0])
				}
				for _, want := range test.want {
					if !strings.Contains(" "+strings.Join(files, " ")+" ", " "+want+" ") || len(files) != len(test.want) {
						t.Errorf("%q, want %q", files, test.want)
					}
				}
				got := lines(s.Check(json.RawMessage(test.data), NewBudget()))
				if !reflect.DeepEqual(got, test.faults) {
					t.Errorf("%q, want %q", got, test.faults)
				}
			}
		})
	}
}

// What a schema was loaded from may change or go; it stays what it was, for every checker.
func TestASchemaDoesNotReadAgain(t *testing.T) {
	file := written(t, "s.json", `{"$ref":"b.json"}`, "b.json", `{"required":["a"]}`)
	s, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Dir(file)); err != nil {
		t.Fatal(err)
	}
	c, err := s.source.compile()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.check(map[string]any{}, maxSteps); err == nil {
		t.Error("nothing is required any more")
	}
	if _, err := s.source.load("file:///etc/hosts"); err == nil {
		t.Error("a file is read after Load")
	}
}

func TestAsserted(t *testing.T) {
	for _, draft := range []string{"http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-06/schema#", "http://json-schema.org/draft-07/schema", "https://json-schema.org/draft/2019-09/schema", "https://json-schema.org/draft/2020-12/schema"} {
		s := loaded(t, "s.json", `{"$schema":"`+draft+`","properties":{"e":{"format":"email"}}}`)
		if got := s.Check(json.RawMessage(`{"e":"x"}`), NewBudget()); len(got) != 1 {
			t.Errorf("%s: %v", draft, got)
		}
	}
}

func TestOffsetOf(t *testing.T) {
	text := ` { "a" : [ 1, {"b/c": 2 , "~": "x"}, [3]], "": null }`
	for pointer, want := range map[string]string{
		"": `{ "a"`, "/a": "[ 1", "/a/0": "1,", "/a/1": `{"b/c"`, "/a/1/b~1c": "2 ,", "/a/1/~0": `"x"`, "/a/2/0": "3]", "/": "null",
		"/a/7": "[ 1", "/none/x": `{ "a"`, "/a/0/x": "1,",
	} {
		if got := text[offsetOf([]byte(text), pointer):]; !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", pointer, got)
		}
	}
}
