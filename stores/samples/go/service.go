package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	storev1 "example.com/annex-sample-store/gen/annex/store/v1"
)

const (
	// Bytes and objects of one message: a few messages a list, none near any limit.
	chunkBytes = 1 << 20
	chunkItems = 1_000
	// Progress is told at least this often when the gateway doesn't say how often,
	defaultProgress = time.Second
	// and for changes of other resources at once, but not more often than this.
	minProgress = 20 * time.Millisecond
	// gRPC carries error details in trailers, which are small.
	maxTrailerObject = 16 << 10
)

// service is StoreService. What the description doesn't declare is refused, never ignored: a dry run
// that would write, an earlier state that would be the present one.
type service struct {
	storev1.UnimplementedStoreServiceServer
	store    *Store
	stopping <-chan struct{}
}

func (s *service) Get(_ context.Context, request *storev1.GetRequest) (*storev1.GetResponse, error) {
	resource, isNamespaced, err := resourceOf(request.GetResource())
	if err != nil {
		return nil, err
	}
	key, err := keyOf(request.GetKey(), isNamespaced)
	if err != nil {
		return nil, err
	}
	if err := s.assertReached(request.GetRead()); err != nil {
		return nil, err
	}
	object, mark, err := s.store.Get(resource, key)
	if err != nil {
		return nil, statusOf(err, false)
	}
	return &storev1.GetResponse{Object: objectMessage(object), Mark: markMessage(mark)}, nil
}

// List sends everything: a limit is a hint, and pages of one state need CAPABILITY_SNAPSHOT_LIST.
func (s *service) List(request *storev1.ListRequest, stream grpc.ServerStreamingServer[storev1.ListResponse]) error {
	resource, _, err := resourceOf(request.GetResource())
	if err != nil {
		return err
	}
	if len(request.GetContinueToken()) > 0 {
		return status.Error(codes.InvalidArgument, "the continue token is none of this store's")
	}
	if err := s.assertReached(request.GetRead()); err != nil {
		return err
	}
	objects, mark := s.store.List(resource, request.GetNamespace())
	limit := chunkBytes
	if asked := request.GetMaxChunkBytes(); asked > 0 && asked < maxMessageBytes {
		limit = int(asked)
	}
	chunk, bytes := &storev1.ListResponse{}, 0
	for _, object := range objects {
		if len(chunk.Items) > 0 && (bytes+len(object.JSON) > limit || len(chunk.Items) == chunkItems) {
			if err := stream.Send(chunk); err != nil {
				return err
			}
			chunk, bytes = &storev1.ListResponse{}, 0
		}
		chunk.Items = append(chunk.Items, objectMessage(object))
		bytes += len(object.JSON)
	}
	chunk.End = &storev1.ListEnd{Mark: markMessage(mark)}
	return stream.Send(chunk)
}

// Watch sends what changed after a revision, in order, each change once.
func (s *service) Watch(request *storev1.WatchRequest, stream grpc.ServerStreamingServer[storev1.WatchResponse]) error {
	resource, _, err := resourceOf(request.GetResource())
	if err != nil {
		return err
	}
	head, oldest, _ := s.store.Head(resource)
	seen := head.Revision
	switch start := request.GetStart().(type) {
	case *storev1.WatchRequest_InitialState:
		return status.Error(codes.Unimplemented, "CAPABILITY_INITIAL_STATE is not declared")
	case *storev1.WatchRequest_After:
		seen = start.After
		if epoch := request.GetEpoch(); epoch != "" && epoch != head.Epoch {
			return stream.Send(expired(head, oldest, "another epoch"))
		}
		if seen > head.Revision {
			return stream.Send(expired(head, oldest, "the revision is above the head"))
		}
		if seen < oldest {
			return stream.Send(expired(head, oldest, "the history begins later"))
		}
	}
	started := &storev1.WatchStarted{Mark: markMessage(Mark{head.Epoch, seen}), OldestResumable: oldest}
	if err := stream.Send(&storev1.WatchResponse{Frame: &storev1.WatchResponse_Started{Started: started}}); err != nil {
		return err
	}
	return s.follow(request, stream, resource, Mark{head.Epoch, seen})
}

// follow sends events and progress until the client goes away or the store stops.
func (s *service) follow(
	request *storev1.WatchRequest,
	stream grpc.ServerStreamingServer[storev1.WatchResponse],
	resource string,
	seen Mark,
) error {
	idle := max(time.Duration(request.GetProgressEveryMs())*time.Millisecond, minProgress)
	if request.GetProgressEveryMs() == 0 {
		idle = defaultProgress
	}
	told, toldAt := seen.Revision, time.Now()
	for {
		events, head, changed, err := s.store.After(resource, request.GetNamespace(), seen.Epoch, seen.Revision)
		if err != nil {
			_, oldest, _ := s.store.Head(resource)
			return stream.Send(expired(head, oldest, "the history begins later"))
		}
		for _, frame := range batchesOf(events, int(request.GetMaxBatch())) {
			if err := stream.Send(frame); err != nil {
				return err
			}
		}
		seen = head
		if len(events) > 0 && events[len(events)-1].Object.Revision == head.Revision {
			told = head.Revision
		}
		wait := idle
		if head.Revision > told {
			wait = minProgress
		}
		if wait -= time.Since(toldAt); wait <= 0 {
			progress := &storev1.WatchProgress{Mark: markMessage(head)}
			frame := &storev1.WatchResponse{Frame: &storev1.WatchResponse_Progress{Progress: progress}}
			if err := stream.Send(frame); err != nil {
				return err
			}
			told, toldAt = head.Revision, time.Now()
			wait = idle
		}
		select {
		case <-changed:
		case <-time.After(wait):
		case <-stream.Context().Done():
			return stream.Context().Err()
		case <-s.stopping:
			return status.Error(codes.Unavailable, "the store stops")
		}
	}
}

func (s *service) Create(_ context.Context, request *storev1.CreateRequest) (*storev1.CreateResponse, error) {
	resource, object, err := objectOf(request.GetResource(), request.GetObject(), request.GetDryRun())
	if err != nil {
		return nil, err
	}
	stored, mark, err := s.store.Create(resource, object)
	if err != nil {
		return nil, statusOf(err, false)
	}
	return &storev1.CreateResponse{Object: writtenMessage(stored), Mark: markMessage(mark)}, nil
}

func (s *service) Update(_ context.Context, request *storev1.UpdateRequest) (*storev1.UpdateResponse, error) {
	resource, object, err := objectOf(request.GetResource(), request.GetObject(), request.GetDryRun())
	if err != nil {
		return nil, err
	}
	must, err := preconditionsOf(request.GetPreconditions())
	if err != nil {
		return nil, err
	}
	stored, mark, err := s.store.Update(resource, object, must)
	if err != nil {
		return nil, statusOf(err, request.GetReturnCurrentOnConflict())
	}
	return &storev1.UpdateResponse{Object: writtenMessage(stored), Mark: markMessage(mark)}, nil
}

func (s *service) Delete(_ context.Context, request *storev1.DeleteRequest) (*storev1.DeleteResponse, error) {
	object := &storev1.StoredObject{Key: request.GetKey()}
	resource, target, err := objectOf(request.GetResource(), object, request.GetDryRun())
	if err != nil {
		return nil, err
	}
	must, err := preconditionsOf(request.GetPreconditions())
	if err != nil {
		return nil, err
	}
	last, mark, err := s.store.Delete(resource, target.Key, must)
	if err != nil {
		return nil, statusOf(err, request.GetReturnCurrentOnConflict())
	}
	return &storev1.DeleteResponse{Object: objectMessage(last), Mark: markMessage(mark)}, nil
}

func (s *service) CurrentRevision(
	_ context.Context, request *storev1.CurrentRevisionRequest,
) (*storev1.CurrentRevisionResponse, error) {
	resource, _, err := resourceOf(request.GetResource())
	if err != nil {
		return nil, err
	}
	mark, _, lastChange := s.store.Head(resource)
	return &storev1.CurrentRevisionResponse{Mark: markMessage(mark), LastChange: lastChange}, nil
}

// assertReached refuses a read that must be newer than the head, or of an earlier state.
func (s *service) assertReached(read *storev1.ReadConsistency) error {
	switch at := read.GetAt().(type) {
	case *storev1.ReadConsistency_Exact:
		return status.Error(codes.Unimplemented, "CAPABILITY_EXACT_READ is not declared")
	case *storev1.ReadConsistency_NotOlderThan:
		if head, _, _ := s.store.Head(""); at.NotOlderThan > head.Revision {
			return status.Errorf(codes.Unavailable, "revision %d is not reached, the head is %d", at.NotOlderThan, head.Revision)
		}
	}
	return nil
}

// objectOf reads what is to be written.
func objectOf(ref *storev1.ResourceRef, sent *storev1.StoredObject, dryRun bool) (string, Object, error) {
	resource, isNamespaced, err := resourceOf(ref)
	if err != nil {
		return "", Object{}, err
	}
	if dryRun {
		return "", Object{}, status.Error(codes.Unimplemented, "CAPABILITY_DRY_RUN is not declared")
	}
	key, err := keyOf(sent.GetKey(), isNamespaced)
	return resource, Object{Key: key, UID: sent.GetUid(), JSON: sent.GetJson()}, err
}

func keyOf(sent *storev1.ObjectKey, isNamespaced bool) (Key, error) {
	key := Key{sent.GetNamespace(), sent.GetName()}
	if key.Name == "" || isNamespaced != (key.Namespace != "") || strings.Contains(key.Namespace+key.Name, "/") {
		return Key{}, status.Errorf(codes.InvalidArgument, "%q is no key of this resource", key.text())
	}
	return key, nil
}

// preconditionsOf refuses a write without a revision: it could undo what its sender has not seen.
func preconditionsOf(sent *storev1.Preconditions) (Preconditions, error) {
	if sent == nil || sent.Revision == nil {
		return Preconditions{}, status.Error(codes.InvalidArgument, "a revision is required as a precondition")
	}
	return Preconditions{Revision: sent.Revision, UID: sent.Uid}, nil
}

// statusOf is the contract's table of errors, for those that this store has.
func statusOf(err error, withCurrent bool) error {
	var conflict conflictError
	switch {
	case errors.Is(err, errNotFound):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, errExists):
		return status.Error(codes.AlreadyExists, err.Error())
	case errors.As(err, &conflict):
		said := status.New(codes.Aborted, err.Error())
		if withCurrent && len(conflict.current.JSON) <= maxTrailerObject {
			detail := &storev1.ErrorDetail{Current: objectMessage(conflict.current)}
			if detailed, err := said.WithDetails(detail); err == nil {
				said = detailed
			}
		}
		return said.Err()
	default:
		return status.Error(codes.Internal, err.Error())
	}
}

func isBug(err error) bool {
	code := status.Code(err)
	return code == codes.Internal || code == codes.Unknown
}

func objectMessage(object Object) *storev1.StoredObject {
	message := writtenMessage(object)
	message.Json = object.JSON
	return message
}

// writtenMessage leaves out the bytes that the gateway has just sent.
func writtenMessage(object Object) *storev1.StoredObject {
	key := &storev1.ObjectKey{Namespace: object.Key.Namespace, Name: object.Key.Name}
	return &storev1.StoredObject{Key: key, Uid: object.UID, Revision: object.Revision}
}

func markMessage(mark Mark) *storev1.StoreMark {
	return &storev1.StoreMark{Revision: mark.Revision, Epoch: mark.Epoch}
}

func expired(head Mark, oldest uint64, reason string) *storev1.WatchResponse {
	frame := &storev1.WatchExpired{OldestResumable: oldest, Mark: markMessage(head), Reason: reason}
	return &storev1.WatchResponse{Frame: &storev1.WatchResponse_Expired{Expired: frame}}
}

// batchesOf cuts events into messages of bounded size. limit 0: as many as fit.
func batchesOf(events []Event, limit int) []*storev1.WatchResponse {
	if limit == 0 || limit > chunkItems {
		limit = chunkItems
	}
	var frames []*storev1.WatchResponse
	var batch *storev1.WatchEvents
	bytes := 0
	for _, event := range events {
		if batch == nil || len(batch.Events) == limit || bytes+len(event.Object.JSON) > chunkBytes {
			batch, bytes = &storev1.WatchEvents{}, 0
			frames = append(frames, &storev1.WatchResponse{Frame: &storev1.WatchResponse_Events{Events: batch}})
		}
		kind := storev1.WatchEventType_WATCH_EVENT_TYPE_PUT
		if event.Deleted {
			kind = storev1.WatchEventType_WATCH_EVENT_TYPE_DELETE
		}
		batch.Events = append(batch.Events, &storev1.WatchEvent{Type: kind, Object: objectMessage(event.Object)})
		bytes += len(event.Object.JSON)
	}
	return frames
}
