// A store for Annex in Go: objects in memory behind a small log, served over gRPC.
//
// store.go keeps objects and their order, service.go speaks the contract's verbs, catalog.go says
// what is served. To keep objects somewhere else, change store.go.
package main

//go:generate npx @bufbuild/buf generate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	storev1 "example.com/annex-sample-store/gen/annex/store/v1"
)

const (
	// An object of the largest size, and room for what is around it. Declared in the description.
	maxMessageBytes = 16 << 20
	// How long calls in flight may take once the process is to stop.
	drainTimeout = 5 * time.Second
	// A gateway pings an idle connection every 15 seconds; gRPC's default would cut it off for that.
	minPingInterval = 5 * time.Second
)

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	if err := run(os.Args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			os.Exit(2)
		}
		slog.Error("the store can't go on", "err", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("annex-sample-store", flag.ContinueOnError)
	address := flags.String("listen", "", "unix:PATH or HOST:PORT (default: a fresh unix socket)")
	caFile := flags.String("tls-ca", "", "with -tls-cert and -tls-key: mutual TLS")
	certFile := flags.String("tls-cert", "", "")
	keyFile := flags.String("tls-key", "", "")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	options, err := tlsOptions(*caFile, *certFile, *keyFile)
	if err != nil {
		return err
	}
	listener, said, err := listen(*address)
	if err != nil {
		return err
	}

	if *address == "" {
		defer os.Remove(filepath.Dir(strings.TrimPrefix(said, "unix:")))
	}

	// Before the address is out: whoever reads it may stop us at once.
	stop, release := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer release()

	server, checks := newServer(NewStore(uint64(time.Now().UnixMicro())), stop.Done(), options...)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Println(said)
	slog.Info("serving", "address", said)

	select {
	case err := <-served:
		return err
	case <-stop.Done():
	}
	slog.Info("draining")
	checks.Shutdown()
	cut := time.AfterFunc(drainTimeout, server.Stop)
	defer cut.Stop()
	server.GracefulStop()
	return nil
}

// newServer makes a server of everything that a store serves. Watches end when stopping is closed.
func newServer(store *Store, stopping <-chan struct{}, options ...grpc.ServerOption) (*grpc.Server, *health.Server) {
	options = append(options,
		grpc.MaxRecvMsgSize(maxMessageBytes),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPingInterval, PermitWithoutStream: true}),
		grpc.UnaryInterceptor(logFailures),
	)
	server := grpc.NewServer(options...)
	storev1.RegisterCatalogServiceServer(server, newCatalog(store))
	storev1.RegisterStoreServiceServer(server, &service{store: store, stopping: stopping})
	checks := health.NewServer()
	for name := range server.GetServiceInfo() {
		checks.SetServingStatus(name, healthpb.HealthCheckResponse_SERVING)
	}
	healthpb.RegisterHealthServer(server, checks)
	reflection.Register(server)
	return server, checks
}

// logFailures logs what the gateway will show as an internal error, without its text.
func logFailures(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	answer, err := handle(ctx, request)
	if isBug(err) {
		slog.Error("a bug", "method", info.FullMethod, "err", err)
	}
	return answer, err
}

// listen opens the address and says it as it can be dialled.
func listen(address string) (net.Listener, string, error) {
	if address == "" {
		folder, err := os.MkdirTemp("", "annex-store-")
		if err != nil {
			return nil, "", err
		}
		address = "unix:" + filepath.Join(folder, "store.sock")
	}
	if path, isUnix := strings.CutPrefix(address, "unix:"); isUnix {
		// A socket whose process is gone only stands in the way.
		if connection, err := net.Dial("unix", path); err == nil {
			connection.Close()
			return nil, "", fmt.Errorf("another process listens on %s", address)
		}
		if found, err := os.Lstat(path); err == nil && found.Mode().Type() == os.ModeSocket {
			os.Remove(path)
		}
		listener, err := net.Listen("unix", path)
		return listener, address, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, "", err
	}
	return listener, listener.Addr().String(), nil
}

// tlsOptions asks each client for a certificate of the authority. No files: no TLS, for sockets and loopback.
func tlsOptions(caFile, certFile, keyFile string) ([]grpc.ServerOption, error) {
	if caFile == "" && certFile == "" && keyFile == "" {
		return nil, nil
	}
	ca, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("%s holds no certificate", caFile)
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{pair},
		ClientCAs:    authorities,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		MinVersion:   tls.VersionTLS12,
	}
	return []grpc.ServerOption{grpc.Creds(credentials.NewTLS(config))}, nil
}
