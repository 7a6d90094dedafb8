package compare

import "math"

// z is how many standard deviations 95 % of a normal distribution lie within.
const z = 1.959964

// cluster is what one trace had at the first point, and how much of that came to the second.
type cluster struct{ items, kept int }

// share is a kept share with the interval that the true one lies within, 19 times of 20.
type share struct {
	value, low, high float64
	// evidence is how many independent items would tell as much; 0 if there is no interval.
	evidence float64
}

// ratio estimates the kept share from whole traces. Samplers decide by trace, so its spans are no
// independent evidence: the variance is that of a ratio of sums over clusters, and the interval is
// Wilson's for as many independent items as have that variance. Unlike the plain interval around the
// ratio it stays between 0 and 1, and has a width when all traces, or none, were kept; then each trace
// counts as one.
//
// E. B. Wilson, Probable inference, the law of succession, and statistical inference (1927);
// W. G. Cochran, Sampling Techniques (1977), chapter 6, for the variance; E. L. Korn and B. I. Graubard
// (1998) for putting the two together by the effective sample size.
func ratio(clusters []cluster) share {
	var items, kept float64
	for _, c := range clusters {
		items += float64(c.items)
		kept += float64(c.kept)
	}
	if items == 0 {
		return share{}
	}
	value := kept / items
	n := float64(len(clusters))
	if n < 2 {
		return share{value: value}
	}
	var squares float64
	for _, c := range clusters {
		difference := float64(c.kept) - value*float64(c.items)
		squares += difference * difference
	}
	variance := n / (n - 1) * squares / (items * items)
	evidence := n
	if value > 0 && value < 1 {
		evidence = items // if all traces lost the same share
		if variance > 0 {
			evidence = min(items, value*(1-value)/variance)
		}
	}
	return wilson(value, evidence)
}

// wilson is the interval around a share that so many independent items have.
func wilson(value, evidence float64) share {
	if evidence <= 0 || value < 0 || value > 1 {
		return share{value: value}
	}
	zz := z * z / evidence
	middle := (value + zz/2) / (1 + zz)
	half := z / (1 + zz) * math.Sqrt(value*(1-value)/evidence+zz/(4*evidence))
	return share{value: value, low: max(0, middle-half), high: min(1, middle+half), evidence: evidence}
}

// contains reports whether a share lies within the interval. The bounds themselves do, in spite of
// rounding.
func (s share) contains(expected float64) bool {
	const rounding = 1e-9
	return s.evidence > 0 && expected >= s.low-rounding && expected <= s.high+rounding
}
