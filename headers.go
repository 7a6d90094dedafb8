package remotetapprocessor

import (
	"net/http"

	"go.opentelemetry.io/collector/config/confighttp"
)

// contentPolicy is the Content-Security-Policy of an answer that is data: if a browser is made to
// show it, nothing in it is loaded, run, framed or sent anywhere, whatever the telemetry holds.
const contentPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"

// protect sets the headers that keep a browser from making more of an answer than data for the
// one who asked. They are on everything that we serve, refusals included; response_headers in the
// configuration can replace them.
func protect(header http.Header) {
	header.Set("Content-Security-Policy", contentPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer") // a query string may hold what nobody else shall know
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
}

// completeCORS lets pages of the allowed origins use every transport. confighttp's own defaults
// would stop gRPC-Web and Connect, and hide how a call ended. What the configuration lists stays.
func completeCORS(config *confighttp.CORSConfig) {
	if config == nil || len(config.AllowedOrigins) == 0 {
		return
	}
	if len(config.AllowedHeaders) == 0 {
		config.AllowedHeaders = []string{
			"Accept", "Content-Type", "X-Requested-With", "Authorization",
			"Connect-Protocol-Version", "Connect-Timeout-Ms", "Grpc-Timeout", "X-Grpc-Web", "X-User-Agent",
		}
	}
	if len(config.ExposedHeaders) == 0 {
		config.ExposedHeaders = []string{
			"Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin", "Www-Authenticate", "Retry-After",
		}
	}
}
