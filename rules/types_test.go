package rules

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"switchyard/engine"
	"switchyard/rules/document"
)

// orderData is the declared shape of an order's data.
func orderData(rest engine.Rest) *engine.Shape {
	return objectOf(rest, map[string]*engine.Shape{
		"total": {Types: engine.JSONNumber}, "seats": {Types: engine.JSONNumber | engine.JSONNull}, "active": {Types: engine.JSONBoolean},
		"email": {Types: engine.JSONString}, "any": engine.AnyShape(), "either": {Types: engine.JSONNumber | engine.JSONString},
		"currency": {Types: engine.JSONString, Enum: []any{"EUR", "USD", "GBP"}}, "size": {Types: engine.JSONNumber, Enum: []any{1, 2}},
		"tags":    {Types: engine.JSONList, Items: &engine.Shape{Types: engine.JSONString}},
		"address": objectOf(rest, map[string]*engine.Shape{"street": {Types: engine.JSONString}, "zip": {Types: engine.JSONString}}),
		"items": {Types: engine.JSONList, Items: objectOf(rest, map[string]*engine.Shape{
			"sku": {Types: engine.JSONString}, "price": {Types: engine.JSONNumber}, "count": {Types: engine.JSONNumber},
		})},
		"prices": objectOf(engine.RestExpected, map[string]*engine.Shape{"standard": {Types: engine.JSONNumber}}),
		"extra":  {Types: engine.JSONObject},
	})
}

func objectOf(rest engine.Rest, members map[string]*engine.Shape) *engine.Shape {
	return &engine.Shape{Types: engine.JSONObject, Rest: rest, Members: members}
}

// declaredOrder is what is known when the one source there is declares orders.
func declaredOrder(rest engine.Rest) Shapes {
	return Shapes{Sources: []string{"web"}, Declared: []engine.EventShape{{Source: "web", Name: "order", Enforced: true, Data: orderData(rest)}}}
}

// typesOf checks a rules file, and gives what is found as lines: line:col: message, warnings marked.
func typesOf(t *testing.T, text string, shapes Shapes) string {
	t.Helper()
	file, err := Parse("rules.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Compile("test", []*File{file}); err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	errors, warnings := CheckTypes([]*File{file}, shapes)
	var lines []string
	for _, problem := range errors {
		lines = append(lines, strings.TrimPrefix(problem.Error(), "rules.yaml:"))
	}
	for _, problem := range warnings {
		lines = append(lines, "warning "+strings.TrimPrefix(problem.Error(), "rules.yaml:"))
	}
	return strings.Join(lines, "\n")
}

// clause is a rule for orders with one more part of its match; the part begins at 3:31.
func clause(part string) string {
	return "rules:\n  - key: a\n    match: |\n      name == \"order\" && " + part + "\n    actions: [{identify: {user_id: user_id}}]\n"
}

func TestDeclaredTypes(t *testing.T) {
	for part, want := range map[string]string{
		// Fields.
		`data.total > 5`:              ``,
		`data.totl > 5`:               `4:31: unknown field data.totl: the schema of "order" does not allow it; did you mean total?`,
		`data?.totl > 5`:              `4:32: unknown field data.totl: the schema of "order" does not allow it; did you mean total?`,
		`data["totl"] > 5`:            `4:31: unknown field data.totl: the schema of "order" does not allow it; did you mean total?`,
		`data.coupon == "X"`:          `4:31: unknown field data.coupon: the schema of "order" does not allow it`,
		`data.address.stret == ""`:    `4:39: unknown field data.address.stret: the schema of "order" does not allow it; did you mean street?`,
		`data.email.domain == ""`:     `4:37: data.email is a string, and has no member domain`,
		`data.items.price > 5`:        `4:37: data.items is a list, and has no member price`,
		`data.items[0].prise > 5`:     `4:40: unknown field data.items[].prise: the schema of "order" does not allow it; did you mean price?`,
		`data.items[-1].price > 5`:    ``,
		`first(data.items).prise > 5`: `4:44: unknown field data.items[].prise: the schema of "order" does not allow it; did you mean price?`,
		`data.prices.standard > 5`:    ``,
		`data.prices.gold > 5`:        ``,
		`data.prices.standrad > 5`:    `warning 4:38: unknown field data.prices.standrad: the schema of "order" does not name it; did you mean standard?`,
		`data.extra.whatever > 5`:     ``,
		`data.any.whatever > 5`:       ``,
		`context.whatever.x > 5`:      ``,
		`event.properties.totl > 5`:   ``,
		`properties.totl > 5`:         `4:37: unknown field properties.totl: the schema of "order" does not allow it; did you mean total?`,
		`traits.totl > 5`:             ``,
		`get(data, "totl") > 5`:       `4:36: unknown field data.totl: the schema of "order" does not allow it; did you mean total?`,
		// What provides for a missing field is at most odd.
		`(data.totl ?? 0) > 5`:             `warning 4:32: unknown field data.totl: the schema of "order" does not allow it; did you mean total?`,
		`data.totl != nil`:                 `warning 4:31: unknown field data.totl: the schema of "order" does not allow it; did you mean total?`,
		`"totl" in data`:                   `warning 4:26: unknown field data.totl: the schema of "order" does not allow it; did you mean total?`,
		`coalesce(data.totl, 0) > 5`:       `warning 4:40: unknown field data.totl: the schema of "order" does not allow it; did you mean total?`,
		`data.total != nil`:                ``,
		`data.total == nil`:                ``,
		`(data.total ?? 0) > 5`:            ``,
		`(data.total ?? "none") == "none"`: ``,
		`(data.total ?? "none") == true`:   `4:52: (data.total ?? …) is a string or a number; it is compared with a boolean and can never be equal`,
		`"total" in data`:                  ``,
		// Types.
		`data.seats == "5"`:                      `4:40: data.seats is a number; it is compared with a string and can never be equal`,
		`"5" == data.seats`:                      `4:26: data.seats is a number; it is compared with a string and can never be equal`,
		`data.seats != "5"`:                      `4:40: data.seats is a number; it is compared with a string and is always unequal`,
		`!(data.seats == "5")`:                   `4:42: data.seats is a number; it is compared with a string and is always unequal`,
		`data.seats in [1, "2"]`:                 `4:44: data.seats is a number; it is compared with a string and can never be equal`,
		`data.seats not in ["2"]`:                `4:45: data.seats is a number; it is compared with a string and is always unequal`,
		`data.seats > "5"`:                       `4:39: data.seats is a number; it can not be compared with a string`,
		`"5" <= data.seats`:                      `4:26: data.seats is a number; it can not be compared with a string`,
		`1 < data.email < 5`:                     "4:26: data.email is a string; it can not be compared with a number\n4:43: data.email is a string; it can not be compared with a number",
		`data.seats == data.email`:               `4:45: data.seats is a number; it is compared with data.email, a string, and can never be equal`,
		`data.active == true`:                    ``,
		`data.active == "true"`:                  `4:41: data.active is a boolean; it is compared with a string and can never be equal`,
		`data.active > 5`:                        `4:26: data.active is a boolean; > needs a string or a number`,
		`data.either == 5 || data.either == "5"`: ``,
		`data.either == true`:                    `4:41: data.either is a string or a number; it is compared with a boolean and can never be equal`,
		`data.any == 5`:                          ``,
		`data.total == data.any`:                 ``,
		`"a" in data.tags`:                       ``,
		`5 in data.tags`:                         `4:26: data.tags[] is a string; it is compared with a number and can never be equal`,
		`"a" in data.email`:                      `4:33: data.email is a string; in needs a list or an object on its right (for a part of a string write: text contains "part")`,
		`data.email`:                             `4:26: data.email is a string; a condition must be true or false`,
		`!data.email`:                            `4:27: data.email is a string; a condition must be true or false`,
		`(data.active || data.total)`:            `4:42: data.total is a number; a condition must be true or false`,
		`data.active`:                            ``,
		`data.total * 2 > 5`:                     ``,
		`data.email * 2 > 5`:                     `4:26: data.email is a string; * needs a number`,
		`data.total + 1 > 5`:                     ``,
		`data.email + "x" == "x"`:                ``,
		`data.total + "x" == "x"`:                `4:37: data.total is a number; + can not be used on it and a string`,
		`timestamp > date(data.email)`:           ``,
		// Enums.
		`data.currency == "EUR"`:              ``,
		`data.currency == "EURO"`:             `4:43: data.currency is never "EURO"; did you mean "EUR"?`,
		`data.currency in ["EUR", "XXX"]`:     `4:51: data.currency is never "XXX"; it is "EUR", "USD" or "GBP"`,
		`data.currency != "XXX"`:              `warning 4:43: data.currency is never "XXX"; it is "EUR", "USD" or "GBP"`,
		`data.size == 2.0`:                    ``,
		`data.size == 3`:                      `4:39: data.size is never 3; it is 1 or 2`,
		`data.currency[0:2] == "EU"`:          ``,
		`lower(data.currency) == "eur"`:       ``,
		`(data.currency ?? "none") == "none"`: ``,
		// Texts.
		`data.email contains "@"`:       ``,
		`data.seats contains "5"`:       `4:26: data.seats is a number; contains needs a string`,
		`data.seats matches "5"`:        `4:26: data.seats is a number; matches needs a string`,
		`data.tags contains "a"`:        `4:26: data.tags is a list; contains needs a string (for a list write: value in list)`,
		`upper(data.email) == "A"`:      ``,
		`upper(data.seats) == "A"`:      `4:32: data.seats is a number; upper needs a string`,
		`(data.seats | upper()) == "A"`: `4:27: data.seats is a number; upper needs a string`,
		`len(data.seats) > 1`:           `4:30: data.seats is a number; len needs a string or an object or a list`,
		// Loops.
		`any(data.items, .price > 5)`:                     ``,
		`any(data.items, .prise > 5)`:                     `4:43: unknown field data.items[].prise: the schema of "order" does not allow it; did you mean price?`,
		`any(data.items, #.price > "5")`:                  `4:52: data.items[].price is a number; it can not be compared with a string`,
		`any(data.email, # > 5)`:                          `4:30: data.email is a string; any needs a list`,
		`any(data.items, .sku)`:                           `4:42: data.items[].sku is a string; a condition must be true or false`,
		`any(data.tags, # == 5)`:                          `4:46: data.tags[] is a string; it is compared with a number and can never be equal`,
		`any(filter(data.items, .price > 5), .cuont > 1)`: `4:63: unknown field data.items[].cuont: the schema of "order" does not allow it; did you mean count?`,
		`any(map(data.items, .price), # == "5")`:          `4:60: data.items[].price is a number; it is compared with a string and can never be equal`,
		`any(data.items ?? [], .prise > 5)`:               `4:49: unknown field (data.items ?? …)[].prise: the schema of "order" does not allow it; did you mean price?`,
		`(let a = data.address; a.stret == "")`:           `4:51: unknown field data.address.stret: the schema of "order" does not allow it; did you mean street?`,
		`(data.active ? data.total : data.email) == "x"`:  ``,
	} {
		if got := typesOf(t, clause(part), declaredOrder(engine.RestClosed)); got != want {
			t.Errorf("%s\n got %s\nwant %s", part, got, want)
		}
	}
}

func TestTypesOfOpenObjects(t *testing.T) {
	for part, want := range map[string]string{
		`data.totl > 5`:       `4:31: unknown field data.totl: the schema of "order" does not name it; did you mean total?`,
		`data.Total > 5`:      `4:31: unknown field data.Total: the schema of "order" does not name it; did you mean total?`,
		`data.coupon == ""`:   `warning 4:31: unknown field data.coupon: the schema of "order" does not name it`,
		`data.total2 > 5`:     `warning 4:31: unknown field data.total2: the schema of "order" does not name it; did you mean total?`,
		`data.addressee == 5`: `warning 4:31: unknown field data.addressee: the schema of "order" does not name it; did you mean address?`,
	} {
		if got := typesOf(t, clause(part), declaredOrder(engine.RestOpen)); got != want {
			t.Errorf("%s\n got %s\nwant %s", part, got, want)
		}
	}
}

func TestTypesOfTransformsAndActions(t *testing.T) {
	got := typesOf(t, `rules:
  - key: a
    match: name == "order"
    transform:
      home: data.address
      lines: 'map(data.items, {"sku": #.sku, "cost": #.prise})'
      skus: map(data.items, .sku)
      bad: home.zipp
      again: skus[0] == 5
      fine: lines[0].anything
    actions:
      - identify: {user_id: user_id, traits: 'pick(data, "email", "emial")'}
      - trigger:
          workflow: w
          recipients: user_id
          data: 'merge(omit(data, "emial"), {"x": home.street, "y": home.strete})'
          tenant: pick(data, ["total", "totl"]).total
          cancellation_key: rename(data, "totl", "x").y
`, declaredOrder(engine.RestClosed))
	want := `6:56: unknown field data.items[].prise: the schema of "order" does not allow it; did you mean price?
8:17: unknown field data.address.zipp: the schema of "order" does not allow it; did you mean zip?
9:25: data.items[].sku is a string; it is compared with a number and can never be equal
12:67: unknown field data.emial: the schema of "order" does not allow it; did you mean email?
16:74: unknown field data.address.strete: the schema of "order" does not allow it; did you mean street?
17:40: unknown field data.totl: the schema of "order" does not allow it; did you mean total?
18:42: unknown field data.totl: the schema of "order" does not allow it; did you mean total?
warning 16:35: unknown field data.emial: the schema of "order" does not allow it; did you mean email?`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Which events a rule is for decides what its expressions are held against.
func TestPinnedShapes(t *testing.T) {
	shapes := func(sources string, declared ...engine.EventShape) Shapes {
		return Shapes{Sources: strings.Fields(sources), Declared: declared}
	}
	declare := func(source, name string, fields ...string) engine.EventShape {
		members := map[string]*engine.Shape{}
		for _, field := range fields {
			members[field] = &engine.Shape{Types: engine.JSONString}
		}
		return engine.EventShape{Source: source, Name: name, Enforced: true, Data: objectOf(engine.RestClosed, members)}
	}
	loose := declare("web", "a", "x")
	loose.Enforced = false
	for _, test := range []struct {
		match  string
		shapes Shapes
		want   string
	}{
		{`name == "a" && data.y == ""`, shapes("web", declare("web", "a", "x")), "error"},
		{`name == "a" && data.y == ""`, shapes("web app", declare("web", "a", "x")), "warning"},
		{`name == "a" && source == "web" && data.y == ""`, shapes("web app", declare("web", "a", "x")), "error"},
		{`name == "a" && source in ["web", "app"] && data.y == ""`, shapes("web app", declare("web", "a", "x")), "warning"},
		{`name == "a" && source == "app" && data.y == ""`, shapes("web app", declare("web", "a", "x")), ""},
		{`name == "a" && data.y == ""`, shapes("web app", declare("web", "a", "x"), declare("app", "a", "y")), ""},
		{`name == "a" && data.z == ""`, shapes("web app", declare("web", "a", "x"), declare("app", "a", "y")), "error"},
		{`name == "a" && data.y == ""`, shapes("web", loose), "warning"},
		{`name in ["a", "b"] && data.y == ""`, shapes("web", declare("web", "a", "x"), declare("web", "b", "y")), ""},
		{`name in ["a", "b"] && data.z == ""`, shapes("web", declare("web", "a", "x"), declare("web", "b", "y")), "error"},
		{`name in ["a", "b"] && data.z == ""`, shapes("web", declare("web", "a", "x")), "warning"},
		{`(name == "a" || name == "b") && data.z == ""`, shapes("web", declare("web", "a", "x"), declare("web", "b", "y")), "error"},
		{`(name == "a" || user_id == "b") && data.z == ""`, shapes("web", declare("web", "a", "x")), ""},
		{`"a" == name && data.y == ""`, shapes("web", declare("web", "a", "x")), "error"},
		{`name != "a" && data.y == ""`, shapes("web", declare("web", "a", "x")), ""},
		{`data.y == "" && !(name == "a")`, shapes("web", declare("web", "a", "x")), ""},
		{`data.y == "a"`, shapes("web", declare("web", "a", "x")), ""},
		{`name == "\u0061" && data.y == ""`, shapes("web", declare("web", "a", "x")), "error"},
		{`type == "identify" && data.y == ""`, shapes("web", declare("web", "identify", "x")), "error"},
		{`type == "identify" && traits.y == ""`, shapes("web", declare("web", "identify", "x")), "error"},
		{`type == "identify" && properties.y == ""`, shapes("web", declare("web", "identify", "x")), ""},
		{`type == "track" && traits.y == "identify"`, shapes("web", declare("web", "identify", "x")), ""},
		{`type == "record" && name == "a" && properties.y == ""`, shapes("web", declare("web", "a", "x")), ""},
	} {
		t.Run(test.match, func(t *testing.T) {
			match, _ := json.Marshal(test.match)
			got := typesOf(t, fmt.Sprintf("rules: [{key: a, match: %s, actions: [{identify: {user_id: user_id}}]}]", match), test.shapes)
			switch {
			case test.want == "" && got == "", test.want == "warning" && strings.HasPrefix(got, "warning "):
			case test.want == "error" && got != "" && !strings.HasPrefix(got, "warning "):
			default:
				t.Errorf("want %q, got %s", test.want, got)
			}
		})
	}
}

// learnedOrders are shapes learned from events with these data.
func learnedOrders(docs ...string) Shapes {
	learner := engine.NewLearner(1000)
	for _, doc := range docs {
		learner.Add(&engine.Event{Source: "web", Type: "track", Name: "order", Data: json.RawMessage(doc)})
	}
	return Shapes{Sources: []string{"web", "app"}, Learned: learner.Shapes()}
}

func TestLearnedTypes(t *testing.T) {
	docs := make([]string, 100)
	for i := range docs {
		docs[i] = fmt.Sprintf(`{"total": %d, "email": "a@b", "address": {"street": "x"}, "items": [{"price": 1}]}`, i)
	}
	docs[7] = `{"total": 7, "coupon": "A", "address": {"street": "x", "floor": 1}, "items": []}`
	for part, want := range map[string]string{
		`data.total > 5`:                ``,
		`data.totl > 5`:                 `warning 4:31: data.totl was in none of 100 events "order"; did you mean total?`,
		`data.address.stret == ""`:      `warning 4:39: data.address.stret was in none of 100 objects data.address; did you mean street?`,
		`any(data.items, .prise > 5)`:   `warning 4:43: data.items[].prise was in none of 99 objects data.items[]; did you mean price?`,
		`data.total == "5"`:             `warning 4:40: data.total was always a number (seen 100 times); it is compared with a string and can never be equal`,
		`data.coupon == "A"`:            `warning 4:31: data.coupon was in only 1 of 100 events "order"`,
		`(data.coupon ?? "A") == "A"`:   ``,
		`data.coupon > 5`:               `warning 4:31: data.coupon was in only 1 of 100 events "order"`,
		`data.address.floor == 1`:       `warning 4:39: data.address.floor was in only 1 of 100 objects data.address`,
		`data.email contains "@"`:       ``,
		`source == "app" && data.t > 5`: ``,
		`type == "page" && data.t > 5`:  ``,
	} {
		if got := typesOf(t, clause(part), learnedOrders(docs...)); got != want {
			t.Errorf("%s\n got %s\nwant %s", part, got, want)
		}
	}
	if got := typesOf(t, clause(`data.totl > 5`), learnedOrders(docs[:19]...)); got != "" {
		t.Errorf("of too few events: %s", got)
	}
	both := learnedOrders(docs...)
	both.Declared = declaredOrder(engine.RestClosed).Declared
	both.Sources = []string{"web"}
	if got := typesOf(t, clause(`data.totl > 5`), both); strings.Contains(got, "\n") {
		t.Errorf("the same is said twice: %s", got)
	}
}

// Rules that pin nothing that is known cost no parsing.
func TestTypesOfManyRules(t *testing.T) {
	file := &File{Path: "rules.yaml"}
	for i := range 100_000 {
		file.Rules = append(file.Rules, Rule{Match: document.Text{Value: fmt.Sprintf(`type == "track" && name == "event-%d" && data.plan == "pro"`, i)}})
	}
	if n := testing.AllocsPerRun(1, func() { CheckTypes([]*File{file}, declaredOrder(engine.RestClosed)) }); n > 1000 {
		t.Errorf("%v allocations", n)
	}
}

// Any rule that compiles can be checked; what is found has its place in the file, and the same is found again.
func FuzzCheckTypes(f *testing.F) {
	for _, seed := range []string{
		`data.totl > 5`, `data.seats == "5"`, `"5" in data.tags`, `any(data.items, .price > "5")`, `(data.total ?? "x") == true`,
		`data.currency in ["EURO"]`, `let a = data.address; a.stret == ""`, `upper(data.total) == ""`, `pick(data, "totl").totl == 5`,
		`first(filter(data.items, .cuont > 1)).sku == 5`, `data.email + 1 == 5`, `data.items[0].price contains "a"`, `{"a": data.email}.a > 5`,
		`coalesce(data.tags, [])[0] == 1`, `omit(data, ["total", user_id]).total`, `reduce(data.items, #acc + .price, 0)`, `1 < data.total < "a"`,
		`data.active ? data.total : -data.email`, `sortBy(data.items, .skuu)[-1]?.sku matches "a"`, `"totl" not in data`, `get(data, "x").y`,
	} {
		f.Add(seed)
	}
	docs := slices.Repeat([]string{`{"total": 5, "tags": ["a"], "address": {"street": "a"}, "items": [{"sku": "a", "price": 2}]}`}, 30)
	shapes := declaredOrder(engine.RestClosed)
	shapes.Learned = learnedOrders(docs...).Learned
	f.Fuzz(func(t *testing.T, source string) {
		if strings.Count(source, "(") > 20 {
			return // comparisons of three inside each other double the work of the parser
		}
		quoted, _ := json.Marshal(source)
		file, err := Parse("r.yaml", fmt.Appendf(nil, `rules: [{key: a, match: name == "order", transform: {x: %s, y: x, z: "map(y, .a)"}, actions: [{identify: {user_id: y, traits: %[1]s}}]}]`, quoted))
		if err != nil {
			return
		}
		if _, err := Compile("e", []*File{file}); err != nil {
			return
		}
		errors, warnings := CheckTypes([]*File{file}, shapes)
		for _, problem := range slices.Concat(errors, warnings) {
			if problem.Line != 1 || problem.Col < 1 || problem.Message == "" {
				t.Errorf("%s: %+v", source, problem)
			}
		}
		again, odd := CheckTypes([]*File{file}, shapes)
		if !slices.Equal(errors, again) || !slices.Equal(warnings, odd) {
			t.Errorf("%s: %v %v, then %v %v", source, errors, warnings, again, odd)
		}
	})
}
