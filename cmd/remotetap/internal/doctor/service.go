package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/remotetap/remotetapprocessor/tapclient"
)

// serves asks what there is to tap.
func (e *examination) serves(ctx context.Context) bool {
	client, err := e.client(ctx)
	if err != nil {
		e.problem("access", "", "%v", err)
		return false
	}
	defer client.Close()
	listings, err := client.ListPoints(ctx)
	if err != nil {
		e.refused(ctx, withoutOrigin(err))
		return false
	}
	e.listing = listings[0]
	e.ok("service", "remote_tap, in a collector of version %s", e.listing.Version)
	if e.connection.Credentials != "" {
		e.ok("access", "with %s", e.connection.Credentials)
	} else {
		e.ok("access", "without credentials")
	}
	return true
}

// refused says why there is no answer.
func (e *examination) refused(ctx context.Context, err error) {
	var refused *tapclient.RefusedError
	if !errors.As(err, &refused) {
		e.problem("service", "", "%v", err)
		return
	}
	switch refused.Code {
	case codes.Unauthenticated:
		e.ok("service", "it answers")
		if e.connection.Credentials == "" {
			e.problem("access", "give --user, --token-file or --header, as the collector's auth asks for", "it asks for credentials: %s", refused.Message)
			return
		}
		e.problem("access", "check them, and that they are for this collector", "it does not accept %s: %s", e.connection.Credentials, refused.Message)
	case codes.PermissionDenied:
		e.ok("service", "it answers")
		e.problem("access", refused.Hint, "%s", refused.Message)
	case codes.Unimplemented, codes.NotFound:
		e.notATap(ctx, "it speaks gRPC, and has no "+"remotetap.v1.TapService")
	default:
		e.problem("service", refused.Hint, "%s", refused.Message)
	}
}

// has looks at the points and the taps.
func (e *examination) has(context.Context) bool {
	var points []string
	signals := map[tapclient.Signal]bool{}
	for _, p := range e.listing.Points {
		var names []string
		for _, signal := range p.Signals {
			signals[signal] = true
			names = append(names, string(signal))
		}
		points = append(points, fmt.Sprintf("%s (%s)", p.ID, strings.Join(names, ", ")))
	}
	if len(points) == 0 {
		e.problem("points", "list remote_tap in the processors of a pipeline", "there are none")
		return false
	}
	e.ok("points", "%s", some(points))
	e.uncovered(signals)
	return e.free()
}

// uncovered says which signals no point sees.
func (e *examination) uncovered(signals map[tapclient.Signal]bool) {
	const remedy = "list remote_tap in the processors of their pipelines"
	asked := e.want.all.Signal
	var missing, wanted []string
	for _, signal := range []tapclient.Signal{tapclient.Traces, tapclient.Metrics, tapclient.Logs, tapclient.Profiles} {
		switch {
		case signals[signal]:
		case slices.Contains(asked, signal):
			wanted = append(wanted, string(signal))
		case len(asked) == 0 && signal != tapclient.Profiles:
			missing = append(missing, string(signal))
		}
	}
	if len(wanted) > 0 {
		e.problem("pipelines", remedy, "no point is in a pipeline of %s", strings.Join(wanted, " or "))
	}
	if len(missing) > 0 {
		e.note("pipelines", remedy+", if you want to see them", "no point is in a pipeline of %s", strings.Join(missing, " or "))
	}
}

// free says how many taps there are, and what others lose. It reports whether one is free.
func (e *examination) free() bool {
	limit, open := int(e.listing.Limits.Taps), len(e.listing.Taps)
	e.room = limit - open
	for i := range e.listing.Taps {
		if i == maxNames {
			break
		}
		if t := &e.listing.Taps[i]; t.Ledger.Lost() > 0 || t.Ledger.Skipped > 0 {
			e.note("losses", lossRemedy(t.Ledger, e.listing.Limits), "the tap of %s loses: %s", holder(t), lossText(t.Ledger))
		}
	}
	if e.room > 0 {
		e.ok("taps", "%d of %d taken", open, limit)
		return true
	}
	var holders []string
	for i := range e.listing.Taps {
		holders = append(holders, holder(&e.listing.Taps[i]))
	}
	e.problem("taps", "ask them to leave, or raise limit in the configuration", "all %d are taken, by %s", limit, some(holders))
	return false
}

// holder is who has a tap.
func holder(t *tapclient.OpenTap) string {
	text := t.Remote
	if t.Subject != "" {
		text = t.Subject + " at " + text
	}
	if t.UserAgent != "" {
		text += " (" + t.UserAgent + ")"
	}
	return text + " since " + t.Ledger.Since.Local().Format(time.TimeOnly)
}

// lossText is what a tap has lost.
func lossText(l tapclient.Ledger) string {
	var parts []string
	for _, reason := range dropReasons() {
		if n := l.Dropped[reason]; n > 0 {
			parts = append(parts, reason+" "+number(n))
		}
	}
	if l.Skipped > 0 {
		parts = append(parts, "skipped "+number(l.Skipped))
	}
	return fmt.Sprintf("%s of %s", strings.Join(parts, ", "), number(l.Seen))
}

// dropReasons are the server's, the most important first.
func dropReasons() []string {
	return []string{"overhead", "queue_full", "byte_limit", "rate_limit", "internal_error", "tap_ended"}
}

// lossRemedy says what to change about losses.
func lossRemedy(l tapclient.Ledger, limits tapclient.Limits) string {
	var parts []string
	if l.Skipped > 0 || l.Dropped["overhead"] > 0 {
		parts = append(parts, fmt.Sprintf("select by service or signal, which is cheap, or raise max_overhead, now %g of a core", limits.MaxOverhead))
	}
	if l.Dropped["queue_full"] > 0 {
		parts = append(parts, "this client is slower than the telemetry: select less, add --sample or --rate, or watch from nearer")
	}
	if l.Dropped["byte_limit"] > 0 {
		parts = append(parts, fmt.Sprintf("select less, or raise per_tap::mib_per_second, now %g", limits.MiBPerSecond))
	}
	if l.Dropped["rate_limit"] > 0 {
		parts = append(parts, "it asked for a rate, or per_tap::items_per_second sets one: that is what it is for")
	}
	return strings.Join(parts, "; ")
}

// withoutOrigin is an error without the address before it, which the report has above.
func withoutOrigin(err error) error {
	if origin, ok := errors.AsType[*tapclient.OriginError](err); ok {
		return origin.Err
	}
	return err
}
