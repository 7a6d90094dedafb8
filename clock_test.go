package remotetapprocessor

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A time of time.Now has a reading of the monotonic clock beside that of the clock on the wall, and
// Sub, Since, Until, Before, After and timers go by it: whatever is done to the clock on the wall,
// limits, rates, deadlines and accounts go on. That ends where the reading is taken off a time. This
// finds all places that can do it, where we keep limits; each is to have its reason here.
func TestClockOnTheWallDecidesNothing(t *testing.T) {
	const (
		shown    = "it is shown or sent as a time, and nothing is computed with it"
		received = "it is another machine's time"
		longAgo  = "a deadline that has passed by any clock"
		duration = "it rounds a duration, which has no such reading"
	)
	permitted := map[string]string{
		"broadcaster.go holders UTC":             shown,
		"grpc_messages.go appendHead UnixNano":   shown,
		"grpc_messages.go proto New":             shown,
		"points.go json UTC":                     shown,
		"refusal.go rpcErrorWith New":            shown,
		"response.go leave Unix":                 longAgo,
		"tapclient/batch.go batchOf Unix":        received,
		"tapclient/dialer.go dialThrough Unix":   longAgo,
		"tapclient/error.go refusal AsTime":      received,
		"tapclient/ledger.go ledgerOf AsTime":    received,
		"tapclient/stream.go remainder Round":    duration,
		"internal/selection/hints.go hint Round": duration,
	}
	var found []string
	for _, directory := range []string{".", "tapclient", "internal/selection"} {
		found = append(found, placesThatTakeReadingsOff(t, directory)...)
	}
	slices.Sort(found)
	found = slices.Compact(found)
	assert.Equal(t, slices.Sorted(maps.Keys(permitted)), found)
}

// placesThatTakeReadingsOff lists the calls in a package that make a time without a reading of the
// monotonic clock: "file function call".
func placesThatTakeReadingsOff(t *testing.T, directory string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(directory, "*.go"))
	require.NoError(t, err)
	var found []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		packages := importedNames(parsed)
		for _, declaration := range parsed.Decls {
			name := "at package level"
			if function, ok := declaration.(*ast.FuncDecl); ok {
				name = function.Name.Name
			}
			ast.Inspect(declaration, func(node ast.Node) bool {
				if call, ok := node.(*ast.CallExpr); ok {
					if taker := takesReadingOff(call, packages); taker != "" {
						found = append(found, file+" "+name+" "+taker)
					}
				}
				return true
			})
		}
	}
	return found
}

// importedNames are the names of a file's imports.
func importedNames(file *ast.File) map[string]bool {
	names := map[string]bool{}
	for _, spec := range file.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		names[path[strings.LastIndex(path, "/")+1:]] = true
		if spec.Name != nil {
			names[spec.Name.Name] = true
		}
	}
	return names
}

// takesReadingOff is the name of what a call calls, if it is one of the methods of time.Time that
// take the reading off (whatever it is called on: types are not looked at), or a function that makes
// a time without one.
func takesReadingOff(call *ast.CallExpr, packages map[string]bool) string {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	functions := []string{"Unix", "UnixMilli", "UnixMicro", "Date", "Parse", "ParseInLocation"}
	methods := []string{"Unix", "UnixMilli", "UnixMicro", "UnixNano", "Round", "Truncate", "UTC", "Local", "In", "AddDate", "AsTime"}
	name := selector.Sel.Name
	of, isName := selector.X.(*ast.Ident)
	switch {
	case isName && of.Name == "time" && packages["time"] && slices.Contains(functions, name),
		isName && of.Name == "timestamppb" && name == "New",
		(!isName || !packages[of.Name]) && slices.Contains(methods, name):
		return name
	}
	return ""
}

// Where an allowance is told what time it is, not even times without a reading of the monotonic clock
// upset it for long, whichever way they jump.
func TestAllowancesOutliveAClockThatJumps(t *testing.T) {
	// Each takes all that there is, and again a second later, and says how much that was, as a share of
	// what a second gives.
	allowances := map[string]func() (burst float64, takeAll func(now time.Time) float64){
		"bytes and requests of clients": func() (float64, func(time.Time) float64) {
			b := newAllowance(100, 400)
			return 4, func(now time.Time) float64 {
				b.take(0, now)
				left := b.left
				b.take(left, now)
				return left / 100
			}
		},
		"max_overhead": func() (float64, func(time.Time) float64) {
			o, s := newOverhead(0.1), &spender{}
			o.count(1)
			return 1, func(now time.Time) (all float64) {
				for granted := o.ask(s, time.Millisecond, now); granted > 0; granted = o.ask(s, time.Millisecond, now) {
					all += granted.Seconds() / 0.1
				}
				return all
			}
		},
	}
	for name, allowance := range allowances {
		for way, jump := range map[string]time.Duration{"back": -time.Hour, "forward": time.Hour} {
			t.Run(name+", "+way, func(t *testing.T) {
				burst, takeAll := allowance()
				now := time.Unix(1_700_000_000, 0)
				takeAll(now)
				now = now.Add(jump)
				assert.LessOrEqual(t, takeAll(now), burst, "the jump gives no more than can be saved up")
				for range 10 {
					now = now.Add(time.Second)
					takeAll(now)
				}
				now = now.Add(time.Second)
				assert.InDelta(t, 1, takeAll(now), 0.6, "a second gives what a second gives")
			})
		}
	}
}
