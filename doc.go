//go:generate make generate

// Package remotetapprocessor is remote_tap, a processor for the OpenTelemetry Collector that shows
// engineers the live telemetry of a running collector, like tcpdump: traces, metrics, logs and
// profiles as they pass, over WebSocket and plain HTTP on one port.
//
// # What it promises
//
//   - Pass-through. The next consumer gets the same data and context; its error is returned as it
//     is. The tap only reads the data (MutatesData is false) and keeps none of it after the call.
//   - Idle is free. While nobody watches, a call costs one atomic load: no allocation, no lock, no
//     clock.
//   - Never in the way. While somebody watches, a pipeline's goroutine encodes the batch as
//     protobuf and hands the bytes to a bounded queue. It waits for nobody: its locks are held
//     for a few steps of arithmetic, never while a client is written to. A panic costs the taps
//     that met it, not the pipeline.
//   - Honest. What a client does not get is counted, with the reason; see ledger.
//
// # Who runs what
//
//   - A pipeline's goroutine runs Consume: publish encodes and queues.
//   - Each view, which is all taps with the same selection, has one goroutine that renders queued
//     batches into messages, as its clients ask for them.
//   - Each client has its session, which writes to the socket, on the goroutine that net/http
//     started for the request; a WebSocket has a second one that reads, and answers pings.
//   - Locks are taken in the order registry, broadcaster, view.
//
// Everything that a goroutine waits for ends with the tap, and every goroutine has ended when the
// last Shutdown returns.
package remotetapprocessor

const (
	kib = 1 << 10
	mib = 1 << 20
)
