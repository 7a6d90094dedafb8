package otlp

// commonMessages defines opentelemetry/proto/common/v1 and resource/v1.
func commonMessages() []Message {
	const common = "opentelemetry.proto.common.v1."
	return []Message{
		{ID: AnyValue, Name: common + "AnyValue", Fields: []Field{
			choice(1, "stringValue", KindString),
			choice(2, "boolValue", KindBool),
			choice(3, "intValue", KindInt64),
			choice(4, "doubleValue", KindDouble),
			choice(5, "arrayValue", KindMessage, ArrayValue),
			choice(6, "kvlistValue", KindMessage, KeyValueList),
			choice(7, "bytesValue", KindBytes),
			choice(8, "stringValueStrindex", KindInt32),
		}},
		{ID: ArrayValue, Name: common + "ArrayValue", Fields: []Field{
			many(1, "values", AnyValue),
		}},
		{ID: KeyValueList, Name: common + "KeyValueList", Fields: []Field{
			many(1, "values", KeyValue),
		}},
		{ID: KeyValue, Name: common + "KeyValue", Fields: []Field{
			field(1, "key", KindString),
			one(2, "value", AnyValue),
			field(3, "keyStrindex", KindInt32),
		}},
		{ID: EntityRef, Name: common + "EntityRef", Fields: []Field{
			field(1, "schemaUrl", KindString),
			field(2, "type", KindString),
			list(3, "idKeys", KindString),
			list(4, "descriptionKeys", KindString),
		}},
		{ID: Resource, Name: "opentelemetry.proto.resource.v1.Resource", Fields: []Field{
			many(1, "attributes", KeyValue),
			field(2, "droppedAttributesCount", KindUint32),
			many(3, "entityRefs", EntityRef),
		}},
		{ID: InstrumentationScope, Name: common + "InstrumentationScope", Fields: []Field{
			field(1, "name", KindString),
			field(2, "version", KindString),
			many(3, "attributes", KeyValue),
			field(4, "droppedAttributesCount", KindUint32),
		}},
	}
}
