package main

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/descriptorpb"
)

const wire = `syntax = "proto3";
package test.v1;
import "google/protobuf/timestamp.proto";
import "opentelemetry/proto/trace/v1/trace.proto";
import "test/v1/neighbour.proto";
// What a client gets.
message Response {
  google.protobuf.Timestamp time = 1;
  opentelemetry.proto.trace.v1.TracesData traces = 2;
  Neighbour neighbour = 3;
}
`

const neighbour = `syntax = "proto3";
package test.v1;
message Neighbour {}
`

func TestImageHoldsEachFileOnceAndAfterItsImports(t *testing.T) {
	set, err := compile(t.Context(), files(map[string]string{"test/v1/a.proto": wire, "test/v1/neighbour.proto": neighbour}))
	require.NoError(t, err)

	position := map[string]int{}
	for i, file := range set.GetFile() {
		assert.NotContains(t, position, file.GetName())
		for _, imported := range file.GetDependency() {
			assert.Contains(t, position, imported, "%s comes before it", file.GetName())
		}
		position[file.GetName()] = i
	}
	assert.Contains(t, position, "test/v1/a.proto")
	assert.Contains(t, position, "opentelemetry/proto/resource/v1/resource.proto", "an import's import")
}

func TestImageHoldsCommentsForTheGeneratedCode(t *testing.T) {
	set, err := compile(t.Context(), files(map[string]string{"test/v1/a.proto": wire, "test/v1/neighbour.proto": neighbour}))
	require.NoError(t, err)

	var comments []string
	for _, location := range file(t, set, "test/v1/a.proto").GetSourceCodeInfo().GetLocation() {
		if location.LeadingComments != nil {
			comments = append(comments, location.GetLeadingComments())
		}
	}
	assert.Equal(t, []string{" What a client gets.\n"}, comments)
}

func TestImageNamesTheGoPackagesOfImports(t *testing.T) {
	set, err := compile(t.Context(), files(map[string]string{"test/v1/a.proto": wire, "test/v1/neighbour.proto": neighbour}))
	require.NoError(t, err)

	for name, goPackage := range map[string]string{
		"opentelemetry/proto/trace/v1/trace.proto": "go.opentelemetry.io/proto/otlp/trace/v1",
		"google/protobuf/timestamp.proto":          "google.golang.org/protobuf/types/known/timestamppb",
	} {
		assert.Equal(t, goPackage, file(t, set, name).GetOptions().GetGoPackage())
	}
}

func TestWhatCannotBeCompiledIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		sources map[string]string
		says    []string
	}{
		"an import that is nowhere": {
			sources: map[string]string{"a.proto": "syntax = \"proto3\";\nimport \"opentelemetry/proto/profiles/v1development/profiles.proto\";"},
			says:    []string{"a.proto:2:8", "profiles.proto", "internal/tools/protoimage"},
		},
		"a field of an unknown type": {
			sources: map[string]string{"a.proto": "syntax = \"proto3\";\nmessage A {\n  Spam spam = 1;\n}"},
			says:    []string{"a.proto:3:3", "Spam"},
		},
		"a directory without .proto files": {
			sources: map[string]string{"README.md": "nothing"},
			says:    []string{"no .proto files"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compile(t.Context(), files(test.sources))
			for _, said := range test.says {
				assert.ErrorContains(t, err, said)
			}
		})
	}
}

func files(sources map[string]string) fstest.MapFS {
	dir := fstest.MapFS{}
	for name, source := range sources {
		dir[name] = &fstest.MapFile{Data: []byte(source)}
	}
	return dir
}

func file(t *testing.T, set *descriptorpb.FileDescriptorSet, name string) *descriptorpb.FileDescriptorProto {
	t.Helper()
	for _, file := range set.GetFile() {
		if file.GetName() == name {
			return file
		}
	}
	require.Fail(t, "not in the image", name)
	return nil
}
