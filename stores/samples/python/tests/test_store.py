"""What the store promises, without gRPC. Beyond this, `annex certify` is the test."""

import asyncio
import unittest

from annex_sample_store import store
from annex_sample_store.store import Conflict, Expired, Key, Mark, NotFound, Object, Store


def note(name: str, json: bytes = b"{}") -> Object:
    return Object(Key("ns", name), uid=name, json=json)


class StoreTest(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.store = Store(head=100)

    async def test_a_stale_update_changes_nothing_and_brings_the_present_object(self) -> None:
        made = self.store.create("notes", note("a"))
        with self.assertRaises(Conflict) as raised:
            self.store.update("notes", note("a", b"[]"), made.revision - 1, None)
        self.assertEqual(raised.exception.current, made)
        self.assertEqual(self.store.get("notes", made.key).json, b"{}")

    async def test_a_delete_mints_a_revision_and_its_event_has_the_last_state(self) -> None:
        made = self.store.create("notes", note("a"))
        removed = self.store.delete("notes", made.key, made.revision, "a")
        events, _ = self.store.after("notes", "", Mark(self.store.epoch, made.revision))
        self.assertEqual([(one.deleted, one.object) for one in events], [(True, removed)])
        self.assertGreater(removed.revision, made.revision)
        with self.assertRaises(NotFound):
            self.store.get("notes", made.key)

    async def test_every_revision_of_the_window_can_be_resumed_from_and_none_before(self) -> None:
        for index in range(store.HISTORY_EVENTS + 5):
            self.store.create("notes", note(f"n{index}"))
        for revision in (self.store.oldest, self.store.head - 1, self.store.head):
            events, _ = self.store.after("notes", "", Mark(self.store.epoch, revision))
            self.assertEqual(len(events), self.store.head - revision)
        with self.assertRaises(Expired):
            self.store.after("notes", "", Mark(self.store.epoch, self.store.oldest - 1))

    async def test_names_are_listed_in_the_order_of_their_bytes(self) -> None:
        for name in ("b", "a", "\U0001f600", "\uffee"):
            self.store.create("notes", note(name))
        names = [one.key.name for one in self.store.collection("notes", "")[0]]
        self.assertEqual(names, ["a", "b", "\uffee", "\U0001f600"])

    async def test_a_new_epoch_begins_above_what_was_shown(self) -> None:
        before = self.store.mark
        self.store.not_below(99)
        self.assertEqual(self.store.mark, before)
        self.store.not_below(200)
        self.assertEqual(self.store.head, 200)
        self.assertNotEqual(self.store.epoch, before.epoch)
        with self.assertRaises(Expired):
            self.store.after("notes", "", before)

    async def test_who_waits_for_a_change_is_woken_by_it(self) -> None:
        waiting = asyncio.create_task(self.store.changed(self.store.mark, timeout=10))
        await asyncio.sleep(0)
        self.store.create("notes", note("a"))
        await asyncio.wait_for(waiting, timeout=1)


if __name__ == "__main__":
    unittest.main()
