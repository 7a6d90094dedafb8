package app

import "github.com/remotetap/remotetapprocessor/tapclient"

// PointsNotice says once that the same items come several times where a tap covers several tap points.
// The zero value is ready. It is for one goroutine.
type PointsNotice struct {
	// Done is what is done with the items, such as "sent".
	Done string

	said bool
}

// Hear looks at an account, and says it if there is reason to.
func (n *PointsNotice) Hear(a *App, s *tapclient.Stats) {
	if len(s.Points) < 2 || n.said {
		return
	}
	n.said = true
	a.Say("%s: items that pass several of its %d tap points are %s once for each; choose one with --point %s", s.From(), len(s.Points), n.Done, s.Points[0])
}
