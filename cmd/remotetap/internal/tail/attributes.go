package tail

import (
	"cmp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/items"
)

// attribute is a key with its value as text.
type attribute struct{ key, value string }

// Ranks of attributes: the lower, the earlier in the line. Within a rank they keep their order.
const (
	rankFailure = iota // why it failed
	rankAsked          // what was asked for
	rankAnswer         // how it ended
	rankPeer           // of whom
	rankOther
	rankTrace    // to find the rest of the trace
	rankVersion  // of what
	rankWhere    // it ran
	rankNever    // not worth the room
	otherLimit   = 12
	traceIDLabel = "trace_id"
)

// rankOf is an attribute's rank, by the names of OpenTelemetry's semantic conventions, old and new.
func rankOf(key string) int {
	switch key {
	case "error.type", "exception.type", "exception.message", "error", "error.message":
		return rankFailure
	case "http.request.method", "http.method", "http.route", "url.path", "http.target", "url.full", "http.url",
		"rpc.service", "rpc.method", "rpc.system", "db.system.name", "db.system", "db.operation.name", "db.operation",
		"db.collection.name", "db.query.summary", "messaging.system", "messaging.operation.name",
		"messaging.destination.name", "graphql.operation.name", "faas.name", "gen_ai.request.model":
		return rankAsked
	case "http.response.status_code", "http.status_code", "rpc.grpc.status_code", "db.response.status_code":
		return rankAnswer
	case "server.address", "net.peer.name", "peer.service":
		return rankPeer
	case "exception.stacktrace":
		return rankNever
	}
	for _, prefix := range [...]string{"code.", "thread.", "process.", "telemetry.", "log.", "network.protocol.", "user_agent."} {
		if strings.HasPrefix(key, prefix) {
			return rankNever
		}
	}
	return rankOther
}

// telling are the attributes worth showing, the most telling first: the item's own, its trace, and those
// of the resource that tell instances apart. all is for lines of any width.
func telling(i *items.Item, all bool) []attribute {
	type ranked struct {
		attribute
		rank int
	}
	var found []ranked
	others := 0
	for key, value := range i.Attributes.All() {
		rank := rankOf(key)
		if rank == rankOther {
			others++
		}
		if rank == rankNever || others > otherLimit && rank == rankOther && !all {
			continue
		}
		found = append(found, ranked{attribute{key, value.AsString()}, rank})
	}
	if i.TraceID != "" {
		found = append(found, ranked{attribute{traceIDLabel, i.TraceID}, rankTrace})
	}
	for _, r := range [...]struct {
		key  string
		rank int
	}{
		{"service.version", rankVersion},
		{"deployment.environment.name", rankVersion},
		{"k8s.pod.name", rankWhere},
		{"host.name", rankWhere},
	} {
		if value, ok := i.Resource.Get(r.key); ok {
			found = append(found, ranked{attribute{r.key, value.AsString()}, r.rank})
		}
	}
	slices.SortStableFunc(found, func(a, b ranked) int { return cmp.Compare(a.rank, b.rank) })
	out := make([]attribute, len(found))
	for n, f := range found {
		out[n] = f.attribute
	}
	return out
}

// allOf are all attributes of a map, by key.
func allOf(m pcommon.Map) []attribute {
	out := make([]attribute, 0, m.Len())
	for key, value := range m.All() {
		out = append(out, attribute{key, value.AsString()})
	}
	slices.SortFunc(out, func(a, b attribute) int { return cmp.Compare(a.key, b.key) })
	return out
}
