package tail

import (
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/internal/format"
	"github.com/remotetap/remotetapprocessor/internal/otlp"
	"github.com/remotetap/remotetapprocessor/tapclient"
)

// The formats that the server has too, and which are the same here.
const (
	jsonItems     = format.JSON
	otlpDocuments = format.OTLPJSON
)

// documents prints lines of JSON, made straight from the bytes that came.
type documents struct{ renderer format.Renderer }

func newDocuments(f format.Format) *documents {
	return &documents{renderer: format.New(f, format.Options{})}
}

func (d *documents) print(dst []byte, b *app.Batch) ([]byte, error) {
	d.renderer.Reset(format.Batch{Signal: otlpSignal(b.Signal), Proto: b.Proto, Point: b.Point, Time: b.Time})
	for {
		longer, _, ok, err := d.renderer.Next(dst)
		if err != nil || !ok {
			return dst, err
		}
		dst = longer
		dst = append(dst, '\n')
	}
}

// otlpSignal is a signal as the tables of OTLP know it.
func otlpSignal(s tapclient.Signal) otlp.Signal {
	switch s {
	case tapclient.Metrics:
		return otlp.Metrics
	case tapclient.Logs:
		return otlp.Logs
	case tapclient.Profiles:
		return otlp.Profiles
	default:
		return otlp.Traces
	}
}
