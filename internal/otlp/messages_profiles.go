package otlp

// profileMessages defines opentelemetry/proto/profiles/v1development, as pprofile v0.160.0 knows it.
func profileMessages() []Message {
	return append(profileContainers(), profileTables()...)
}

const profilesPackage = "opentelemetry.proto.profiles.v1development."

// profileContainers defines the messages from the top down to the samples.
func profileContainers() []Message {
	return []Message{
		{ID: ProfilesData, Name: profilesPackage + "ProfilesData", Fields: []Field{
			path(many(1, "resourceProfiles", ResourceProfiles)),
			one(2, "dictionary", ProfilesDictionary),
		}},
		{ID: ResourceProfiles, Name: profilesPackage + "ResourceProfiles", Fields: []Field{
			one(1, "resource", Resource),
			field(3, "schemaUrl", KindString),
			path(many(2, "scopeProfiles", ScopeProfiles)),
		}},
		{ID: ScopeProfiles, Name: profilesPackage + "ScopeProfiles", Fields: []Field{
			one(1, "scope", InstrumentationScope),
			field(3, "schemaUrl", KindString),
			path(many(2, "profiles", Profile)),
		}},
		{ID: Profile, Name: profilesPackage + "Profile", Fields: []Field{
			one(1, "sampleType", ValueType),
			items(many(2, "samples", Sample)),
			field(3, "timeUnixNano", KindFixed64),
			field(4, "durationNano", KindUint64),
			one(5, "periodType", ValueType),
			field(6, "period", KindInt64),
			field(7, "profileId", KindID16),
			field(8, "droppedAttributesCount", KindUint32),
			field(9, "originalPayloadFormat", KindString),
			field(10, "originalPayload", KindBytes),
			list(11, "attributeIndices", KindInt32),
		}},
		{ID: Sample, Name: profilesPackage + "Sample", Fields: []Field{
			field(1, "stackIndex", KindInt32),
			list(2, "attributeIndices", KindInt32),
			field(3, "linkIndex", KindInt32),
			list(4, "values", KindInt64),
			list(5, "timestampsUnixNano", KindFixed64),
		}},
		{ID: ValueType, Name: profilesPackage + "ValueType", Fields: []Field{
			field(1, "typeStrindex", KindInt32),
			field(2, "unitStrindex", KindInt32),
		}},
	}
}

// profileTables defines the dictionary, which all profiles of a document share.
func profileTables() []Message {
	return []Message{
		{ID: ProfilesDictionary, Name: profilesPackage + "ProfilesDictionary", Fields: []Field{
			many(1, "mappingTable", Mapping),
			many(2, "locationTable", Location),
			many(3, "functionTable", Function),
			many(4, "linkTable", Link),
			list(5, "stringTable", KindString),
			many(6, "attributeTable", KeyValueAndUnit),
			many(7, "stackTable", Stack),
		}},
		{ID: Mapping, Name: profilesPackage + "Mapping", Fields: []Field{
			field(1, "memoryStart", KindUint64),
			field(2, "memoryLimit", KindUint64),
			field(3, "fileOffset", KindUint64),
			field(4, "filenameStrindex", KindInt32),
			list(5, "attributeIndices", KindInt32),
		}},
		{ID: Location, Name: profilesPackage + "Location", Fields: []Field{
			field(1, "mappingIndex", KindInt32),
			field(2, "address", KindUint64),
			many(3, "lines", Line),
			list(4, "attributeIndices", KindInt32),
		}},
		{ID: Line, Name: profilesPackage + "Line", Fields: []Field{
			field(1, "functionIndex", KindInt32),
			field(2, "line", KindInt64),
			field(3, "column", KindInt64),
		}},
		{ID: Function, Name: profilesPackage + "Function", Fields: []Field{
			field(1, "nameStrindex", KindInt32),
			field(2, "systemNameStrindex", KindInt32),
			field(3, "filenameStrindex", KindInt32),
			field(4, "startLine", KindInt64),
		}},
		{ID: Link, Name: profilesPackage + "Link", Fields: []Field{
			field(1, "traceId", KindID16),
			field(2, "spanId", KindID8),
		}},
		{ID: Stack, Name: profilesPackage + "Stack", Fields: []Field{
			list(1, "locationIndices", KindInt32),
		}},
		{ID: KeyValueAndUnit, Name: profilesPackage + "KeyValueAndUnit", Fields: []Field{
			field(1, "keyStrindex", KindInt32),
			one(2, "value", AnyValue),
			field(3, "unitStrindex", KindInt32),
		}},
	}
}
