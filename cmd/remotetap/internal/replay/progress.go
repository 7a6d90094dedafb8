package replay

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/otlpout"
	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/recording"
)

// showEvery is how often the progress changes at most.
const showEvery = 200 * time.Millisecond

// progress is the line that shows how far a replay is.
type progress struct {
	app       *app.App
	recording *recording.Recording
	account   *otlpout.Account
	bar       *progressbar.ProgressBar // nil where the size is not known
	shown     time.Time
}

func newProgress(a *app.App, r *recording.Recording, account *otlpout.Account) *progress {
	p := &progress{app: a, recording: r, account: account}
	if _, size := r.Progress(); size > 0 && a.Words.IsTerminal {
		p.bar = progressbar.NewOptions64(size,
			progressbar.OptionSetWriter(io.Discard), // the app draws it, so that words can come between
			progressbar.OptionSetWidth(20),
			progressbar.OptionSetPredictTime(false), // in words, below
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionSetTheme(theme(a.Words.Unicode)))
	}
	return p
}

// theme is how the bar looks.
func theme(unicode bool) progressbar.Theme {
	if unicode {
		return progressbar.Theme{Saucer: "█", SaucerPadding: "░", BarStart: "", BarEnd: ""}
	}
	return progressbar.Theme{Saucer: "#", SaucerPadding: ".", BarStart: "", BarEnd: ""}
}

// show draws it, not too often.
func (p *progress) show() {
	if !p.app.Words.IsTerminal || time.Since(p.shown) < showEvery {
		return
	}
	p.shown = time.Now()
	count := p.account.Count()
	text := app.Number(count.Taken) + " taken"
	if lost := count.Lost(); lost > 0 {
		text += ", " + app.Number(lost) + " not taken"
	}
	if p.bar != nil {
		read, _ := p.recording.Progress()
		if p.bar.Set64(read) == nil {
			text = strings.TrimSpace(p.bar.String()) + "  " + text + left(p.bar.State().SecondsLeft)
		}
	}
	p.app.Status(text)
}

// left is how long it will take.
func left(seconds float64) string {
	if seconds < 1 {
		return ""
	}
	return fmt.Sprintf(", %v left", time.Duration(seconds)*time.Second)
}
