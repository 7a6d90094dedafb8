package main

import (
	"context"
	"errors"
	"io/fs"
	"path"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	// What may be imported from outside the directory: these packages, and those that they import,
	// put their descriptors into protoregistry.GlobalFiles.
	_ "go.opentelemetry.io/proto/otlp/logs/v1"
	_ "go.opentelemetry.io/proto/otlp/metrics/v1"
	_ "go.opentelemetry.io/proto/otlp/trace/v1"
	_ "google.golang.org/protobuf/types/known/durationpb"
	_ "google.golang.org/protobuf/types/known/timestamppb"
)

// compile returns the .proto files of dir, each after what it imports. Imports are found by their
// path in dir, as with protoc's -I, or else among the Go packages above.
func compile(ctx context.Context, dir fs.FS) (*descriptorpb.FileDescriptorSet, error) {
	sources, err := protoFiles(dir)
	if err != nil {
		return nil, err
	}
	compiler := protocompile.Compiler{
		Resolver: protocompile.ResolverFunc(func(name string) (protocompile.SearchResult, error) {
			return find(dir, name)
		}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(ctx, sources...)
	if err != nil {
		return nil, err
	}
	set := &descriptorpb.FileDescriptorSet{}
	added := map[string]bool{}
	for _, file := range files {
		add(set, file, added)
	}
	return set, nil
}

// protoFiles returns the paths of all .proto files in dir and below, sorted.
func protoFiles(dir fs.FS) ([]string, error) {
	var files []string
	err := fs.WalkDir(dir, ".", func(name string, _ fs.DirEntry, err error) error {
		if path.Ext(name) == ".proto" {
			files = append(files, name)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = errors.New("there are no .proto files")
	}
	return files, err
}

func find(dir fs.FS, name string) (protocompile.SearchResult, error) {
	source, err := dir.Open(name)
	if err == nil {
		return protocompile.SearchResult{Source: source}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return protocompile.SearchResult{}, err
	}
	imported, err := protoregistry.GlobalFiles.FindFileByPath(name)
	if err != nil {
		return protocompile.SearchResult{}, errors.New("no such file; if a Go package was generated from it, import that in internal/tools/protoimage/compile.go")
	}
	return protocompile.SearchResult{Desc: imported}, nil
}

// add appends the file to the set, after what it imports, unless it was added before.
func add(set *descriptorpb.FileDescriptorSet, file protoreflect.FileDescriptor, added map[string]bool) {
	if added[file.Path()] {
		return
	}
	added[file.Path()] = true
	imports := file.Imports()
	for i := range imports.Len() {
		add(set, imports.Get(i).FileDescriptor, added)
	}
	set.File = append(set.File, protoutil.ProtoFromFileDescriptor(file))
}
