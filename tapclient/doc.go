// Package tapclient watches the live telemetry of running OpenTelemetry Collectors that have the
// remote_tap processor: a client of its gRPC service, remotetap.v1.TapService.
//
//	client, err := tapclient.Dial(ctx, "localhost:12001")
//	...
//	defer client.Close()
//	stream, err := client.Tap(ctx, tapclient.Selection{Service: []string{"checkout"}, Error: new(true)})
//	...
//	for event, err := range stream.Events(ctx) {
//		if err != nil {
//			return err
//		}
//		if batch, ok := event.(*tapclient.Batch); ok {
//			traces, err := batch.Traces()
//			...
//		}
//	}
//
// # Words
//
// A tap point is one remote_tap processor in a collector's configuration. A tap is one live
// subscription. An item is a span, a log record, a metric data point or a profile sample. An endpoint
// is what Dial is given; an origin is an address behind one: see [Origin].
//
// # Endpoints
//
// [Dial] takes one endpoint, or several with commas between them. Their telemetry comes in one
// [Stream], each event with its origin; one that is down, or refuses, does not hinder the others.
// With dns:///NAME:PORT there is a tap at each address of the name. The name is looked up again every
// few seconds and when a connection fails: new addresses join, and those that are gone end, once
// their connection has ended, with [EndAddressGone]. So the last telemetry of a pod that stops is
// seen. Where a name has IPv4 and IPv6 addresses the former are used.
//
// # Events
//
// [Stream.Next] returns one [Event] after the other; [Stream.Events] is the same for a range loop.
// For each origin they come in this order:
//
//	Up      the tap is open
//	Missed  (if it was down before) for how long nothing was seen
//	Batch   telemetry, as pdata or as the bytes of OTLP
//	Stats   the account so far, if Selection.Stats asks for it
//	Down    it cannot be reached, or was lost, and when the next attempt is
//	End     there is no more from this origin, and why
//
// Nothing is kept for a reader who does not read. The servers hold what waits, within their limits,
// and count what they drop for a client that is slow. Of each origin at most two batches, and 1 MiB
// of what follows them, are in memory.
//
// [Stream.Origins] lists all origins with their state, and [Stream.Totals] has the sums, at any time.
//
// # Reconnection
//
// A tap that is lost is opened again: after connections that fail, and after what a server ends for
// reasons of its own (shutdown, max_duration, write_timeout, internal_error). So is one that is
// refused because all taps are taken, or because the collector shuts down. The waits grow from about
// 250 ms to about 10 s ([WithBackoff]). [Missed] says from when to when nothing was seen and, as far
// as the last account of the lost connection tells, how many items had matched and did not arrive.
// What passed meanwhile nobody counts. [WithoutReconnect] makes the first failure the end.
//
// Other refusals are final for their origin ([EndRefused]): a bad selection, no or wrong credentials,
// a server that has no tap. [RefusedError] has what the server says: which parameter is wrong, what
// to write instead, who holds the taps.
//
// Count and Duration of a [Selection] are the stream's: what is left of them is what a tap asks for
// when it is opened again, and Count is the total over all endpoints.
//
// # The end
//
// Next returns [io.EOF] when the stream has what it was asked for, and an error that names the
// origins which were refused, lost for good or never reached, if there are any.
//
// # Accounts
//
// Nothing is lost without a count and a reason: see [Ledger]. The account of an open connection comes
// with [Stats], the final one with the end of the connection, in Down and End. If a connection breaks,
// or this client leaves, the last account is brought up to date with what arrived: the rest is counted
// as [DropConnectionLost], or [DropTapEnded].
//
// # TLS and credentials
//
// An endpoint without a scheme, and dns:///, uses TLS if an option about TLS is given; https:// uses it
// in any case and http:// never. [WithCAFile], [WithClientCertificate] and [WithBearerTokenFile] read
// their files anew for each connection, so that what they hold can be replaced while a stream goes on.
// Credentials do not leave the machine without TLS unless [WithAllowPlaintextCredentials] is given, and
// they are in no error and no text of this package.
//
// # Concurrency
//
// A [Client] and a [Stream] may be used by many goroutines. Events are the reader's; a [Batch] is
// read-only. Close of either waits until all goroutines of this package have ended.
package tapclient
