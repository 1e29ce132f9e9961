"""What is served: discovery, validation and the columns of kubectl are made from it."""

import hashlib
import logging
from pathlib import Path

import grpc
from annex.store.v1 import catalog_pb2, catalog_pb2_grpc, object_pb2

from .store import HISTORY_EVENTS, Store

# An object of the largest size, and room for what is around it.
MAX_MESSAGE_BYTES = 16 << 20
GROUP = "samples.annex.dev"
SCHEMA = (Path(__file__).parent / "schema.json").read_bytes()

log = logging.getLogger(__name__)


def resource(plural: str, kind: str, scope: catalog_pb2.Scope) -> catalog_pb2.Resource:
    return catalog_pb2.Resource(
        group=GROUP,
        plural=plural,
        kind=kind,
        scope=scope,
        versions=[
            catalog_pb2.Version(
                name="v1",
                served=True,
                schema_json=SCHEMA,
                columns=[catalog_pb2.PrinterColumn(name="Title", type="string", json_path=".spec.title")],
            )
        ],
        storage_version="v1",
        verbs=[
            catalog_pb2.VERB_GET,
            catalog_pb2.VERB_LIST,
            catalog_pb2.VERB_WATCH,
            catalog_pb2.VERB_CREATE,
            catalog_pb2.VERB_UPDATE,
            catalog_pb2.VERB_PATCH,
            catalog_pb2.VERB_DELETE,
            catalog_pb2.VERB_DELETECOLLECTION,
        ],
        # Each is a promise. What isn't declared isn't asked for, and is refused in service.py.
        capabilities=[catalog_pb2.CAPABILITY_RESUME, catalog_pb2.CAPABILITY_PROGRESS],
        resume_window=catalog_pb2.ResumeWindow(min_revisions=HISTORY_EVENTS),
    )


RESOURCES = {
    one.plural: one
    for one in (
        resource("notes", "Note", catalog_pb2.SCOPE_NAMESPACED),
        resource("notebooks", "Notebook", catalog_pb2.SCOPE_CLUSTER),
    )
}


def resource_of(ref: object_pb2.ResourceRef) -> catalog_pb2.Resource | None:
    """Finds the resource that a call is about, among those that are described."""
    return RESOURCES.get(ref.plural) if ref.group == GROUP and ref.subresource == "" else None


def description() -> catalog_pb2.DescribeResponse:
    made = catalog_pb2.DescribeResponse(
        implementation="annex-sample-python",
        implementation_version="1",
        minors=[0],
        revision_scope=catalog_pb2.REVISION_SCOPE_STORE,
        max_message_bytes=MAX_MESSAGE_BYTES,
        resources=RESOURCES.values(),
    )
    made.digest = hashlib.sha256(made.SerializeToString(deterministic=True)).hexdigest()
    return made


class Catalog(catalog_pb2_grpc.CatalogServiceServicer):
    """CatalogService. WatchDescription isn't offered: the description never changes while it runs."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._description = description()
        # What a gateway said last that it refuses.
        self._refused: list[catalog_pb2.RefusedResource] = []

    async def Describe(
        self, request: catalog_pb2.DescribeRequest, context: grpc.aio.ServicerContext
    ) -> catalog_pb2.DescribeResponse:
        """Says what is served. A gateway says here how far its clients have seen."""
        self._store.not_below(request.gateway.not_below)
        if request.if_not_digest == self._description.digest:
            return catalog_pb2.DescribeResponse(digest=self._description.digest, not_modified=True)
        answer = catalog_pb2.DescribeResponse(epoch=self._store.epoch)
        answer.MergeFrom(self._description)
        return answer

    async def Status(
        self, request: catalog_pb2.StatusRequest, context: grpc.aio.ServicerContext
    ) -> catalog_pb2.StatusResponse:
        """Says how the store is, and keeps and logs why a gateway refuses one of its resources."""
        if request.applied.digest == self._description.digest:
            self._refused = list(request.applied.refused)
            for one in self._refused:
                log.warning("the gateway refuses %s: %s", one.plural, one.reason)
        return catalog_pb2.StatusResponse(
            state=catalog_pb2.STORE_STATE_READY,
            epoch=self._store.epoch,
            digest=self._description.digest,
            refused=self._refused,
        )
