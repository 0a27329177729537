package engine

// Object is a sort of row that a reverse-ETL can send, as the vendor's page lists it when a sync is set up.
type Object struct {
	Name string
	// Fields are the columns that rules use.
	Fields []Field
}

// UserObject is the object whose rows say who users are.
const UserObject = "user"

// Field is one column of an Object.
type Field struct {
	Name string
	// Type is one of FieldTypes; "" when nothing tells it.
	Type string
}

// What a column holds.
const (
	FieldString  = "string"
	FieldNumber  = "number"
	FieldInteger = "integer"
	FieldBoolean = "boolean"
	FieldTime    = "time"
)

// FieldTypes are all of them.
var FieldTypes = []string{FieldString, FieldNumber, FieldInteger, FieldBoolean, FieldTime}
