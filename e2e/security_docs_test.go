package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestNamesInTheThreatModelExist: what docs/security.md says that a test holds, a test holds.
func TestNamesInTheThreatModelExist(t *testing.T) {
	text, err := os.ReadFile("../docs/security.md")
	require.NoError(t, err)
	named := regexp.MustCompile("`(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(named), 50)
	there := testsOf(t, "..")
	for _, name := range named {
		assert.True(t, there[name[1]], "docs/security.md names %s, and there is no such test", name[1])
	}
}

// testsOf are the names of all tests below a directory.
func testsOf(t *testing.T, directory string) map[string]bool {
	t.Helper()
	there := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(t \*testing\.T\)`)
	require.NoError(t, filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := os.ReadFile(path)
		for _, name := range declared.FindAllStringSubmatch(string(code), -1) {
			there[name[1]] = true
		}
		return err
	}))
	return there
}

func TestHeadersInTheThreatModelAreThoseThatAreSent(t *testing.T) {
	text, err := os.ReadFile("../docs/security.md")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(text), "| header | value |\n|---|---|\n")
	require.True(t, found)
	table, _, found = strings.Cut(table, "\n\n")
	require.True(t, found)
	var rows []string
	for name, value := range protections() {
		rows = append(rows, "| `"+name+"` | `"+value+"` |")
	}
	assert.ElementsMatch(t, rows, strings.Split(table, "\n"))
}
