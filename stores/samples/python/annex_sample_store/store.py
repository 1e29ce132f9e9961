"""Objects in memory, in one order of revisions for all resources. Knows nothing of gRPC.

Every method that changes something runs to its end without an await: on one event loop nobody sees a
revision before every lower one. With threads, or an await in between, that would take a lock.
"""

import asyncio
import bisect
import uuid
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import NamedTuple

# How many events are kept for watches to resume from. Declared as the resume window.
HISTORY_EVENTS = 10_000


class Key(NamedTuple):
    """Names one object. The namespace is empty for a cluster-scoped one."""

    namespace: str
    name: str

    def order(self) -> bytes:
        return f"{self.namespace}/{self.name}".encode()


class Mark(NamedTuple):
    """A point in the store's history."""

    epoch: str
    revision: int


@dataclass(frozen=True, slots=True)
class Object:
    """An object as it is kept."""

    key: Key
    uid: str
    json: bytes
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One change. For a delete `object` is the last state, under the revision of the delete."""

    resource: str
    deleted: bool
    object: Object

    @property
    def revision(self) -> int:
        return self.object.revision


class NotFound(Exception):
    """There is no such object."""


class AlreadyExists(Exception):
    """The name is taken."""


class Expired(Exception):
    """The events after the revision are gone."""


class Conflict(Exception):
    """A precondition doesn't hold."""

    def __init__(self, current: Object) -> None:
        super().__init__("conflict")
        self.current = current


class Store:
    """An empty store, whose first write has the revision after `head`.

    It has no memory of an earlier process: its head must be above whatever that one can have shown.
    """

    def __init__(self, head: int) -> None:
        self.epoch = str(uuid.uuid4())
        self.head = head
        # The oldest revision after which a watch can begin.
        self.oldest = head
        self._tables: dict[str, dict[Key, Object]] = {}
        self._changes: dict[str, int] = {}
        self._log: list[Event] = []
        self._changed = asyncio.Event()

    @property
    def mark(self) -> Mark:
        return Mark(self.epoch, self.head)

    def last_change(self, resource: str) -> int:
        """Gives the last revision that changed a resource; the oldest there is, if none did."""
        return self._changes.get(resource, self.oldest)

    def not_below(self, revision: int) -> None:
        """Begins a new epoch above a revision that clients have been shown, if the head is lower."""
        if revision <= self.head:
            return
        self.epoch = str(uuid.uuid4())
        self.head = self.oldest = revision
        self._log.clear()
        self.wake()

    def get(self, resource: str, key: Key) -> Object:
        try:
            return self._table(resource)[key]
        except KeyError:
            raise NotFound from None

    def collection(self, resource: str, namespace: str) -> tuple[list[Object], Mark]:
        """Reads a collection in the order of the bytes of namespace/name, all if `namespace` is empty.

        The mark is the head at which it was just so: a watch after it tells exactly what changed since.
        """
        objects = [one for key, one in self._table(resource).items() if namespace in ("", key.namespace)]
        objects.sort(key=lambda one: one.key.order())
        return objects, self.mark

    def create(self, resource: str, new: Object) -> Object:
        if new.key in self._table(resource):
            raise AlreadyExists
        return self._commit(Event(resource, False, new))

    def update(self, resource: str, new: Object, revision: int | None, uid: str | None) -> Object:
        self._present(resource, new.key, revision, uid)
        return self._commit(Event(resource, False, new))

    def delete(self, resource: str, key: Key, revision: int | None, uid: str | None) -> Object:
        """Removes an object, and gives its last state under a revision of its own."""
        current = self._present(resource, key, revision, uid)
        return self._commit(Event(resource, True, current))

    def after(self, resource: str, namespace: str, seen: Mark) -> tuple[list[Event], Mark]:
        """Gives the events of a resource after a mark, and the head up to which they are complete."""
        if seen.epoch != self.epoch or seen.revision < self.oldest:
            raise Expired
        first = bisect.bisect_right(self._log, seen.revision, key=attrgetter("revision"))
        events = [
            event
            for event in self._log[first:]
            if event.resource == resource and namespace in ("", event.object.key.namespace)
        ]
        return events, self.mark

    async def changed(self, seen: Mark, timeout: float) -> None:
        """Waits for the head to be another than `seen`, for `timeout` seconds, or for wake()."""
        if self.mark != seen:
            return
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except TimeoutError:
            pass

    def wake(self) -> None:
        """Lets everybody who waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _table(self, resource: str) -> dict[Key, Object]:
        return self._tables.setdefault(resource, {})

    def _present(self, resource: str, key: Key, revision: int | None, uid: str | None) -> Object:
        current = self.get(resource, key)
        if revision not in (None, current.revision) or uid not in (None, current.uid):
            raise Conflict(current)
        return current

    def _commit(self, event: Event) -> Object:
        """Mints the next revision and makes the change visible under it, in one step."""
        self.head += 1
        stored = replace(event.object, revision=self.head)
        table = self._table(event.resource)
        if event.deleted:
            del table[stored.key]
        else:
            table[stored.key] = stored
        self._changes[event.resource] = self.head
        self._log.append(replace(event, object=stored))
        if len(self._log) > HISTORY_EVENTS:
            self.oldest = self._log.pop(0).revision
        self.wake()
        return stored
