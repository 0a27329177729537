package knocktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// User is a user, with every change in order.
type User struct {
	ID      string
	Traits  map[string]any
	History []Change
}

// Change is one upsert.
type Change struct {
	At     time.Time
	By     Endpoint
	Traits map[string]any
}

// customMost bounds a user's custom properties, in bytes of JSON: 256 kB, [identify].
const customMost = 256 << 10

// properties are those that are no custom ones, [openapi]. All are strings or null; [assumed] that another type is refused.
var properties = []string{"name", "email", "avatar", "phone_number", "locale", "timezone", "created_at"}

// checkID holds the rule for ids: 1 to 256 characters without / and #, [identify].
func checkID(id string) string {
	switch n := utf8.RuneCountInString(id); {
	case n < 1 || n > 256:
		return fmt.Sprintf("has %d characters; 1 to 256 are allowed", n)
	case strings.ContainsAny(id, "/#"):
		return "must not contain / or #"
	}
	return ""
}

// checkUser says which field of an upsert is wrong, and why; field is "" when nothing is.
func (k *Knock) checkUser(id string, traits map[string]any) (field, what string) {
	if what = checkID(id); what != "" {
		return "id", what
	}
	for _, name := range properties {
		if value := traits[name]; value != nil {
			if _, ok := value.(string); !ok {
				return name, "must be a string"
			}
		}
	}
	merged := traits
	if user, ok := k.users[id]; ok {
		merged = merge(user.Traits, traits)
	}
	custom := maps.Clone(merged)
	for _, name := range properties {
		delete(custom, name)
	}
	if doc, err := json.Marshal(custom); err != nil || len(doc) > customMost {
		return "properties", "are larger than 256 kB"
	}
	return "", ""
}

// upsert lays traits over what is known: objects are merged at every depth, null overwrites, arrays are replaced, nothing
// is removed, [identify].
func (k *Knock) upsert(id string, traits map[string]any, by Endpoint, at time.Time) {
	traits = maps.Clone(traits)
	delete(traits, "id")
	user, ok := k.users[id]
	if !ok {
		user = &User{ID: id, Traits: map[string]any{}}
		k.users[id] = user
	}
	user.Traits = merge(user.Traits, traits)
	user.History = append(user.History, Change{at, by, traits})
}

func merge(below, above map[string]any) map[string]any {
	merged := make(map[string]any, len(below)+len(above))
	maps.Copy(merged, below)
	for name, value := range above {
		old, wasObject := merged[name].(map[string]any)
		object, isObject := value.(map[string]any)
		if wasObject && isObject {
			value = merge(old, object)
		}
		merged[name] = value
	}
	return merged
}

func (k *Knock) putUser(id string, traits map[string]any, now time.Time) answer {
	if field, what := k.checkUser(id, traits); field != "" {
		return invalid("the user is not valid", true, field, what)
	}
	if k.underway(id) {
		k.complain("%q is identified while a bulk operation with the same user is under way", id)
	}
	k.upsert(id, traits, PutUser, now)
	return k.getUser(id)
}

func (k *Knock) getUser(id string) answer {
	user, ok := k.users[id]
	if !ok {
		return failure(http.StatusNotFound, "resource_missing", "the user does not exist")
	}
	doc := maps.Clone(user.Traits)
	doc["id"], doc["__typename"] = id, "User"
	return answer{status: http.StatusOK, body: doc}
}

// operation is a bulk identify that was accepted.
type operation struct {
	id       string
	users    []map[string]any
	ids      map[string]bool
	accepted time.Time
	due      time.Time
	done     bool
	failed   []string
}

// bulkIdentify accepts up to 1,000 users, to be identified later, [openapi].
func (k *Knock) bulkIdentify(object map[string]any, now time.Time) answer {
	list, ok := object["users"].([]any)
	if !ok || len(list) == 0 || len(list) > 1000 {
		return invalid("users is not valid", false, "users", fmt.Sprintf("has %d items; 1 to 1000 are allowed", len(list)))
	}
	op := &operation{id: k.uuid(), ids: map[string]bool{}, accepted: now, due: now.Add(k.options.BulkTime + k.upTo(k.options.BulkJitter))}
	for i, item := range list {
		user, _ := item.(map[string]any)
		id, ok := user["id"].(string)
		if !ok || id == "" {
			return invalid("users is not valid", true, fmt.Sprintf("users[%d].id", i), "is required")
		}
		if field, what := k.checkUser(id, user); field != "" && k.options.StrictBulk {
			return invalid("users is not valid", false, fmt.Sprintf("users[%d].%s", i, field), what)
		}
		if op.ids[id] || k.underway(id) {
			k.complain("%q is in one bulk twice, or in two at once", id)
		}
		op.ids[id] = true
		op.users = append(op.users, user)
	}
	k.operations[op.id] = op
	k.pending = append(k.pending, op)
	return k.bulkOperation(op.id, now)
}

// underway reports whether a user is part of a bulk operation that was not carried out yet.
func (k *Knock) underway(id string) bool {
	for _, op := range k.pending {
		if op.ids[id] {
			return true
		}
	}
	return false
}

// carryOut does the operations that are due, in the order in which they are.
func (k *Knock) carryOut(now time.Time) {
	slices.SortStableFunc(k.pending, func(a, b *operation) int { return a.due.Compare(b.due) })
	for len(k.pending) > 0 && !k.pending[0].due.After(now) {
		op := k.pending[0]
		k.pending = k.pending[1:]
		for _, user := range op.users {
			id := user["id"].(string)
			if field, _ := k.checkUser(id, user); field != "" {
				op.failed = append(op.failed, id)
				continue
			}
			k.upsert(id, user, BulkIdentify, op.due)
		}
		op.done = true
	}
}

// bulkOperation shows how far an operation is, [openapi].
func (k *Knock) bulkOperation(id string, now time.Time) answer {
	op, ok := k.operations[id]
	if !ok {
		return failure(http.StatusNotFound, "resource_missing", "the bulk operation does not exist")
	}
	doc := map[string]any{
		"__typename": "BulkOperation", "id": op.id, "name": "users.bulk_identify", "status": "queued", "estimated_total_rows": len(op.users),
		"processed_rows": 0, "success_count": 0, "error_count": 0, "error_items": []any{},
		"inserted_at": op.accepted, "updated_at": op.accepted, "progress_path": "/v1/bulk_operations/" + op.id,
	}
	switch {
	case op.done:
		items := []any{}
		for _, failed := range op.failed {
			items = append(items, map[string]any{"id": failed, "collection": nil})
		}
		doc["status"], doc["completed_at"], doc["processed_rows"] = "completed", op.due, len(op.users)
		doc["error_count"], doc["error_items"], doc["success_count"] = len(items), items, len(op.users)-len(items)
	case now.Sub(op.accepted) > op.due.Sub(op.accepted)/2:
		doc["status"] = "processing"
	}
	return answer{status: http.StatusOK, body: doc}
}
