// One call of client-go's dynamic client, by a resource that its discovery must list as namespaced and
// preferred: create (the object on stdin), list or delete. What the server gave is JSON on stdout.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	kubeconfig := flag.String("kubeconfig", "", "file")
	group := flag.String("group", "", "API group")
	version := flag.String("version", "", "its version")
	plural := flag.String("plural", "", "URL word")
	namespace := flag.String("namespace", "", "where the object is")
	verb := flag.String("verb", "", "create, list or delete")
	name := flag.String("name", "", "of the object to delete")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	resource := schema.GroupVersionResource{Group: *group, Version: *version, Resource: *plural}
	if err := discover(discovery.NewDiscoveryClientForConfigOrDie(config), resource); err != nil {
		return err
	}
	client := dynamic.NewForConfigOrDie(config).Resource(resource).Namespace(*namespace)
	ctx := context.Background()
	switch *verb {
	case "create":
		object := &unstructured.Unstructured{}
		text, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		if err := object.UnmarshalJSON(text); err != nil {
			return err
		}
		created, err := client.Create(ctx, object, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(created)
	case "list":
		list, err := client.List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(list)
	case "delete":
		return client.Delete(ctx, *name, metav1.DeleteOptions{})
	}
	return fmt.Errorf("unknown verb %q", *verb)
}

// discover asks for all preferred resources. Some other group may be away; this one may not.
func discover(client *discovery.DiscoveryClient, resource schema.GroupVersionResource) error {
	lists, failure := client.ServerPreferredNamespacedResources()
	resources, err := discovery.GroupVersionResources(lists)
	if err != nil {
		return err
	}
	if _, ok := resources[resource]; !ok {
		return fmt.Errorf("discovery has no %v: %v", resource, failure)
	}
	return nil
}
