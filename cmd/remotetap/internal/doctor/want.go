package doctor

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/internal/selection"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// want is what the user wants to see.
type want struct {
	all   tapclient.Selection
	terms []term
	text  string // as a query string; "" if it is everything
}

// term is one criterion alone.
type term struct {
	text    string
	request tapclient.Selection
}

// wantOf reads the selection.
func wantOf(selecting *app.Selecting) (want, error) {
	request, err := selecting.Request()
	if err != nil {
		return want{}, err
	}
	parsed, err := selecting.Parse()
	if err != nil {
		return want{}, err
	}
	w := want{all: request}
	var texts []string
	for _, t := range parsed.Terms() {
		one, err := termOf(t)
		if err != nil {
			return want{}, err
		}
		one.request.Signal = request.Signal
		w.terms = append(w.terms, one)
		texts = append(texts, one.text)
	}
	w.text = strings.Join(texts, " ")
	return w, nil
}

// termOf makes a selection of one criterion.
func termOf(t selection.Term) (term, error) {
	name := t.Criterion.Name
	if name == selection.AttributeName {
		name = "attr." + t.Key
	}
	text := name
	if name == "attr."+t.Key && strings.Contains(t.Key, ".") {
		text = t.Key
	}
	if t.Negated {
		name, text = name+"!", text+"!"
	}
	alone := app.SelectionFlags(pflag.NewFlagSet("", pflag.ContinueOnError))
	for _, value := range t.Values {
		alone.Add(name, value)
	}
	request, err := alone.Request()
	return term{text: text + "=" + strings.Join(t.Values, "|"), request: request}, err
}
