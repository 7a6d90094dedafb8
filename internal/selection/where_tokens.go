package selection

import "strings"

// ottlToken is a part of a condition: a path (which begins with its context, if it has one), another word, or one byte.
type ottlToken struct {
	text    string
	column  int // from 1, in bytes
	path    bool
	context string // what stands before a path's first dot
}

// ottlTokens splits a condition well enough to find its paths and brackets, as OTTL's lexer would; strings are left out.
func ottlTokens(text string) func(yield func(ottlToken) bool) {
	return func(yield func(ottlToken) bool) {
		for i := 0; i < len(text); {
			if text[i] == '"' {
				i += stringLength(text[i:])
				continue
			}
			length := max(1, wordLength(text[i:]))
			token := ottlToken{text: text[i : i+length], column: i + 1}
			i += length
			if isPath(token.text) && !strings.HasPrefix(text[i:], "(") { // else an editor
				token.path = true
				if context, _, dotted := strings.Cut(token.text, "."); dotted {
					token.context = context
				}
			}
			if !yield(token) {
				return
			}
		}
	}
}

// stringLength is the length of the string that a text begins with, in bytes; all of it if the string has no end.
func stringLength(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// wordLength is the length of the word, with dots, that a text begins with; 0 if it begins with none.
func wordLength(text string) int {
	for i := range len(text) {
		c := text[i]
		if c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return i
		}
	}
	return len(text)
}

// isPath tells paths from numbers, words of the language, enums, converters and signs.
func isPath(word string) bool {
	switch word {
	case "and", "or", "not", "true", "false", "nil":
		return false
	default:
		return 'a' <= word[0] && word[0] <= 'z'
	}
}
