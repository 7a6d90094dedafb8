package app

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/remotetap/remotetapprocessor/internal/selection"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// selecting reads a command line like that of tail.
func selecting(t *testing.T, args ...string) (*Selecting, Arguments, error) {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	s := SelectionFlags(flags, OptionRate, OptionCount, OptionDuration)
	require.NoError(t, flags.Parse(args))
	arguments, err := s.Arguments(flags.Args(), func(arg string) bool { return strings.HasSuffix(arg, ".jsonl") })
	return s, arguments, err
}

// asked is what a server is asked for, for each criterion of the table: the flag as it is written, and
// what must have become of it.
func asked() map[string]struct {
	flags []string
	want  tapclient.Selection
} {
	const id = "5b8efff798038103d269b633813fc60c"
	return map[string]struct {
		flags []string
		want  tapclient.Selection
	}{
		"point":                 {[]string{"--point=a", "--point=b", "--not-point=c"}, tapclient.Selection{Point: []string{"a", "b"}, NotPoint: []string{"c"}}},
		"signal":                {[]string{"--signal=traces,logs"}, tapclient.Selection{Signal: []tapclient.Signal{"traces", "logs"}}},
		"service":               {[]string{"--service=a*", "--not-service=b"}, tapclient.Selection{Service: []string{"a*"}, NotService: []string{"b"}}},
		"name":                  {[]string{"--name=pay", "--not-name=health"}, tapclient.Selection{Name: []string{"pay"}, NotName: []string{"health"}}},
		"min_duration":          {[]string{"--min-duration=250ms"}, tapclient.Selection{MinDuration: 250 * time.Millisecond}},
		"error":                 {[]string{"--error"}, tapclient.Selection{Error: new(true)}},
		"severity":              {[]string{"--severity=warn"}, tapclient.Selection{Severity: "warn"}},
		"trace_id":              {[]string{"--trace-id=" + id}, tapclient.Selection{TraceID: []string{id}}},
		"otel.status_code":      {[]string{"--otel-status-code=OK", "--not-otel-status-code=ERROR"}, tapclient.Selection{OtelStatusCode: []string{"OK"}, NotOtelStatusCode: []string{"ERROR"}}},
		selection.AttributeName: {[]string{"--attr=a.b=1", "--attr=c!=2", "--attr=d=e=f"}, tapclient.Selection{Attributes: []tapclient.Attribute{{Key: "a.b", Value: "1"}, {Key: "c", Value: "2", Not: true}, {Key: "d", Value: "e=f"}}}},
		"sample":                {[]string{"--sample=0.25"}, tapclient.Selection{Sample: 0.25}},
		"where":                 {[]string{`--where=span.kind == 2`}, tapclient.Selection{Where: []string{"span.kind == 2"}}},
		"rate":                  {[]string{"--rate=10"}, tapclient.Selection{Rate: 10}},
		"count":                 {[]string{"--count=7"}, tapclient.Selection{Count: 7}},
		"duration":              {[]string{"--duration=1m30s"}, tapclient.Selection{Duration: 90 * time.Second}},
	}
}

func TestEachCriterionHasAFlagThatReachesTheServer(t *testing.T) {
	tests := asked()
	for _, c := range selection.Criteria() {
		assert.Contains(t, tests, c.Name, "the criterion is new: it needs a flag, and a case in add")
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, _, err := selecting(t, test.flags...)
			require.NoError(t, err)
			got, err := s.Request()
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
			assert.True(t, s.Given(name) || name == selection.AttributeName)
		})
	}
}

// A server that gets the same as a query string selects the same.
func TestArgumentsMayBeInTheSyntaxOfTheQueryString(t *testing.T) {
	for arg, want := range map[string]tapclient.Selection{
		"service=checkout":            {Service: []string{"checkout"}},
		"service!=checkout":           {NotService: []string{"checkout"}},
		"service.version=local-debug": {Attributes: []tapclient.Attribute{{Key: "service.version", Value: "local-debug"}}},
		"http.route=/pay":             {Attributes: []tapclient.Attribute{{Key: "http.route", Value: "/pay"}}},
		"http.route!=/pay":            {Attributes: []tapclient.Attribute{{Key: "http.route", Value: "/pay", Not: true}}},
		"attr.tier=gold":              {Attributes: []tapclient.Attribute{{Key: "tier", Value: "gold"}}},
		"min_duration=1s":             {MinDuration: time.Second},
		"error=false":                 {Error: new(false)},
		"count=3":                     {Count: 3},
	} {
		s, arguments, err := selecting(t, arg)
		require.NoError(t, err, arg)
		assert.Empty(t, arguments.Endpoints, arg)
		got, err := s.Request()
		require.NoError(t, err, arg)
		assert.Equal(t, want, got, arg)
	}
}

func TestArgumentsAreSorted(t *testing.T) {
	for _, test := range []struct {
		name             string
		args             []string
		endpoints, files []string
		signals          []tapclient.Signal
	}{
		{"signals in any place", []string{"traces", "gateway:12001", "logs"}, []string{"gateway:12001"}, nil, []tapclient.Signal{"traces", "logs"}},
		{
			"endpoints of all kinds",
			[]string{"localhost", "10.0.0.1", "https://a:1", "dns:///b:2", "unix:///tmp/x.sock", "[::1]:3", "gateway"},
			[]string{"localhost", "10.0.0.1", "https://a:1", "dns:///b:2", "unix:///tmp/x.sock", "[::1]:3", "gateway"},
			nil, nil,
		},
		{"a URL with an equals sign is an endpoint", []string{"http://a:1/?x=y"}, []string{"http://a:1/?x=y"}, nil, nil},
		{"files", []string{"a.jsonl", "logs", "dir/b.jsonl"}, nil, []string{"a.jsonl", "dir/b.jsonl"}, []tapclient.Signal{"logs"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, arguments, err := selecting(t, test.args...)
			require.NoError(t, err)
			assert.Equal(t, test.endpoints, arguments.Endpoints)
			assert.Equal(t, test.files, arguments.Files)
			got, err := s.Request()
			require.NoError(t, err)
			assert.Equal(t, test.signals, got.Signal)
		})
	}
}

func TestWhatIsWrittenWrongIsRefusedWithWhatIsNear(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		says string
	}{
		{"a signal that is misspelt", []string{"metric"}, "did you mean metrics?"},
		{"a file and an endpoint", []string{"a.jsonl", "gateway:1"}, "a.jsonl is a file and gateway:1 an endpoint"},
		{"a criterion that is misspelt", []string{"servce=a"}, "did you mean service?"},
		{"a value that cannot be", []string{"--severity=loud"}, "severity"},
		{"a duration without a unit", []string{"--duration=30"}, "duration"},
		{"an option that the command has no flag for", []string{"format=json"}, "format has no effect here"},
		{"a rate of nothing", []string{"--rate=0"}, "rate"},
		{"a criterion that comes twice", []string{"--min-duration=1s", "--min-duration=2s"}, "min_duration"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _, err := selecting(t, test.args...)
			if err == nil {
				_, err = s.Request()
			}
			require.ErrorContains(t, err, test.says)
			assert.Equal(t, CodeUsage, CodeOf(err))
		})
	}
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	SelectionFlags(flags)
	require.ErrorContains(t, flags.Parse([]string{"--attr=tier"}), "write it as KEY=VALUE")
}
