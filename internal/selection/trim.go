package selection

// Trimmed is the account of a trimming: how many marked items stay, and how many were left out.
type Trimmed struct {
	Errors  int // that stay
	Notable int // slow spans and severe logs that stay
	Rest    int // others that stay
	Dropped int
}

// Kept is how many items stay.
func (t Trimmed) Kept() int { return t.Errors + t.Notable + t.Rest }

// Trim takes marks away until no more than `budget` items are left. `reserve` of the budget is for errors alone: other
// items get what errors leave of budget-reserve. Errors stay first, then slow spans and severe logs, then the rest; of the
// class for which there is not enough, the items that stay are evenly chosen.
//
// With a token bucket: budget is the tokens that there are, reserve those that others may not use. So a bucket that
// holds one second of the rate above its reserve has room for an error even after a flood of others.
func Trim(marks *Marks, classes *Classes, budget, reserve int) Trimmed {
	budget, reserve = max(budget, 0), max(reserve, 0)
	errors, notable := classes.Errors(), classes.Notable()
	rest := marks.Count() - errors - notable

	var t Trimmed
	t.Errors = min(errors, budget)
	left := max(budget-t.Errors-reserve, 0)
	t.Notable = min(notable, left)
	t.Rest = min(rest, left-t.Notable)
	t.Dropped = marks.Count() - t.Kept()
	if t.Dropped == 0 {
		return t
	}
	choices := [...]choice{{keep: t.Errors, of: errors}, {keep: t.Notable, of: notable}, {keep: t.Rest, of: rest}}
	for position := marks.next(0); position >= 0; position = marks.next(position + 1) {
		class := 2
		switch {
		case classes.errors.Has(position):
			class = 0
		case classes.notable.Has(position):
			class = 1
		}
		if !choices[class].next() {
			marks.unset(position)
		}
	}
	return t
}

// choice picks `keep` of a number of items at even distances.
type choice struct {
	keep, of, seen int
}

// next reports whether the next item is picked.
func (c *choice) next() bool {
	c.seen++
	return c.seen*c.keep/c.of > (c.seen-1)*c.keep/c.of
}
