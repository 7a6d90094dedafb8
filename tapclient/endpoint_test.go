package tapclient

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEndpointsAreRead(t *testing.T) {
	for text, expected := range map[string]endpoint{
		"localhost:12001":          {network: "tcp", host: "localhost", port: "12001"},
		"localhost":                {network: "tcp", host: "localhost", port: "12001"},
		"otelcol:4000":             {network: "tcp", host: "otelcol", port: "4000"},
		"10.0.0.1":                 {network: "tcp", host: "10.0.0.1", port: "12001"},
		"[fd00::1]:4000":           {network: "tcp", host: "fd00::1", port: "4000"},
		"fd00::1":                  {network: "tcp", host: "fd00::1", port: "12001"},
		"[fd00::1]":                {network: "tcp", host: "fd00::1", port: "12001"},
		"http://otelcol:4000":      {network: "tcp", host: "otelcol", port: "4000"},
		"http://otelcol":           {network: "tcp", host: "otelcol", port: "80"},
		"HTTPS://tap.example.com/": {network: "tcp", host: "tap.example.com", port: "443", tls: true},
		"https://[fd00::1]:8443":   {network: "tcp", host: "fd00::1", port: "8443", tls: true},
		"dns:///otelcol.svc:4000":  {network: "tcp", host: "otelcol.svc", port: "4000", follows: true},
		"dns:///otelcol":           {network: "tcp", host: "otelcol", port: "12001", follows: true},
		"dns:///10.0.0.1:4000":     {network: "tcp", host: "10.0.0.1", port: "4000"},
		"unix:///run/tap.sock":     {network: "unix", host: "/run/tap.sock"},
	} {
		t.Run(text, func(t *testing.T) {
			got, err := parseEndpoints(text, false)
			require.NoError(t, err)
			require.Len(t, got, 1)
			expected.text = got[0].text
			require.Equal(t, expected, *got[0])
		})
	}
	for text, encrypted := range map[string]bool{
		"otelcol": true, "dns:///otelcol": true, "https://otelcol": true, "http://otelcol": false, "unix:///run/tap.sock": false,
	} {
		got, err := parseEndpoints(text, true)
		require.NoError(t, err)
		require.Equal(t, encrypted, got[0].tls, "%s, with an option about TLS", text)
	}
}

func TestWrongEndpointsAreRefusedWithWhatToWrite(t *testing.T) {
	for text, hint := range map[string]string{
		"":                         "localhost:12001",
		"a:1,,b:2":                 "localhost:12001",
		":12001":                   "localhost:12001",
		"otelcol:port":             "1 to 65535",
		"otelcol:0":                "1 to 65535",
		"otelcol:70000":            "1 to 65535",
		"otelcol:":                 "1 to 65535",
		"otelcol:1:2":              "brackets",
		"otelcol:12001/v1/tap":     "path",
		"https://gateway/otelcol":  "path",
		"otel col:1":               "host name",
		"otelcol?x=1":              "host name",
		"ws://otelcol:12001":       "write http://",
		"wss://otelcol:12001":      "write https://",
		"grpc://otelcol:12001":     "dns:///NAME:PORT",
		"dns://8.8.8.8/otelcol":    "WithResolver",
		"unix://run/tap.sock":      "unix:///PATH",
		"a:1,a:1":                  "twice",
		"a,http://a:12001":         "twice",
		"https://ada:secret@tap:1": "WithBasicAuth",
		"ada:secret@tap:1":         "WithBasicAuth",
	} {
		t.Run(text, func(t *testing.T) {
			_, err := Dial(t.Context(), text)
			require.Error(t, err)
			assert.Contains(t, err.Error(), hint)
			assert.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestOriginIsShort(t *testing.T) {
	assert.Equal(t, "10.0.0.1:4000", Origin{Endpoint: "dns:///otelcol:4000", Address: "10.0.0.1:4000"}.String())
	assert.Equal(t, "dns:///otelcol:4000", Origin{Endpoint: "dns:///otelcol:4000"}.String())
}

func FuzzEndpoints(f *testing.F) {
	f.Add("localhost:12001,dns:///otelcol")
	f.Add("https://[::1]:443/")
	f.Add("unix:///x")
	f.Add("[:,%")
	f.Fuzz(func(t *testing.T, text string) {
		endpoints, err := parseEndpoints(text, false)
		if err != nil {
			return
		}
		for _, e := range endpoints {
			again, err := parseEndpoints(e.text, false)
			require.NoError(t, err)
			require.Equal(t, e, again[0])
			require.NotEmpty(t, e.authority())
		}
	})
}
