package top

import "strings"

// helpText explains the live table.
const helpText = `
 s, S      sort by the next, or the one before: rate, errors, share of errors (ERR%),
           p50, p95, p99, total, name
 /         show only what contains a text; esc shows all again
 space     hold the screen still; counting goes on
 w         figures of the last seconds (--interval), or since the start
 tab       one signal by itself, with all its groups; the arrows, page up and
           page down, home and end go through them
 r         count anew from zero
 q, ctrl+c quit, with the account of what was seen

 RATE/s    items a second, as they arrive
 P50 ...   percentiles of the durations of spans, within 1 %; spans that have no end
           count, but not here
 TOTAL     all since the start

 ≥ ~       Items were lost: dropped by a limit, skipped to save the collector's time, or
           while there was no connection. Counts and rates are then lower bounds (≥), and
           shares and percentiles are those of what arrived (~): they are not scaled
           up, since limits keep errors and slow spans first. The line above the tables
           says how many, and why.
`

func helpLines() []string { return strings.Split(strings.TrimSuffix(helpText, "\n"), "\n") }
