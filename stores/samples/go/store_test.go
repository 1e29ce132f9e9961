package main

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	storev1 "example.com/annex-sample-store/gen/annex/store/v1"
)

var notes = &storev1.ResourceRef{Group: group, Version: "v1", Plural: "notes"}

func note(name, text string) *storev1.StoredObject {
	key := &storev1.ObjectKey{Namespace: "ns", Name: name}
	return &storev1.StoredObject{Key: key, Uid: name, Json: []byte(text)}
}

// dial serves a store on a socket of the test's own.
func dial(t *testing.T, store *Store) storev1.StoreServiceClient {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server, _ := newServer(store, make(chan struct{}))
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	connection, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return storev1.NewStoreServiceClient(connection)
}

func TestStaleUpdateIsAConflictThatBringsThePresentObject(t *testing.T) {
	client := dial(t, NewStore(1))
	made, err := client.Create(t.Context(), &storev1.CreateRequest{Resource: notes, Object: note("a", "{}")})
	if err != nil {
		t.Fatal(err)
	}
	stale := made.Object.Revision - 1
	_, err = client.Update(t.Context(), &storev1.UpdateRequest{
		Resource:                notes,
		Object:                  note("a", `{"b":1}`),
		Preconditions:           &storev1.Preconditions{Revision: &stale},
		ReturnCurrentOnConflict: true,
	})
	said := status.Convert(err)
	if said.Code() != codes.Aborted || len(said.Details()) != 1 {
		t.Fatalf("a stale update gave %v", err)
	}
	if current := said.Details()[0].(*storev1.ErrorDetail).Current; string(current.Json) != "{}" {
		t.Fatalf("the present object came as %q", current.Json)
	}
}

func TestWatchResumesFromEveryRevisionAndExpiresBeforeTheFirst(t *testing.T) {
	store := NewStore(100)
	client := dial(t, store)
	for _, name := range []string{"a", "b", "c"} {
		if _, err := client.Create(t.Context(), &storev1.CreateRequest{Resource: notes, Object: note(name, "{}")}); err != nil {
			t.Fatal(err)
		}
	}
	for after := uint64(100); after < 103; after++ {
		if got := next(t, client, after); got.GetEvents().GetEvents()[0].Object.Revision != after+1 {
			t.Fatalf("after %d came %v", after, got)
		}
	}
	stream, err := client.Watch(t.Context(), &storev1.WatchRequest{Resource: notes, Start: &storev1.WatchRequest_After{After: 99}})
	if err != nil {
		t.Fatal(err)
	}
	if frame, err := stream.Recv(); err != nil || frame.GetExpired() == nil {
		t.Fatalf("before the history came %v, %v", frame, err)
	}
}

func TestANewEpochBeginsAboveWhatWasShown(t *testing.T) {
	store := NewStore(5)
	before, _, _ := store.Head("notes")
	store.NotBelow(4)
	if same, _, _ := store.Head("notes"); same != before {
		t.Fatal("an epoch ended without need")
	}
	store.NotBelow(9)
	after, _, _ := store.Head("notes")
	if after.Epoch == before.Epoch || after.Revision != 9 {
		t.Fatalf("the new epoch is %v", after)
	}
}

// next gives the frame after Started of a watch.
func next(t *testing.T, client storev1.StoreServiceClient, after uint64) *storev1.WatchResponse {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := client.Watch(ctx, &storev1.WatchRequest{Resource: notes, Start: &storev1.WatchRequest_After{After: after}})
	if err != nil {
		t.Fatal(err)
	}
	if started, err := stream.Recv(); err != nil || started.GetStarted().GetMark().GetRevision() != after {
		t.Fatalf("a watch began with %v, %v", started, err)
	}
	frame, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return frame
}
