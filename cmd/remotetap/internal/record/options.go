package record

import (
	"crypto/rand"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/pflag"

	"github.com/remotetap/remotetapprocessor/cmd/remotetap/internal/app"
	"github.com/remotetap/remotetapprocessor/internal/redact"
)

// options are the command's own flags.
type options struct {
	maxSize     string
	rotate      []string
	keep        int
	force       bool
	scrub       []string
	scrubValues []string
	exitCode    bool
}

func optionFlags(flags *pflag.FlagSet) *options {
	o := &options{}
	flags.StringVar(&o.maxSize, "max-size", "", "stop when all files together have this `SIZE`, such as 100MB or 2GiB")
	flags.StringArrayVar(&o.rotate, "rotate", nil, "begin another file at this `SIZE|TIME`, such as 100MB or 10m; may be given once for each")
	flags.IntVar(&o.keep, "keep", 0, "with --rotate: keep the newest `N` files of this run and remove those before (default all)")
	flags.BoolVar(&o.force, "force", false, "write over files that exist")
	flags.StringArrayVar(&o.scrub, "scrub", nil, "put hashes in place of the values of attributes whose key fits this `GLOB`, such as '*password*'; may be repeated")
	flags.StringArrayVar(&o.scrubValues, "scrub-value", nil, "put hashes in place of what this `REGEX` (RE2) matches in any text, such as '[\\w.+-]+@[\\w.-]+'; may be repeated")
	flags.BoolVar(&o.exitCode, "exit-code", false, "end with 4 if nothing was recorded")
	return o
}

// limits are the options as the writer needs them. 0 is no limit.
type limits struct {
	maxSize     int64 // bytes, of all files
	rotateSize  int64 // bytes
	rotateEvery time.Duration
	keep        int
	force       bool
}

func (o *options) limits() (limits, error) {
	l := limits{keep: o.keep, force: o.force}
	var err error
	if o.maxSize != "" {
		if l.maxSize, err = size("max-size", o.maxSize); err != nil {
			return l, err
		}
	}
	for _, text := range o.rotate {
		every, isTime := duration(text)
		switch {
		case isTime && every < time.Second:
			return l, app.Usage("--rotate %s: write a time of at least 1s, or a size such as 100MB", text)
		case isTime && l.rotateEvery > 0:
			return l, app.Usage("--rotate is given twice with a time: keep one")
		case isTime:
			l.rotateEvery = every
		case l.rotateSize > 0:
			return l, app.Usage("--rotate is given twice with a size: keep one")
		default:
			if l.rotateSize, err = size("rotate", text); err != nil {
				return l, err
			}
		}
	}
	switch {
	case o.keep < 0:
		return l, app.Usage("--keep %d: write the number of files to keep, at least 1", o.keep)
	case o.keep > 0 && len(o.rotate) == 0:
		return l, app.Usage("--keep is about files that --rotate begins: add --rotate 100MB or --rotate 10m")
	}
	return l, nil
}

// duration reads a time. 100MB and such are none.
func duration(text string) (time.Duration, bool) {
	d, err := time.ParseDuration(text)
	return d, err == nil
}

// minSize is the smallest size that a file may be limited to, in bytes: less is a slip, and would make
// thousands of files.
const minSize = 64 << 10

func size(flag, text string) (int64, error) {
	n, err := humanize.ParseBytes(text)
	_, bare := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || n > 1<<62:
		return 0, app.Usage("--%s %s: write a size such as 500kB, 100MB or 2GiB", flag, text)
	case bare == nil || n < minSize:
		return 0, app.Usage("--%s %s: write a size with its unit, at least 64KiB, such as 500kB, 100MB or 2GiB", flag, text)
	}
	return int64(n), nil
}

// redactor makes what scrubs, with a key that is forgotten at the end of the run; nil if nothing is to be.
func (o *options) redactor() (*redact.Redactor, error) {
	if len(o.scrub) == 0 && len(o.scrubValues) == 0 {
		return nil, nil
	}
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // it never fails
	rules, err := redact.Compile(o.scrub, o.scrubValues, string(redact.Hash), secret[:])
	if err != nil {
		text := regexp.MustCompile(`(?m)^keys::\d+`).ReplaceAllString(err.Error(), "--scrub")
		return nil, app.Usage("%s", regexp.MustCompile(`(?m)^values::\d+`).ReplaceAllString(text, "--scrub-value"))
	}
	return redact.NewRedactor(rules), nil
}

// compression is what a name's ending asks for.
type compression string

const (
	none      compression = ""
	zstandard compression = ".zst"
	gzipped   compression = ".gz"
)

func compressionOf(name string) compression {
	switch lower := strings.ToLower(name); {
	case strings.HasSuffix(lower, string(zstandard)):
		return zstandard
	case strings.HasSuffix(lower, string(gzipped)):
		return gzipped
	}
	return none
}
