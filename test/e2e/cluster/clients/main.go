// Follows a resource with what Go programs in a cluster use: client-go's dynamic and metadata informers,
// and a controller-runtime manager with a reconciler.
//
// Each says on stdout, a JSON document a line, what it sees: {"client", "event", "name", "resourceVersion",
// "error"}; events are synced, added, updated, deleted, reconciled and error. It ends when stdin does.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

type line struct {
	Client          string `json:"client"`
	Event           string `json:"event"`
	Name            string `json:"name,omitempty"`
	ResourceVersion string `json:"resourceVersion,omitempty"`
	Error           string `json:"error,omitempty"`
}

var printing sync.Mutex

func say(l line) {
	printing.Lock()
	defer printing.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(l)
}

func main() {
	group := flag.String("group", "", "API group")
	version := flag.String("version", "", "its version")
	plural := flag.String("plural", "", "URL word")
	kind := flag.String("kind", "", "kind")
	// controller-runtime has a flag of its own for the kubeconfig.
	flag.Parse()
	config, err := ctrl.GetConfig()
	if err != nil {
		fail(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	resource := schema.GroupVersionResource{Group: *group, Version: *version, Resource: *plural}
	dynamicInformer := dynamicinformer.NewFilteredDynamicInformer(
		dynamic.NewForConfigOrDie(config), resource, metav1.NamespaceAll, 0, cache.Indexers{}, nil).Informer()
	follow(ctx, "dynamic", dynamicInformer)
	metadataInformer := metadatainformer.NewFilteredMetadataInformer(
		metadata.NewForConfigOrDie(config), resource, metav1.NamespaceAll, 0, cache.Indexers{}, nil).Informer()
	follow(ctx, "metadata", metadataInformer)
	if err := manage(ctx, config, resource.GroupVersion().WithKind(*kind)); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func follow(ctx context.Context, client string, informer cache.SharedIndexInformer) {
	on := func(event string) func(any) {
		return func(object any) {
			if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = gone.Obj
			}
			accessor, err := meta.Accessor(object)
			if err != nil {
				say(line{Client: client, Event: "error", Error: err.Error()})
				return
			}
			say(line{Client: client, Event: event, Name: accessor.GetName(), ResourceVersion: accessor.GetResourceVersion()})
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    on("added"),
		UpdateFunc: func(_, object any) { on("updated")(object) },
		DeleteFunc: on("deleted"),
	})
	if err != nil {
		fail(err)
	}
	// What an ended watch says is no error: the reflector goes on from where it was.
	_ = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return
		}
		say(line{Client: client, Event: "error", Error: err.Error()})
	})
	go informer.Run(ctx.Done())
	go func() {
		if cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
			say(line{Client: client, Event: "synced"})
		}
	}()
}

func manage(ctx context.Context, config *rest.Config, kind schema.GroupVersionKind) error {
	ctrl.SetLogger(logr.Discard())
	wait := 5 * time.Second
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Metrics:                 metricsserver.Options{BindAddress: "0"},
		GracefulShutdownTimeout: &wait,
	})
	if err != nil {
		return err
	}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	reconciler := &reconciler{manager: manager, kind: kind}
	if err := ctrl.NewControllerManagedBy(manager).For(object).Complete(reconciler); err != nil {
		return err
	}
	go func() {
		if manager.GetCache().WaitForCacheSync(ctx) {
			say(line{Client: "manager", Event: "synced"})
		}
	}()
	return manager.Start(ctx)
}

// reconciler copies an object's color into a label.
type reconciler struct {
	manager ctrl.Manager
	kind    schema.GroupVersionKind
}

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(r.kind)
	client := r.manager.GetClient()
	if err := client.Get(ctx, request.NamespacedName, object); err != nil {
		return ctrl.Result{}, ignoreNotFound(err)
	}
	color, _, _ := unstructured.NestedString(object.Object, "spec", "color")
	labels := object.GetLabels()
	if labels["color"] == color {
		say(line{Client: "manager", Event: "reconciled", Name: object.GetName(), ResourceVersion: object.GetResourceVersion()})
		return ctrl.Result{}, nil
	}
	if labels == nil {
		labels = map[string]string{}
	}
	labels["color"] = color
	object.SetLabels(labels)
	if err := client.Update(ctx, object); err != nil {
		// Somebody else was faster: it is queued again.
		if apierrors.IsConflict(err) {
			return ctrl.Result{RequeueAfter: time.Millisecond}, nil
		}
		// Or it is gone, and there is nothing left to do.
		if apierrors.IsNotFound(err) {
			return ctrl.Result{}, nil
		}
		say(line{Client: "manager", Event: "error", Name: object.GetName(), Error: err.Error()})
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, nil
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
