package engine

import "maps"

// The traits of a user: free-form, with some names known (name, email, avatar, phone_number, locale, timezone).

// ReservedTraits mean something special at a notification system; they are dropped unless a rule names them on purpose.
var ReservedTraits = []string{"preferences", "channel_data"}

// MaxTraitsBytes bounds the JSON of one user's traits (Knock's limit on custom properties).
const MaxTraitsBytes = 256 << 10

// CanonicalTraits renames phone, as the Segment spec has it, to phone_number. A phone_number that is there already wins,
// and phone then stays. The argument is not changed.
func CanonicalTraits(traits map[string]any) map[string]any {
	renamed := maps.Clone(traits)
	if renamed == nil {
		renamed = map[string]any{}
	}
	if _, taken := renamed["phone_number"]; !taken {
		if phone, ok := renamed["phone"]; ok {
			renamed["phone_number"] = phone
			delete(renamed, "phone")
		}
	}
	return renamed
}

// DropReserved returns traits without the reserved names, keep excepted.
func DropReserved(traits map[string]any, keep ...string) map[string]any {
	kept := maps.Clone(traits)
	for _, name := range ReservedTraits {
		delete(kept, name)
	}
	for _, name := range keep {
		if value, ok := traits[name]; ok {
			kept[name] = value
		}
	}
	return kept
}

// MergeTraits lays update over traits: objects are merged at every depth, null overwrites, arrays are replaced, nothing
// is removed. Neither argument is changed.
func MergeTraits(traits, update map[string]any) map[string]any {
	merged := maps.Clone(traits)
	if merged == nil {
		merged = make(map[string]any, len(update))
	}
	for name, value := range update {
		below, isObject := value.(map[string]any)
		before, wasObject := merged[name].(map[string]any)
		if isObject && wasObject {
			merged[name] = MergeTraits(before, below)
		} else {
			merged[name] = value
		}
	}
	return merged
}
