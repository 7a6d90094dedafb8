package tail

const long = `Show the telemetry that passes collectors right now, one line for each item, until Ctrl-C.
What does not match is left out by the collector; a collector never waits for you.

Arguments are signals (traces, metrics, logs, profiles), attributes (service.version=local-debug),
and endpoints, in any order. Files instead of endpoints are recordings: lines of OTLP JSON, as
remotetap record and the collector's file exporter write them; - is the standard input.

A line on a terminal is cut to its width: time of day, collector and tap point if there are
several, signal, service, level (a span's status, a record's severity, a metric's type),
duration, name or body, and the attributes that fit, the most telling first. In a pipe lines
are not cut. Times are local. Control characters in the telemetry are shown as \x1b.

What was matched and could not be delivered is counted: below the lines while it runs, and
at the end, as in "matched 1,204, received 1,180, dropped 24: rate_limit 24".

FORMATS of -o:
  text       a line for people
  wide       a line with all attributes, of scope and resource too, not cut
  json       a flat JSON object for each item, as the server's format=json
  otlp       OTLP/JSON documents, one a line, which remotetap and collectors can read
  template=  a Go template for each item, or template=@FILE. Its fields:
             .Time .Passed .Signal .From .Point .Service .Name .Body .TraceID .SpanID
             .ParentID .Kind .Duration .Status .StatusMessage .Severity .SeverityText
             .Value .Unit .Error .Attributes .Scope .Resource; and functions besides Go's:
             attr "KEY" (of item, scope or resource), clock TIME, ms DURATION, json VALUE,
             cut WIDTH TEXT, pad WIDTH TEXT, upper TEXT, lower TEXT, join SEPARATOR LIST.
             An item of which nothing is printed has no line.`

const example = `  # The errors of checkout, in all signals:
  remotetap tail --service checkout --error
  # Slow requests for a route, twenty of them:
  remotetap tail traces http.route=/pay --min-duration 500ms --count 20
  # Logs from warnings on, whose text says "timeout", without the health checks:
  remotetap tail logs --severity warn --name timeout --not-name healthz
  # Into jq, for half a minute, from two collectors:
  remotetap tail traces gateway-0:12001 gateway-1:12001 --duration 30s -o json | jq .duration_ms
  # Columns of one's own:
  remotetap tail traces -o 'template={{clock .Time}}\t{{.Service}}\t{{ms .Duration}}\t{{attr "http.route"}}'
  # The same from a recording:
  remotetap tail incident.jsonl.zst --error`
