"""The contract's verbs. What the description doesn't declare is refused, never ignored: a dry run that
would write, an earlier state that would be the present one.
"""

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import wraps
from typing import NoReturn, TypeVar

import grpc
from annex.store.v1 import catalog_pb2, error_pb2, object_pb2, store_pb2, store_pb2_grpc
from google.protobuf import any_pb2
from google.rpc import status_pb2
from grpc_status import rpc_status

from .catalog import MAX_MESSAGE_BYTES, resource_of
from .store import AlreadyExists, Conflict, Event, Expired, Key, Mark, NotFound, Object, Store

# Bytes and objects of one message: a few messages a list, none near any limit.
CHUNK_BYTES = 1 << 20
CHUNK_ITEMS = 1_000
# Progress is told at least this often (seconds) when the gateway doesn't say how often,
DEFAULT_PROGRESS = 1.0
# and for changes of other resources at once, but not more often than this.
MIN_PROGRESS = 0.02
# gRPC carries error details in trailers, which are small.
MAX_TRAILER_OBJECT = 16 << 10

log = logging.getLogger(__name__)
T = TypeVar("T")


class Refused(Exception):
    """A call that is answered with a code of the contract's table."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def unary(handler: Callable) -> Callable:
    """Answers what a handler raises with the contract's codes. What else it raises is a bug."""

    @wraps(handler)
    async def answered(self, request, context):
        try:
            return await handler(self, request)
        except Exception as error:
            await abort(context, error, getattr(request, "return_current_on_conflict", False))

    return answered


def streaming(handler: Callable) -> Callable:
    """The same for an answer in many messages."""

    @wraps(handler)
    async def answered(self, request, context):
        try:
            async for message in handler(self, request):
                yield message
        except Exception as error:
            await abort(context, error, False)

    return answered


async def abort(context: grpc.aio.ServicerContext, error: Exception, with_current: bool) -> NoReturn:
    match error:
        case Refused():
            await context.abort(error.code, str(error))
        case NotFound():
            await context.abort(grpc.StatusCode.NOT_FOUND, "not found")
        case AlreadyExists():
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, "already exists")
        case Conflict(current=current) if with_current and len(current.json) <= MAX_TRAILER_OBJECT:
            detail = any_pb2.Any()
            detail.Pack(error_pb2.ErrorDetail(current=object_message(current)))
            code = grpc.StatusCode.ABORTED.value[0]
            status = rpc_status.to_status(status_pb2.Status(code=code, message="conflict", details=[detail]))
            await context.abort(status.code, status.details, status.trailing_metadata)
        case Conflict():
            await context.abort(grpc.StatusCode.ABORTED, "conflict")
        case _:
            log.error("a bug", exc_info=error)
            await context.abort(grpc.StatusCode.INTERNAL, "the store failed")


class Service(store_pb2_grpc.StoreServiceServicer):
    """StoreService."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stopping = False

    def stop(self) -> None:
        """Ends every watch, for a gateway to go on elsewhere."""
        self._stopping = True
        self._store.wake()

    @unary
    async def Get(self, request: store_pb2.GetRequest) -> store_pb2.GetResponse:
        resource = described(request.resource)
        key = key_of(request.key, resource)
        self._assert_reached(request.read)
        found = self._store.get(resource.plural, key)
        return store_pb2.GetResponse(object=object_message(found), mark=mark_message(self._store.mark))

    @streaming
    async def List(self, request: store_pb2.ListRequest) -> AsyncIterator[store_pb2.ListResponse]:
        """Sends everything: a limit is a hint, and pages of one state need CAPABILITY_SNAPSHOT_LIST."""
        resource = described(request.resource)
        if request.continue_token:
            raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "the continue token is none of this store's")
        self._assert_reached(request.read)
        objects, mark = self._store.collection(resource.plural, request.namespace)
        limit = min(request.max_chunk_bytes or CHUNK_BYTES, MAX_MESSAGE_BYTES // 2)
        for chunk in pieces(objects, lambda one: len(one.json), limit, CHUNK_ITEMS):
            yield store_pb2.ListResponse(items=map(object_message, chunk))
        yield store_pb2.ListResponse(end=store_pb2.ListEnd(mark=mark_message(mark)))

    @streaming
    async def Watch(self, request: store_pb2.WatchRequest) -> AsyncIterator[store_pb2.WatchResponse]:
        """Sends what changed after a revision, in order, each change once."""
        resource = described(request.resource)
        seen = self._store.mark
        start = request.WhichOneof("start")
        if start == "initial_state":
            raise Refused(grpc.StatusCode.UNIMPLEMENTED, "CAPABILITY_INITIAL_STATE is not declared")
        if start == "after":
            if request.epoch not in ("", seen.epoch):
                yield self._expired("another epoch")
                return
            if request.after > seen.revision:
                yield self._expired("the revision is above the head")
                return
            seen = Mark(seen.epoch, request.after)
        if seen.revision < self._store.oldest:
            yield self._expired("the history begins later")
            return
        started = store_pb2.WatchStarted(mark=mark_message(seen), oldest_resumable=self._store.oldest)
        yield store_pb2.WatchResponse(started=started)
        async for frame in self._follow(request, resource.plural, seen):
            yield frame

    async def _follow(
        self, request: store_pb2.WatchRequest, resource: str, seen: Mark
    ) -> AsyncIterator[store_pb2.WatchResponse]:
        """Sends events and progress until the client goes away or the store stops."""
        idle = max(request.progress_every_ms / 1000 or DEFAULT_PROGRESS, MIN_PROGRESS)
        limit = min(request.max_batch or CHUNK_ITEMS, CHUNK_ITEMS)
        told, told_at = seen.revision, time.monotonic()
        while not self._stopping:
            try:
                events, seen = self._store.after(resource, request.namespace, seen)
            except Expired:
                yield self._expired("the history begins later")
                return
            for batch in pieces(events, lambda event: len(event.object.json), CHUNK_BYTES, limit):
                frame = store_pb2.WatchEvents(events=map(event_message, batch))
                yield store_pb2.WatchResponse(events=frame)
            if events and events[-1].revision == seen.revision:
                told = seen.revision
            wait = told_at + (MIN_PROGRESS if seen.revision > told else idle) - time.monotonic()
            if wait <= 0:
                yield store_pb2.WatchResponse(progress=store_pb2.WatchProgress(mark=mark_message(seen)))
                told, told_at, wait = seen.revision, time.monotonic(), idle
            await self._store.changed(seen, wait)
        raise Refused(grpc.StatusCode.UNAVAILABLE, "the store stops")

    @unary
    async def Create(self, request: store_pb2.CreateRequest) -> store_pb2.CreateResponse:
        resource, new = new_object(request)
        written = self._store.create(resource.plural, new)
        return store_pb2.CreateResponse(object=written_message(written), mark=mark_message(self._store.mark))

    @unary
    async def Update(self, request: store_pb2.UpdateRequest) -> store_pb2.UpdateResponse:
        resource, new = new_object(request)
        written = self._store.update(resource.plural, new, *preconditions_of(request.preconditions))
        return store_pb2.UpdateResponse(object=written_message(written), mark=mark_message(self._store.mark))

    @unary
    async def Delete(self, request: store_pb2.DeleteRequest) -> store_pb2.DeleteResponse:
        resource = described(request.resource)
        assert_no_dry_run(request.dry_run)
        key = key_of(request.key, resource)
        last = self._store.delete(resource.plural, key, *preconditions_of(request.preconditions))
        return store_pb2.DeleteResponse(object=object_message(last), mark=mark_message(self._store.mark))

    @unary
    async def CurrentRevision(
        self, request: store_pb2.CurrentRevisionRequest
    ) -> store_pb2.CurrentRevisionResponse:
        resource = described(request.resource)
        return store_pb2.CurrentRevisionResponse(
            mark=mark_message(self._store.mark), last_change=self._store.last_change(resource.plural)
        )

    def _assert_reached(self, read: object_pb2.ReadConsistency) -> None:
        """Refuses a read that must be newer than the head, or of an earlier state."""
        at = read.WhichOneof("at")
        if at == "exact":
            raise Refused(grpc.StatusCode.UNIMPLEMENTED, "CAPABILITY_EXACT_READ is not declared")
        if at == "not_older_than" and read.not_older_than > self._store.head:
            raise Refused(grpc.StatusCode.UNAVAILABLE, f"revision {read.not_older_than} is not reached")

    def _expired(self, reason: str) -> store_pb2.WatchResponse:
        mark = mark_message(self._store.mark)
        frame = store_pb2.WatchExpired(oldest_resumable=self._store.oldest, mark=mark, reason=reason)
        return store_pb2.WatchResponse(expired=frame)


def described(ref: object_pb2.ResourceRef) -> catalog_pb2.Resource:
    found = resource_of(ref)
    if found is None:
        raise Refused(grpc.StatusCode.UNIMPLEMENTED, f"{ref.plural}.{ref.group} is not served here")
    return found


def key_of(sent: object_pb2.ObjectKey, resource: catalog_pb2.Resource) -> Key:
    is_namespaced = resource.scope == catalog_pb2.SCOPE_NAMESPACED
    if not sent.name or is_namespaced != bool(sent.namespace) or "/" in sent.namespace + sent.name:
        message = f'"{sent.namespace}/{sent.name}" is no key of this resource'
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, message)
    return Key(sent.namespace, sent.name)


def new_object(
    request: store_pb2.CreateRequest | store_pb2.UpdateRequest,
) -> tuple[catalog_pb2.Resource, Object]:
    """Reads what is to be written."""
    resource = described(request.resource)
    assert_no_dry_run(request.dry_run)
    sent = request.object
    return resource, Object(key_of(sent.key, resource), sent.uid, sent.json)


def assert_no_dry_run(dry_run: bool) -> None:
    if dry_run:
        raise Refused(grpc.StatusCode.UNIMPLEMENTED, "CAPABILITY_DRY_RUN is not declared")


def preconditions_of(sent: object_pb2.Preconditions) -> tuple[int, str | None]:
    """Refuses a write without a revision: it could undo what its sender has not seen."""
    if not sent.HasField("revision"):
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "a revision is required as a precondition")
    return sent.revision, sent.uid if sent.HasField("uid") else None


def mark_message(mark: Mark) -> object_pb2.StoreMark:
    return object_pb2.StoreMark(revision=mark.revision, epoch=mark.epoch)


def written_message(one: Object) -> object_pb2.StoredObject:
    """Leaves out the bytes that the gateway has just sent."""
    key = object_pb2.ObjectKey(namespace=one.key.namespace, name=one.key.name)
    return object_pb2.StoredObject(key=key, revision=one.revision, uid=one.uid)


def object_message(one: Object) -> object_pb2.StoredObject:
    message = written_message(one)
    message.json = one.json
    return message


def event_message(event: Event) -> store_pb2.WatchEvent:
    kind = store_pb2.WATCH_EVENT_TYPE_DELETE if event.deleted else store_pb2.WATCH_EVENT_TYPE_PUT
    return store_pb2.WatchEvent(type=kind, object=object_message(event.object))


def pieces(items: list[T], size_of: Callable[[T], int], max_bytes: int, max_items: int) -> Iterator[list[T]]:
    """Cuts a list into pieces of bounded size; one item that is larger is a piece by itself."""
    piece: list[T] = []
    size = 0
    for item in items:
        if piece and (size + size_of(item) > max_bytes or len(piece) == max_items):
            yield piece
            piece, size = [], 0
        piece.append(item)
        size += size_of(item)
    if piece:
        yield piece
