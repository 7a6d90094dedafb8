// Protoimage compiles the .proto files of a directory to an image: one file with their descriptors
// and comments and the descriptors of all that they import, which buf and protoc read instead of
// the .proto files.
//
//	protoimage -o IMAGE DIRECTORY
//
// It is there because the wire protocol imports OTLP, whose .proto files are in no Go module. Their
// descriptors are, in the Go code that was generated from them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"
)

func main() {
	image := flag.String("o", "", "the file to write")
	flag.Parse()
	if *image == "" || flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: protoimage -o IMAGE DIRECTORY")
		os.Exit(2)
	}
	if err := run(context.Background(), *image, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "protoimage:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, image, dir string) error {
	set, err := compile(ctx, os.DirFS(dir))
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	// The same sources make the same bytes.
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err != nil {
		return err
	}
	return os.WriteFile(image, encoded, 0o600)
}
