// Runs a remote command by client-go's WebSocket executor: its streams are this process's, and so is
// its exit code. 125 says that it could not be run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
)

// once gives one size of a terminal.
type once struct{ sizes chan remotecommand.TerminalSize }

func (o once) Next() *remotecommand.TerminalSize {
	size, ok := <-o.sizes
	if !ok {
		return nil
	}
	return &size
}

func run() (int, error) {
	kubeconfig := flag.String("kubeconfig", "", "file")
	url := flag.String("url", "", "of the subresource, with its query")
	protocols := flag.String("protocols", "", "subprotocols, comma-separated")
	tty := flag.Bool("tty", false, "whether it has a terminal, of 120 by 40")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return 125, err
	}
	executor, err := remotecommand.NewWebSocketExecutorForProtocols(config, "GET", *url, strings.Split(*protocols, ",")...)
	if err != nil {
		return 125, err
	}
	options := remotecommand.StreamOptions{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Tty: *tty}
	if *tty {
		sizes := make(chan remotecommand.TerminalSize, 1)
		sizes <- remotecommand.TerminalSize{Width: 120, Height: 40}
		close(sizes)
		options.Stderr = nil
		options.TerminalSizeQueue = once{sizes}
	}
	err = executor.StreamWithContext(context.Background(), options)
	var code exec.CodeExitError
	if errors.As(err, &code) {
		return code.Code, err
	}
	if err != nil {
		return 125, err
	}
	return 0, nil
}

func main() {
	code, err := run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}
