package contexts

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// Use writes into a file which context is current, "" for none, and leaves everything else, comments
// included, as it is. The file is replaced at once: who reads it meanwhile sees the old or the new one.
func Use(path, name string) error {
	text, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if name == "" && len(text) == 0 {
		return nil
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(document.Content) == 0 || document.Content[0].Kind != yaml.MappingNode {
		return fmt.Errorf("%s: it holds no contexts", path)
	}
	setCurrent(document.Content[0], name)
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return err
	}
	return replace(path, b.Bytes())
}

// setCurrent sets the key in a mapping: in its place, or first.
func setCurrent(mapping *yaml.Node, name string) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == "current" {
			mapping.Content[i+1].SetString(name)
			return
		}
	}
	key, value := &yaml.Node{}, &yaml.Node{}
	key.SetString("current")
	value.SetString(name)
	mapping.Content = append([]*yaml.Node{key, value}, mapping.Content...)
}

// replace writes a file beside another, with its permissions, and puts it in its place. A link stays a
// link.
func replace(path string, text []byte) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	beside, err := os.CreateTemp(filepath.Dir(path), ".config-*.yaml")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(beside.Name()) }() // it is gone if all went well
	_, err = beside.Write(text)
	if err = errors.Join(err, beside.Chmod(mode), beside.Close()); err != nil {
		return err
	}
	return os.Rename(beside.Name(), path)
}
