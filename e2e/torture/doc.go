// Package torture does to remote_tap what a stranger can do: clients that are hostile in every way
// that we could think of, and the WebSocket protocol case by case.
//
// The collector runs in a process of its own, which is this test's binary once more, so that its
// memory, its goroutines and its file descriptors are its own and not the attackers'. It is a real
// collector service, with a receiver that sends as fast as the pipeline takes it and an exporter
// that goes through all of what it gets, as exporters do. Everything here needs Linux: it reads
// /proc, and attackers have addresses of their own in 127.0.0.0/8.
//
// With all other tests everything is done once, and checked for what does not depend on how busy the
// machine is. `make torture` does it for longer, without the race detector, on a machine for itself;
// then throughput is measured as well, and the table of docs/security.md is written.
package torture
