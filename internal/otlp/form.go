package otlp

// form is how Scan treats a field.
type form uint8

const (
	formVarint form = iota
	formFixed32
	formFixed64
	formDouble
	formBytes
	formID
	formMessage
	formList
	formFixedList // a list of 64-bit fixed-size numbers: pdata starts it anew with each packed part
)

func formOf(f *Field) form {
	wire := f.Kind.WireType()
	switch {
	case f.Repeated && wire == WireFixed64:
		return formFixedList
	case f.Repeated:
		return formList
	case f.Kind == KindMessage:
		return formMessage
	case f.Kind == KindDouble:
		return formDouble
	case f.Kind.idSize() > 0:
		return formID
	}
	return map[WireType]form{
		WireVarint: formVarint, WireFixed32: formFixed32, WireFixed64: formFixed64, WireLen: formBytes,
	}[wire]
}

func shapeOf(f *Field) Shape {
	switch {
	case f.Repeated:
		return ShapeList
	case f.Kind == KindMessage:
		return ShapeMessage
	case f.Kind.WireType() == WireLen:
		return ShapeBytes
	default:
		return ShapeNumber
	}
}
