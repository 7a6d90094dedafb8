package otlp

// The words in which the tables are written.

// field is a singular scalar, absent when zero.
func field(number uint32, name string, kind Kind) Field {
	return Field{Number: number, Name: name, Kind: kind}
}

// optional is a singular scalar that tells zero from absent.
func optional(number uint32, name string, kind Kind) Field {
	return Field{Number: number, Name: name, Kind: kind, Presence: true}
}

// list is a repeated scalar.
func list(number uint32, name string, kind Kind) Field {
	return Field{Number: number, Name: name, Kind: kind, Repeated: true}
}

// one is a singular message, which pdata holds by value.
func one(number uint32, name string, id MessageID) Field {
	return Field{Number: number, Name: name, Kind: KindMessage, messageID: id, Required: true}
}

// many is a repeated message.
func many(number uint32, name string, id MessageID) Field {
	return Field{Number: number, Name: name, Kind: KindMessage, messageID: id, Repeated: true}
}

// choice is a member of the message's oneof; id is used for KindMessage only.
func choice(number uint32, name string, kind Kind, id ...MessageID) Field {
	f := Field{Number: number, Name: name, Kind: kind, Presence: true, Oneof: true}
	if kind == KindMessage {
		f.messageID = id[0]
	}
	return f
}

// path marks a field as leading to items.
func path(f Field) Field {
	f.Role = RolePath
	return f
}

// items marks a field as holding the items.
func items(f Field) Field {
	f.Role = RoleItem
	return f
}
