package redact

// verdict says what the rules say of a key, in its place below the keys around it.
func (r *Redactor) verdict(key []byte) verdict {
	var v verdict
	switch slot := r.cache.slot(key); {
	case slot == nil:
		v = r.judge(key)
	case slot.holds(key):
		v = slot.verdict
	default:
		v = r.judge(key)
		slot.set(key, v)
	}
	if v&hides == 0 && len(r.parts) > 0 && r.pathHides(key) {
		v |= hides
	}
	return v
}

// pathHides reports whether a glob fits the key with some of the keys around it: headers.authorization.
func (r *Redactor) pathHides(key []byte) bool {
	around := len(r.path)
	if around+len(key) > MaxPath {
		return true
	}
	r.path = fold(r.path, key)
	defer func() { r.path = r.path[:around] }()
	for _, start := range r.parts {
		if anyFits(r.rules.nested, r.path[start:]) {
			return true
		}
	}
	return false
}

// enter goes below a key; leave comes back.
func (r *Redactor) enter(key []byte) {
	if len(r.rules.nested) > 0 {
		r.parts = append(r.parts, len(r.path))
		r.path = append(fold(r.path, key), '.')
	}
}

func (r *Redactor) leave() {
	if last := len(r.parts) - 1; last >= 0 {
		r.path, r.parts = r.path[:r.parts[last]], r.parts[:last]
	}
}
