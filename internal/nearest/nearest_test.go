package nearest

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNearest(t *testing.T) {
	names := []string{"endpoint", "limit", "name", "service", "signal", "tls"}
	tests := []struct{ name, word, want string }{
		{"a letter too few", "servce", "service"},
		{"a letter too many", "limmit", "limit"},
		{"a wrong letter", "signel", "signal"},
		{"two letters swapped", "tsl", "tls"},
		{"two mistakes in a long word", "endpiont_", "endpoint"},
		{"capitals", "Limit", "limit"},
		{"the word itself", "name", "name"},
		{"two mistakes in a short word", "lsx", ""},
		{"two mistakes in a word of five letters", "lamat", ""},
		{"nothing like it", "colour", ""},
		{"nothing at all", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, Name(tt.word, names))
		})
	}
}
