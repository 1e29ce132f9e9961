// Many of client-go's informers on one resource, dynamic and metadata by turns, each with a connection of its
// own, so that its requests are known.
//
// On stdout a JSON document a line: {"client", "event", "how", "objects", "error"}. "listed" is a request
// that gives all objects, "how" says which: "list" or "watchlist"; "synced" and "error" are the informer's.
// A line on stdin asks what each informer's cache has: "state", resourceVersions by namespace/name. It ends when
// stdin does.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

type line struct {
	Client  string            `json:"client"`
	Event   string            `json:"event"`
	How     string            `json:"how,omitempty"`
	Objects map[string]string `json:"objects,omitempty"`
	Error   string            `json:"error,omitempty"`
}

var printing sync.Mutex

func say(l line) {
	printing.Lock()
	defer printing.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(l)
}

// listing tells of each request that gives all objects.
type listing struct {
	client string
	next   http.RoundTripper
}

func (l listing) RoundTrip(request *http.Request) (*http.Response, error) {
	query := request.URL.Query()
	if query.Get("watch") == "" {
		say(line{Client: l.client, Event: "listed", How: "list"})
	} else if query.Get("sendInitialEvents") == "true" {
		say(line{Client: l.client, Event: "listed", How: "watchlist"})
	}
	return l.next.RoundTrip(request)
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "file")
	group := flag.String("group", "", "API group")
	version := flag.String("version", "", "its version")
	plural := flag.String("plural", "", "URL word")
	count := flag.Int("count", 1, "informers")
	flag.Parse()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	resource := schema.GroupVersionResource{Group: *group, Version: *version, Resource: *plural}
	informers := map[string]cache.SharedIndexInformer{}
	for at := range *count {
		config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		client := fmt.Sprintf("go-%d", at)
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return listing{client: client, next: next} })
		informers[client] = informerOf(config, resource, at%2 == 0)
		follow(ctx, client, informers[client])
	}
	asked := bufio.NewScanner(os.Stdin)
	for asked.Scan() {
		for client, informer := range informers {
			objects := map[string]string{}
			for _, object := range informer.GetStore().List() {
				if accessor, err := meta.Accessor(object); err == nil {
					objects[accessor.GetNamespace()+"/"+accessor.GetName()] = accessor.GetResourceVersion()
				}
			}
			say(line{Client: client, Event: "state", Objects: objects})
		}
	}
}

func informerOf(config *rest.Config, resource schema.GroupVersionResource, isWhole bool) cache.SharedIndexInformer {
	if isWhole {
		client := dynamic.NewForConfigOrDie(config)
		return dynamicinformer.NewFilteredDynamicInformer(client, resource, metav1.NamespaceAll, 0, cache.Indexers{}, nil).Informer()
	}
	client := metadata.NewForConfigOrDie(config)
	return metadatainformer.NewFilteredMetadataInformer(client, resource, metav1.NamespaceAll, 0, cache.Indexers{}, nil).Informer()
}

func follow(ctx context.Context, client string, informer cache.SharedIndexInformer) {
	// What an ended watch says is no error: the reflector goes on from where it was.
	_ = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		if err != io.EOF && err != io.ErrUnexpectedEOF {
			say(line{Client: client, Event: "error", Error: err.Error()})
		}
	})
	go informer.Run(ctx.Done())
	go func() {
		if cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
			say(line{Client: client, Event: "synced"})
		}
	}()
}
