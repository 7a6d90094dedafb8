package tapclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"

	remotetapv1 "github.com/remotetap/remotetapprocessor/proto/remotetap/v1"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// startCollector runs a stand-in for a collector on a free port of this machine: it has two spans to
// show. It returns its address.
func startCollector() (address string, stop func()) {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer()
	remotetapv1.RegisterTapServiceServer(server, &service{
		play: func(tap *served) error {
			if tap.request.GetSeverity() == "loud" {
				return refusal(codes.InvalidArgument, &remotetapv1.Refusal{
					Error: `severity: "loud" is no severity`, Parameter: "severity", Hint: "write one of trace, debug, info, warn, error, fatal",
				})
			}
			ledger := account(2, 0, map[string]uint64{"rate_limit": 3})
			if tap.request.GetStats() != nil {
				_ = tap.stats(ledger)
			}
			if tap.request.GetFormat() != "none" {
				_ = tap.spans("POST /pay", "SELECT orders")
			}
			return tap.end("duration_reached", ledger)
		},
		list: &remotetapv1.ListPointsResponse{
			Version: "0.160.0",
			Points:  []*remotetapv1.Point{{Point: "remote_tap", Signals: []string{"traces", "logs"}}},
			Limits:  &remotetapv1.Limits{Limit: 5},
		},
	})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	return listener.Addr().String(), func() {
		server.Stop()
		<-ended
	}
}

// Failing spans of one service, for half a minute.
func Example() {
	endpoint, stop := startCollector()
	defer stop()
	ctx := context.Background()

	client, err := tapclient.Dial(ctx, endpoint)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	stream, err := client.Tap(ctx, tapclient.Selection{
		Signal:   []tapclient.Signal{tapclient.Traces},
		Service:  []string{"checkout"},
		Error:    new(true),
		Duration: 30 * time.Second,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for event, err := range stream.Events(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		batch, ok := event.(*tapclient.Batch)
		if !ok {
			continue
		}
		traces, err := batch.Traces()
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, resource := range traces.ResourceSpans().All() {
			service, _ := resource.Resource().Attributes().Get("service.name")
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					fmt.Println(batch.Point, service.Str(), span.Name())
				}
			}
		}
	}
	fmt.Println(stream.Totals().Ledger)
	// Output:
	// remote_tap checkout POST /pay
	// remote_tap checkout SELECT orders
	// sent 2 of 5 matched, dropped 3 (rate_limit 3)
}

// Credentials are not sent where others can read them.
func ExampleDial() {
	ctx := context.Background()
	_, err := tapclient.Dial(ctx, "otelcol.example.com:12001", tapclient.WithBearerToken("secret"))
	fmt.Println(err)

	client, err := tapclient.Dial(ctx, "https://otelcol.example.com:12001", tapclient.WithBearerToken("secret"))
	fmt.Println(err)
	client.Close()
	// Output:
	// tapclient: endpoint "otelcol.example.com:12001" has no TLS, so others could read the credentials on the way: write https://, or give WithAllowPlaintextCredentials
	// <nil>
}

// Several collectors in one stream, of which one is down, and everything that can happen.
func ExampleClient_Tap() {
	endpoint, stop := startCollector()
	defer stop()
	ctx := context.Background()

	client, err := tapclient.Dial(ctx, endpoint+",localhost:1", tapclient.WithoutReconnect())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	stream, err := client.Tap(ctx, tapclient.Selection{Duration: 30 * time.Second, Stats: time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	name := map[string]string{endpoint: "A", "localhost:1": "B"}
	lines := map[string][]string{} // of each origin, since they come in any order
	for event, err := range stream.Events(ctx) {
		if err != nil {
			break // what the End of B says, too
		}
		line := ""
		switch e := event.(type) {
		case *tapclient.Up:
			line = "up"
		case *tapclient.Stats:
			line = fmt.Sprintf("of %d seen %d match", e.Ledger.Seen, e.Ledger.Matched)
		case *tapclient.Batch:
			line = fmt.Sprintf("%d items of %s", e.Items, e.Signal)
		case *tapclient.Missed:
			line = fmt.Sprintf("saw nothing for %s", e.Duration())
		case *tapclient.Down:
			line = fmt.Sprintf("down, next attempt at %s: %v", e.Retry, e.Err)
		case *tapclient.End:
			line = "end: " + string(e.Reason)
		}
		from := name[event.From().String()]
		lines[from] = append(lines[from], line)
	}
	fmt.Println("A:", strings.Join(lines["A"], ", "))
	fmt.Println("B:", strings.Join(lines["B"], ", "))
	for _, origin := range stream.Origins() {
		fmt.Println(name[origin.String()], origin.State, origin.Totals.Received.Items, origin.Err != nil)
	}
	// Output:
	// A: up, of 10 seen 5 match, 2 items of traces, end: duration_reached
	// B: end: connection_lost
	// A ended 2 false
	// B ended 0 true
}

// Counting what would match, without moving any of it.
func ExampleSelection_counting() {
	endpoint, stop := startCollector()
	defer stop()
	ctx := context.Background()

	client, err := tapclient.Dial(ctx, endpoint)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	stream, err := client.Tap(ctx, tapclient.Selection{
		Where:    []string{`span.attributes["http.route"] == "/pay"`},
		Format:   tapclient.FormatNone,
		Stats:    time.Second,
		Duration: 10 * time.Second,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for {
		if _, err := stream.Next(ctx); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			fmt.Println(err)
			return
		}
	}
	totals := stream.Totals()
	fmt.Printf("%d of %d match, %d bytes moved\n", totals.Ledger.Matched, totals.Ledger.Seen, totals.Received.Bytes)
	// Output:
	// 5 of 10 match, 0 bytes moved
}

// What a server refuses comes with what to write instead.
func ExampleRefusedError() {
	endpoint, stop := startCollector()
	defer stop()
	ctx := context.Background()

	client, err := tapclient.Dial(ctx, endpoint)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	stream, err := client.Tap(ctx, tapclient.Selection{Severity: "loud"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, err := range stream.Events(ctx) {
		if refused, ok := errors.AsType[*tapclient.RefusedError](err); ok {
			fmt.Println("parameter:", refused.Parameter)
			fmt.Println("problem:", refused.Message)
			fmt.Println("hint:", refused.Hint)
		}
	}
	// Output:
	// parameter: severity
	// problem: severity: "loud" is no severity
	// hint: write one of trace, debug, info, warn, error, fatal
}

// The bytes of OTLP, as the collector captured them, for a file or another collector.
func ExampleBatch_Proto() {
	endpoint, stop := startCollector()
	defer stop()
	ctx := context.Background()

	client, err := tapclient.Dial(ctx, endpoint)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	stream, err := client.Tap(ctx, tapclient.Selection{Duration: time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	var recording []byte // as protobuf libraries read it: each document after its length
	for event, err := range stream.Events(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if batch, ok := event.(*tapclient.Batch); ok {
			recording = protowire.AppendBytes(recording, batch.Proto())
		}
	}
	document, _ := protowire.ConsumeBytes(recording)
	traces, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(document)
	fmt.Println(traces.SpanCount(), err)
	// Output:
	// 2 <nil>
}

// What there is to tap.
func ExampleClient_ListPoints() {
	endpoint, stop := startCollector()
	defer stop()
	ctx := context.Background()

	client, err := tapclient.Dial(ctx, endpoint)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	listings, err := client.ListPoints(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, listing := range listings {
		fmt.Println("collector", listing.Version, "with", len(listing.Taps), "of", listing.Limits.Taps, "taps taken")
		for _, point := range listing.Points {
			fmt.Println(point.ID, point.Signals)
		}
	}
	// Output:
	// collector 0.160.0 with 0 of 5 taps taken
	// remote_tap [traces logs]
}
