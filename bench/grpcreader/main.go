// Command grpcreader opens gRPC streams and throws away what it reads, as fast as it can. It is the
// other end of BenchmarkGRPC, which measures the CPU time of the server's process alone.
//
//	grpcreader -streams 10 localhost:12001 /remotetap.v1.TapService/Tap
//
// It writes one byte to its standard output each time that every stream has read another -every
// messages, and ends when its standard input does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
)

func main() {
	streams := flag.Int("streams", 1, "how many streams to open, each on a connection of its own")
	every := flag.Int("every", 8, "the number of messages that one byte of output stands for")
	window := flag.Int("window", 0, "the flow-control window in bytes; 0 lets gRPC begin with 64 KiB and adapt it")
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	failed := make(chan error)
	report := progress{read: make([]int, *streams), every: *every, out: os.Stdout}
	for i := range *streams {
		go func() { failed <- read(flag.Arg(0), flag.Arg(1), *window, func() error { return report.add(i) }) }()
	}
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		failed <- err
	}()
	if err := <-failed; err != nil {
		fmt.Fprintln(os.Stderr, "grpcreader:", err)
		os.Exit(1)
	}
}

// read opens a stream with an empty request, and calls back after each response. It blocks until
// the stream ends, which is an error.
func read(address, method string, window int, received func() error) error {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(discard{})),
	}
	if window > 0 {
		options = append(options, grpc.WithInitialWindowSize(int32(window)), grpc.WithInitialConnWindowSize(int32(window)))
	}
	conn, err := grpc.NewClient("passthrough:///"+address, options...)
	if err != nil {
		return err
	}
	stream, err := conn.NewStream(context.Background(), &grpc.StreamDesc{ServerStreams: true}, method)
	if err != nil {
		return err
	}
	if err := errors.Join(stream.SendMsg(nil), stream.CloseSend()); err != nil {
		return err
	}
	for {
		if err := stream.RecvMsg(nil); err != nil {
			return fmt.Errorf("%s has ended: %w", method, err)
		}
		if err := received(); err != nil {
			return err
		}
	}
}

// discard is a codec whose messages are empty, or not looked at.
type discard struct{}

func (discard) Name() string                         { return "proto" }
func (discard) Marshal(any) (mem.BufferSlice, error) { return nil, nil }
func (discard) Unmarshal(mem.BufferSlice, any) error { return nil }

// progress tells how far the slowest stream is.
type progress struct {
	every int       // set at construction
	out   io.Writer // set at construction

	mu sync.Mutex
	// guarded by mu
	read []int // messages, by stream
	told int   // bytes written
}

// add counts a message of a stream.
func (p *progress) add(stream int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read[stream]++
	slowest := p.read[0]
	for _, n := range p.read {
		slowest = min(slowest, n)
	}
	if slowest/p.every == p.told {
		return nil
	}
	p.told++
	_, err := p.out.Write([]byte{'.'})
	return err
}
