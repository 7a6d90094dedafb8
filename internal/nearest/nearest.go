// Package nearest finds what a user probably meant.
package nearest

// Name returns the name that differs least from word, if no more than a
// third of word's letters differ; "" if there is none.
func Name(word string, names []string) string {
	best, fewest := "", max(1, len(word)/3)+1
	for _, name := range names {
		if d := Distance(word, name); d < fewest {
			best, fewest = name, d
		}
	}
	return best
}

// Distance returns the number of letters to insert, delete or replace, or
// of neighbours to swap, to turn a into b (optimal string alignment).
func Distance(a, b string) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		above[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, above[j+1]+1, above[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
