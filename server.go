package remotetapprocessor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log" //nolint:depguard // net/http knows no other
	"net"
	"net/http"
	"syscall"

	"connectrpc.com/connect"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"
)

const (
	// maxHeader is the largest request header, in bytes, the query string included.
	maxHeader = 128 * kib
	// spareStreams is how many requests one HTTP/2 connection may have open besides `limit` taps.
	spareStreams = 32
)

// server is one port and the points that share it.
type server struct {
	// set at construction
	config      *Config // of the point that configured it
	settings    processor.Settings
	logger      *zap.Logger
	version     string
	broadcaster *broadcaster
	telemetry   *telemetry
	rpcErrors   *connect.ErrorWriter // answers gRPC, gRPC-Web and Connect with an error

	// set by start
	http   *http.Server
	addr   net.Addr
	served chan struct{} // closed when the accept loop has ended

	connections *connections
	throttle    *throttle

	points int // that use it; guarded by the registry's mu
}

func newServer(config *Config, settings processor.Settings) (*server, error) {
	settings.TelemetrySettings = ofAllPipelines(settings.TelemetrySettings)
	logger := settings.Logger
	s := &server{
		config:      config,
		settings:    settings,
		logger:      logger,
		version:     settings.BuildInfo.Version,
		broadcaster: newBroadcaster(config.Limit, config.PerTap, config.MaxOverhead, logger),
		rpcErrors:   connect.NewErrorWriter(),
	}
	var err error
	s.throttle = newThrottle()
	s.connections = newConnections(config.Limit, s.connectionRefused)
	s.telemetry, err = newTelemetry(settings.TelemetrySettings, s.broadcaster)
	return s, err
}

// start listens and serves. It returns when the port is open.
func (s *server) start(ctx context.Context, host component.Host) error {
	if err := s.checkAuth(ctx, host); err != nil {
		return err
	}
	listener, err := s.listen(ctx)
	if err != nil {
		return s.listenError(err)
	}
	if err := s.serveOn(ctx, listener, host); err != nil {
		return errors.Join(err, listener.Close())
	}
	s.logger.Info("remote_tap is listening", zap.Stringer("address", listener.Addr()), zap.Int("limit", s.config.Limit))
	if s.config.exposed() {
		s.logger.Warn("anybody who reaches this address can read the telemetry of this collector; "+
			"set endpoint to localhost, or set auth or tls::client_ca_file", zap.Stringer("address", listener.Addr()))
	}
	return nil
}

// listen opens the port. It does what confighttp's ToListener does, with the throttle below TLS.
func (s *server) listen(ctx context.Context) (net.Listener, error) {
	listener, err := s.config.Server.NetAddr.Listen(ctx)
	if err != nil {
		return nil, err
	}
	listener = s.throttle.listen(listener)
	if secure := s.config.Server.TLS.Get(); secure != nil {
		config, err := secure.LoadTLSConfig(ctx)
		if err != nil {
			return nil, errors.Join(err, listener.Close())
		}
		config.NextProtos = []string{"h2", "http/1.1"}
		listener = tls.NewListener(listener, config)
	}
	return listener, nil
}

// listenError says what an engineer can do about a port that does not open.
func (s *server) listenError(err error) error {
	endpoint := s.config.Server.NetAddr.Endpoint
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("endpoint: %s is taken by another program, perhaps another collector; "+
			"stop it, or write another port: %w", endpoint, err)
	}
	if _, network := errors.AsType[*net.OpError](err); network {
		return fmt.Errorf("endpoint: cannot listen on %s: %w", endpoint, err)
	}
	return fmt.Errorf("tls: %w; cert_file and key_file must be PEM files that belong together, without a passphrase, "+
		"and client_ca_file one of certificates", err)
}

// checkAuth says which key is wrong, and what to write, where confighttp says only what.
func (s *server) checkAuth(ctx context.Context, host component.Host) error {
	auth := s.config.Server.Auth.Get()
	if auth == nil {
		return nil
	}
	if _, err := auth.Config.GetServerAuthenticator(ctx, host.GetExtensions()); err != nil {
		return fmt.Errorf("auth::authenticator: %w; write the id of an extension that authenticates clients of a server, "+
			"such as basicauth, and list it in service::extensions", err)
	}
	return nil
}

// serveOn serves a listener until shutdown, on a goroutine of its own.
func (s *server) serveOn(ctx context.Context, listener net.Listener, host component.Host) error {
	config := s.config.Server // a copy: ToServer writes defaults into it
	completeCORS(config.CORS.Get())
	if config.MaxRequestBodySize <= 0 || config.MaxRequestBodySize > maxBody {
		config.MaxRequestBodySize = maxBody
	}
	httpServer, err := config.ToServer(ctx, host.GetExtensions(), s.settings.TelemetrySettings, s.routes(),
		confighttp.WithErrorHandler(s.unauthorized))
	if err != nil {
		return err
	}
	httpServer.Handler = s.guarded(httpServer.Handler)
	httpServer.ErrorLog = log.New(&serverLog{logger: s.logger}, "", 0)
	httpServer.DisableGeneralOptionsHandler = true // OPTIONS * is guarded like all else
	httpServer.Protocols = new(http.Protocols)
	httpServer.Protocols.SetHTTP1(true)
	httpServer.Protocols.SetHTTP2(true)
	httpServer.Protocols.SetUnencryptedHTTP2(true)
	httpServer.HTTP2 = &http.HTTP2Config{
		SendPingTimeout:  streamPeriod,
		PingTimeout:      streamPeriod,
		WriteByteTimeout: writeTimeout, // a client that pings but does not read
		// Clients send a query or a small message, never much.
		MaxConcurrentStreams:          s.config.Limit + spareStreams,
		MaxReceiveBufferPerConnection: 2 * maxRequest,
		MaxReceiveBufferPerStream:     2 * maxRequest,
	}
	httpServer.MaxHeaderBytes = maxHeader
	httpServer.ConnState = s.connections.follow
	httpServer.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connectionKey{}, conn)
	}
	s.http, s.addr, s.served = httpServer, listener.Addr(), make(chan struct{})
	go func() {
		defer close(s.served)
		if err := httpServer.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.logger.Error("remote_tap no longer accepts clients; the pipelines go on", zap.Error(err))
			componentstatus.ReportStatus(host, componentstatus.NewPermanentErrorEvent(err))
		}
	}()
	return nil
}

// connectionRefused counts a connection that was closed because there are too many, and says so
// in the log once a minute at most.
func (s *server) connectionRefused(remote net.Addr, first bool) {
	s.broadcaster.countRefusal(refusedConnection)
	if first {
		s.logger.Warn("remote_tap closes new connections: too many are open, in all or from one address",
			zap.Stringer("remote", remote), zap.Int("most", s.connections.most), zap.Int("most_per_address", s.connections.mostPerAddress))
	}
}

// shutdown ends the taps, each with its reason, then the server. It returns when every goroutine
// has ended: within two seconds, whatever the clients do, or when the context is done.
func (s *server) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*farewell)
	defer cancel()
	s.broadcaster.close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.broadcaster.sessions.Wait()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		s.connections.cut()
	}
	err := s.stopHTTP(ctx)
	<-ended
	<-s.served
	s.broadcaster.renderers.Wait()
	s.telemetry.shutdown()
	return err
}

// stopHTTP stops accepting and waits a moment for requests that are not taps.
func (s *server) stopHTTP(ctx context.Context) error {
	grace, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	if s.http.Shutdown(grace) == nil {
		return nil
	}
	s.connections.cut() // Close alone would wait for TLS to take leave of each
	return s.http.Close()
}
