package app

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/remotetap/remotetapprocessor/internal/nearest"
	"github.com/remotetap/remotetapprocessor/internal/selection"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// Selecting is what a command line asks for: criteria as flags, or as arguments in the syntax of the
// query string (service.version=local-debug).
type Selecting struct {
	values url.Values
	// options are the delivery options that the command has flags for.
	options []string
}

// The options that commands have flags for.
const (
	OptionRate     = "rate"
	OptionCount    = "count"
	OptionDuration = "duration"
)

// SelectionFlags adds a flag for each criterion, and for some options of delivery, to a command's
// flags.
func SelectionFlags(flags *pflag.FlagSet, options ...string) *Selecting {
	s := &Selecting{values: url.Values{}, options: options}
	for _, c := range selection.Criteria() {
		s.criterion(flags, c)
	}
	for _, o := range selection.Options() {
		if slices.Contains(options, o.Name) {
			flags.Var(&parameter{into: s.values, name: o.Name, placeholder: o.Value}, o.Name, optionHelp(o))
		}
	}
	return s
}

// flagOf is the flag for a parameter.
func flagOf(name string) string { return strings.NewReplacer("_", "-", ".", "-").Replace(name) }

// plain is a text of the tables without the marks of Markdown, which pflag would take for a name.
func plain(text string) string { return strings.ReplaceAll(text, "`", "") }

// optionHelp is an option's help as that of a flag: not a sentence, with an example and the default.
func optionHelp(o selection.Option) string {
	text := strings.TrimSuffix(plain(o.Help), ".")
	_, example, _ := strings.Cut(o.Example, "=")
	return strings.ToLower(text[:1]) + text[1:] + "; for instance " + example + " (default " + o.Default + ")"
}

// criterionHelp is what a criterion keeps, with an example where its value has a syntax of its own.
func criterionHelp(c selection.Criterion) string {
	if !slices.Contains([]string{"DURATION", "SEVERITY", "SHARE", "OTTL"}, c.Value) {
		return plain(c.Matches)
	}
	_, example, _ := strings.Cut(c.Example, "=")
	return plain(c.Matches) + "; for instance " + example
}

func (s *Selecting) criterion(flags *pflag.FlagSet, c selection.Criterion) {
	if c.Name == selection.AttributeName {
		flags.Var(&attribute{into: s.values}, "attr", plain(c.Matches)+"; KEY!=TEXT keeps the others")
		return
	}
	name := flagOf(c.Name)
	flags.Var(&parameter{into: s.values, name: c.Name, placeholder: c.Value, repeats: c.Repeats}, name, criterionHelp(c))
	if c.Value == "true|false" {
		flags.Lookup(name).NoOptDefVal = "true"
	}
	if c.Negates {
		flags.Var(&parameter{into: s.values, name: c.Name + "!", placeholder: c.Value, repeats: true}, "not-"+name, "keep what --"+name+" would leave out")
	}
}

// parameter is a flag that stands for a query parameter. It is a pflag.Value.
type parameter struct {
	into        url.Values
	name        string
	placeholder string
	repeats     bool
}

// String is the value so far; pflag asks for the default this way.
func (p *parameter) String() string { return strings.Join(p.into[p.name], ",") }

// Type is what help shows for the value.
func (p *parameter) Type() string { return p.placeholder }

// Set takes a value. What is wrong with it the parser of selections says.
func (p *parameter) Set(value string) error {
	p.into[p.name] = append(p.into[p.name], value)
	return nil
}

// attribute is the flag --attr.
type attribute struct{ into url.Values }

// String is empty: there is no default.
func (a *attribute) String() string { return "" }

// Type is what help shows for the value.
func (a *attribute) Type() string { return "KEY=TEXT" }

// Set takes KEY=VALUE or KEY!=VALUE.
func (a *attribute) Set(text string) error {
	key, value, ok := strings.Cut(text, "=")
	if !ok || strings.Trim(key, "!") == "" {
		return Usage("write it as KEY=VALUE, or KEY!=VALUE")
	}
	a.into["attr."+key] = append(a.into["attr."+key], value)
	return nil
}

// Arguments are what stands on a command line besides flags.
type Arguments struct {
	Endpoints []string
	Files     []string
}

// Arguments sorts arguments into signals, criteria (KEY=VALUE), files and endpoints. isFile says what
// is a file; nil for commands that take none.
func (s *Selecting) Arguments(args []string, isFile func(string) bool) (Arguments, error) {
	var sorted Arguments
	var signals []string
	for _, arg := range args {
		key, value, isCriterion := strings.Cut(arg, "=")
		switch {
		case isSignal(arg):
			signals = append(signals, arg)
		case isFile != nil && isFile(arg):
			sorted.Files = append(sorted.Files, arg)
		case isCriterion && !strings.Contains(key, "/"):
			s.values[key] = append(s.values[key], value)
		case strings.ContainsAny(arg, ":./") || arg == "localhost":
			sorted.Endpoints = append(sorted.Endpoints, arg)
		default:
			if near := nearest.Name(arg, signalNames()); near != "" {
				return sorted, Usage("%q is no signal; did you mean %s?", arg, near)
			}
			sorted.Endpoints = append(sorted.Endpoints, arg)
		}
	}
	if len(signals) > 0 {
		s.values["signal"] = append(s.values["signal"], strings.Join(signals, ","))
	}
	if len(sorted.Files) > 0 && len(sorted.Endpoints) > 0 {
		return sorted, Usage("%s is a file and %s an endpoint: read one or watch the other", sorted.Files[0], sorted.Endpoints[0])
	}
	return sorted, nil
}

// Endpoints sorts arguments like Arguments, for commands that read no files: the error says so where isFile
// takes one for a file.
func (s *Selecting) Endpoints(args []string, isFile func(string) bool) ([]string, error) {
	sorted, err := s.Arguments(args, nil)
	if err != nil {
		return nil, err
	}
	return sorted.Endpoints, NoFiles(sorted.Endpoints, isFile)
}

// NoFiles is the error of arguments among which isFile finds a file, which is not read; nil if there is none.
func NoFiles(args []string, isFile func(string) bool) error {
	if i := slices.IndexFunc(args, isFile); i >= 0 {
		return Usage("%s is a file, which only remotetap tail and remotetap replay read: name a collector, as HOST:PORT", args[i])
	}
	return nil
}

func signalNames() []string { return selection.AllSignals().Names() }

func isSignal(arg string) bool { return slices.Contains(signalNames(), arg) }

// Parse checks what is asked for. The error is a *selection.Error that names the parameter.
func (s *Selecting) Parse() (selection.Selection, error) {
	for name := range s.values {
		if isOption(name) && !slices.Contains(s.options, name) {
			return selection.Selection{}, Usage("%s has no effect here: leave it out", name)
		}
	}
	return selection.Parse(s.values, selection.AllSignals())
}

func isOption(name string) bool {
	return slices.ContainsFunc(selection.Options(), func(o selection.Option) bool { return o.Name == name })
}

// Request is what a server is asked for the same. Parse must have accepted it.
func (s *Selecting) Request() (tapclient.Selection, error) {
	parsed, err := s.Parse()
	if err != nil {
		return tapclient.Selection{}, err
	}
	request := tapclient.Selection{
		Rate:     parsed.Delivery.Rate,
		Count:    parsed.Delivery.Count,
		Duration: parsed.Delivery.Duration,
	}
	if len(s.values["signal"]) > 0 {
		for _, signal := range parsed.Signals().Names() {
			request.Signal = append(request.Signal, tapclient.Signal(signal))
		}
	}
	for _, term := range parsed.Terms() {
		if err := add(&request, term); err != nil {
			return tapclient.Selection{}, err
		}
	}
	return request, nil
}

// Given reports whether a criterion or option was given, negated or not.
func (s *Selecting) Given(name string) bool {
	return len(s.values[name]) > 0 || len(s.values[name+"!"]) > 0
}

// Add asks for one more thing, as a query parameter; "KEY!" for a negation.
func (s *Selecting) Add(name, value string) { s.values[name] = append(s.values[name], value) }

// Query is the selection as a query string, as others see it in /v1/points.
func (s *Selecting) Query() string {
	parsed, err := s.Parse()
	if err != nil {
		return ""
	}
	return parsed.String()
}

// add puts one criterion into the request that servers get. A criterion that is new in the table is
// added here; a test misses it otherwise.
func add(request *tapclient.Selection, term selection.Term) error {
	lists := map[string][2]*[]string{ // plain, negated
		"point":            {&request.Point, &request.NotPoint},
		"service":          {&request.Service, &request.NotService},
		"name":             {&request.Name, &request.NotName},
		"trace_id":         {&request.TraceID, &request.NotTraceID},
		"otel.status_code": {&request.OtelStatusCode, &request.NotOtelStatusCode},
		"where":            {&request.Where, &request.Where},
	}
	name := term.Criterion.Name
	list, isList := lists[name]
	switch {
	case isList && term.Negated:
		*list[1] = term.Values
	case isList:
		*list[0] = term.Values
	case name == selection.AttributeName:
		for _, value := range term.Values {
			request.Attributes = append(request.Attributes, tapclient.Attribute{Key: term.Key, Value: value, Not: term.Negated})
		}
	case name == "min_duration":
		request.MinDuration, _ = time.ParseDuration(term.Values[0])
	case name == "error":
		request.Error = new(term.Values[0] == "true")
	case name == "severity":
		request.Severity = term.Values[0]
	case name == "sample":
		request.Sample, _ = strconv.ParseFloat(term.Values[0], 64)
	default:
		return Usage("%s: this version of remotetap cannot ask servers for it", name)
	}
	return nil
}
