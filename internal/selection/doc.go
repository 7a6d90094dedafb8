// Package selection is what a tap asks for: it parses the request, compiles it, and finds the items of a batch that it
// wants. It knows pdata and OTTL; it knows no collector life cycle, no transport and no goroutine.
//
//	url.Values -> Parse -> Selection -> Compile -> Matcher -> Marks -> Classify, Trim -> the items to encode
//	                          |                       |
//	                          String: a view's key    Recorder: why does nothing match?
//
// # One table
//
// [Criteria] and [Options] are all that can be asked for. The parser, the matcher, the hints and docs/selection.md are
// made from them: a criterion is added by adding its entry, and nothing else knows any criterion by name.
//
// # How criteria combine
//
// Criteria are AND. The same criterion given again is OR: service=a&service=b is either. Negated, it is none of them:
// service!=a&service!=b is neither. A criterion and its negation are two criteria, and so AND. Attributes are one
// criterion for each key.
//
// A criterion that cannot apply to a signal leaves that signal out: min_duration=1s selects from traces only.
//
// # What is promised
//
//   - Nothing here changes the data, or keeps any of it; a Recorder keeps copies of a few short strings.
//   - A Matcher is immutable and serves any number of goroutines; what a call needs is in the caller's Marks.
//   - Matching allocates nothing for each item, except where a structured value is compared as text, and inside OTTL.
//   - A panic in a match is returned as an error: it costs the tap, not the pipeline.
//   - A call stops when its [Budget] is used up, one item's evaluation aside. The rest is counted as skipped.
package selection
