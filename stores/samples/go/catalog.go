package main

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"log/slog"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	storev1 "example.com/annex-sample-store/gen/annex/store/v1"
)

//go:embed schema.json
var schemaJSON []byte

const group = "samples.annex.dev"

// described says what is served: discovery, validation and the columns of kubectl are made from it.
func described() []*storev1.Resource {
	return []*storev1.Resource{
		resource("notes", "Note", storev1.Scope_SCOPE_NAMESPACED),
		resource("notebooks", "Notebook", storev1.Scope_SCOPE_CLUSTER),
	}
}

func resource(plural, kind string, scope storev1.Scope) *storev1.Resource {
	return &storev1.Resource{
		Group:  group,
		Plural: plural,
		Kind:   kind,
		Scope:  scope,
		Versions: []*storev1.Version{{
			Name:       "v1",
			Served:     true,
			SchemaJson: schemaJSON,
			Columns:    []*storev1.PrinterColumn{{Name: "Title", Type: "string", JsonPath: ".spec.title"}},
		}},
		StorageVersion: "v1",
		Verbs: []storev1.Verb{
			storev1.Verb_VERB_GET, storev1.Verb_VERB_LIST, storev1.Verb_VERB_WATCH, storev1.Verb_VERB_CREATE,
			storev1.Verb_VERB_UPDATE, storev1.Verb_VERB_PATCH, storev1.Verb_VERB_DELETE,
			storev1.Verb_VERB_DELETECOLLECTION,
		},
		// Each is a promise. What isn't declared isn't asked for, and is refused in service.go.
		Capabilities: []storev1.Capability{
			storev1.Capability_CAPABILITY_RESUME,
			storev1.Capability_CAPABILITY_PROGRESS,
		},
		ResumeWindow: &storev1.ResumeWindow{MinRevisions: historyEvents},
	}
}

// catalog is CatalogService.
type catalog struct {
	storev1.UnimplementedCatalogServiceServer
	store       *Store
	description *storev1.DescribeResponse

	mu      sync.Mutex
	refused []*storev1.RefusedResource // what a gateway said last
}

func newCatalog(store *Store) *catalog {
	description := &storev1.DescribeResponse{
		Implementation:        "annex-sample-go",
		ImplementationVersion: "1",
		Minors:                []uint32{0},
		RevisionScope:         storev1.RevisionScope_REVISION_SCOPE_STORE,
		MaxMessageBytes:       maxMessageBytes,
		Resources:             described(),
	}
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(description)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(bytes)
	description.Digest = hex.EncodeToString(sum[:])
	return &catalog{store: store, description: description}
}

// Describe says what is served. A gateway says here how far its clients have seen.
func (c *catalog) Describe(_ context.Context, request *storev1.DescribeRequest) (*storev1.DescribeResponse, error) {
	c.store.NotBelow(request.GetGateway().GetNotBelow())
	if request.GetIfNotDigest() == c.description.Digest {
		return &storev1.DescribeResponse{Digest: c.description.Digest, NotModified: true}, nil
	}
	answer := proto.CloneOf(c.description)
	mark, _, _ := c.store.Head("")
	answer.Epoch = mark.Epoch
	return answer, nil
}

// Status says how the store is, and keeps and logs why a gateway refuses one of its resources.
func (c *catalog) Status(_ context.Context, request *storev1.StatusRequest) (*storev1.StatusResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if applied := request.GetApplied(); applied.GetDigest() == c.description.Digest {
		c.refused = applied.GetRefused()
		for _, one := range c.refused {
			slog.Warn("the gateway refuses a resource", "resource", one.GetPlural(), "reason", one.GetReason())
		}
	}
	mark, _, _ := c.store.Head("")
	return &storev1.StatusResponse{
		State:   storev1.StoreState_STORE_STATE_READY,
		Epoch:   mark.Epoch,
		Digest:  c.description.Digest,
		Refused: c.refused,
	}, nil
}

// resourceOf finds the resource that a call is about, among those that are described.
func resourceOf(ref *storev1.ResourceRef) (name string, isNamespaced bool, err error) {
	for _, one := range described() {
		if ref.GetGroup() == one.Group && ref.GetPlural() == one.Plural && ref.GetSubresource() == "" {
			return one.Plural, one.Scope == storev1.Scope_SCOPE_NAMESPACED, nil
		}
	}
	return "", false, status.Errorf(codes.Unimplemented, "%s.%s is not served here", ref.GetPlural(), ref.GetGroup())
}
