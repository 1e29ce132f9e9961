//! Objects in memory, in one order of revisions for all resources. Knows nothing of gRPC.
//!
//! A write mints its revision, changes the table and appends its event under one lock, so that nobody
//! sees a revision before every lower one.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use prost::bytes::Bytes;
use tokio::sync::watch;
use uuid::Uuid;

/// How many events are kept for watches to resume from. Declared as the resume window.
pub const HISTORY_EVENTS: usize = 10_000;

/// Names one object. The namespace is empty for a cluster-scoped one. Ordered by the bytes of
/// `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub namespace: String,
    pub name: String,
}

impl Key {
    fn bytes(&self) -> impl Iterator<Item = u8> {
        self.namespace.bytes().chain(*b"/").chain(self.name.bytes())
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// An object as it is kept. Cheap to clone: its bytes are shared.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    pub key: Key,
    pub uid: String,
    /// 0 before it is written.
    pub revision: u64,
    pub json: Bytes,
}

/// One change. For a delete `object` is the last state, under the revision of the delete.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub resource: &'static str,
    pub deleted: bool,
    pub object: Object,
}

/// A point in the store's history.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    pub epoch: Arc<str>,
    pub revision: u64,
}

/// What must hold for a write.
#[derive(Clone, Debug, Default)]
pub struct Preconditions {
    pub revision: Option<u64>,
    pub uid: Option<String>,
}

/// Why a call was not done.
#[derive(Debug, PartialEq)]
pub enum Refusal {
    NotFound,
    AlreadyExists,
    /// A precondition doesn't hold; the object as it is.
    Conflict(Box<Object>),
}

/// The events after the revision are gone.
#[derive(Debug, PartialEq)]
pub struct Expired;

/// See the module.
pub struct Store {
    state: Mutex<State>,
    /// The head, for who waits for a change.
    head: watch::Sender<u64>,
}

struct State {
    epoch: Arc<str>,
    head: u64,
    /// The oldest revision after which a watch can begin.
    oldest: u64,
    tables: HashMap<&'static str, BTreeMap<Key, Object>>,
    /// The last revision that changed a resource.
    changes: HashMap<&'static str, u64>,
    log: VecDeque<Event>,
}

impl Store {
    /// Makes an empty store whose first write has the revision after `head`. It has no memory of an
    /// earlier process, so its head must be above whatever that one can have shown.
    pub fn new(head: u64) -> Self {
        let state = State {
            epoch: new_epoch(),
            head,
            oldest: head,
            tables: HashMap::new(),
            changes: HashMap::new(),
            log: VecDeque::new(),
        };
        Self { state: Mutex::new(state), head: watch::Sender::new(head) }
    }

    pub fn mark(&self) -> Mark {
        self.lock().mark()
    }

    pub fn oldest(&self) -> u64 {
        self.lock().oldest
    }

    /// Gives the head, and the last revision that changed a resource: the oldest there is, if none did.
    pub fn current_revision(&self, resource: &str) -> (Mark, u64) {
        let state = self.lock();
        (state.mark(), state.changes.get(resource).copied().unwrap_or(state.oldest))
    }

    /// Tells of each change of the head.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Begins a new epoch above a revision that clients have been shown, if the head is lower.
    pub fn not_below(&self, revision: u64) {
        let mut state = self.lock();
        if revision <= state.head {
            return;
        }
        state.epoch = new_epoch();
        state.head = revision;
        state.oldest = revision;
        state.log.clear();
        self.head.send_replace(revision);
    }

    /// Reads one object, and a head that its state is not older than.
    pub fn get(&self, resource: &str, key: &Key) -> Result<(Object, Mark), Refusal> {
        let state = self.lock();
        let found = state.tables.get(resource).and_then(|table| table.get(key)).ok_or(Refusal::NotFound)?;
        Ok((found.clone(), state.mark()))
    }

    /// Reads a collection in key order, all if the namespace is empty, and the head at which it was just
    /// so: a watch after that tells exactly what changed since.
    pub fn list(&self, resource: &str, namespace: &str) -> (Vec<Object>, Mark) {
        let state = self.lock();
        let objects = state.tables.get(resource).into_iter().flat_map(BTreeMap::values);
        let is_asked = |one: &&Object| namespace.is_empty() || one.key.namespace == namespace;
        (objects.filter(is_asked).cloned().collect(), state.mark())
    }

    pub fn create(&self, resource: &'static str, object: Object) -> Result<(Object, Mark), Refusal> {
        let mut state = self.lock();
        if state.present(resource, &object.key, &Preconditions::default()).is_ok() {
            return Err(Refusal::AlreadyExists);
        }
        Ok(self.commit(&mut state, Event { resource, deleted: false, object }))
    }

    pub fn update(
        &self,
        resource: &'static str,
        object: Object,
        must: &Preconditions,
    ) -> Result<(Object, Mark), Refusal> {
        let mut state = self.lock();
        state.present(resource, &object.key, must)?;
        Ok(self.commit(&mut state, Event { resource, deleted: false, object }))
    }

    /// Removes an object, and gives its last state under a revision of its own.
    pub fn delete(&self, resource: &'static str, key: &Key, must: &Preconditions) -> Result<(Object, Mark), Refusal> {
        let mut state = self.lock();
        let object = state.present(resource, key, must)?;
        Ok(self.commit(&mut state, Event { resource, deleted: true, object }))
    }

    /// Gives the events of a resource after a mark, and the head up to which they are complete.
    pub fn after(&self, resource: &str, namespace: &str, seen: &Mark) -> Result<(Vec<Event>, Mark), Expired> {
        let state = self.lock();
        if seen.epoch != state.epoch || seen.revision < state.oldest {
            return Err(Expired);
        }
        let first = state.log.partition_point(|event| event.object.revision <= seen.revision);
        let is_asked = |event: &&Event| {
            event.resource == resource && (namespace.is_empty() || event.object.key.namespace == namespace)
        };
        Ok((state.log.range(first..).filter(is_asked).cloned().collect(), state.mark()))
    }

    /// Mints the next revision and makes the change visible under it, in one step.
    fn commit(&self, state: &mut State, mut event: Event) -> (Object, Mark) {
        state.head += 1;
        event.object.revision = state.head;
        let object = event.object.clone();
        let table = state.tables.entry(event.resource).or_default();
        if event.deleted {
            table.remove(&object.key);
        } else {
            table.insert(object.key.clone(), object.clone());
        }
        state.changes.insert(event.resource, state.head);
        if state.log.len() == HISTORY_EVENTS
            && let Some(gone) = state.log.pop_front()
        {
            state.oldest = gone.object.revision;
        }
        state.log.push_back(event);
        self.head.send_replace(state.head);
        (object, state.mark())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("a call panicked while it changed the store")
    }
}

impl State {
    fn mark(&self) -> Mark {
        Mark { epoch: self.epoch.clone(), revision: self.head }
    }

    fn present(&self, resource: &str, key: &Key, must: &Preconditions) -> Result<Object, Refusal> {
        let current = self.tables.get(resource).and_then(|table| table.get(key)).ok_or(Refusal::NotFound)?;
        let is_met = must.revision.is_none_or(|revision| revision == current.revision)
            && must.uid.as_ref().is_none_or(|uid| *uid == current.uid);
        if is_met { Ok(current.clone()) } else { Err(Refusal::Conflict(Box::new(current.clone()))) }
    }
}

fn new_epoch() -> Arc<str> {
    Uuid::new_v4().to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(name: &str, json: &'static str) -> Object {
        let key = Key { namespace: "ns".into(), name: name.into() };
        Object { key, uid: name.into(), revision: 0, json: Bytes::from_static(json.as_bytes()) }
    }

    fn at(revision: u64) -> Preconditions {
        Preconditions { revision: Some(revision), uid: None }
    }

    #[test]
    fn a_stale_update_changes_nothing_and_brings_the_present_object() {
        let store = Store::new(100);
        let (made, _) = store.create("notes", note("a", "{}")).unwrap();
        let refused = store.update("notes", note("a", "[]"), &at(made.revision - 1));
        assert_eq!(refused, Err(Refusal::Conflict(Box::new(made.clone()))));
        assert_eq!(store.get("notes", &made.key).unwrap().0, made);
    }

    #[test]
    fn a_delete_mints_a_revision_and_its_event_has_the_last_state() {
        let store = Store::new(100);
        let (made, mark) = store.create("notes", note("a", "{}")).unwrap();
        let (removed, _) = store.delete("notes", &made.key, &at(made.revision)).unwrap();
        let (events, _) = store.after("notes", "", &mark).unwrap();
        assert_eq!(events, [Event { resource: "notes", deleted: true, object: removed.clone() }]);
        assert_eq!((removed.revision, removed.json), (made.revision + 1, made.json));
        assert_eq!(store.get("notes", &made.key), Err(Refusal::NotFound));
    }

    #[test]
    fn every_revision_of_the_window_can_be_resumed_from_and_none_before() {
        let store = Store::new(100);
        for index in 0..HISTORY_EVENTS + 5 {
            store.create("notes", note(&format!("n{index}"), "{}")).unwrap();
        }
        let Mark { epoch, revision: head } = store.mark();
        for revision in [store.oldest(), head - 1, head] {
            let (events, _) = store.after("notes", "", &Mark { epoch: epoch.clone(), revision }).unwrap();
            assert_eq!(events.len() as u64, head - revision);
        }
        let before = Mark { epoch, revision: store.oldest() - 1 };
        assert_eq!(store.after("notes", "", &before), Err(Expired));
    }

    #[test]
    fn keys_are_ordered_by_the_bytes_of_both_parts() {
        let key = |namespace: &str, name: &str| Key { namespace: namespace.into(), name: name.into() };
        assert!(key("a-b", "x") < key("a", "x"), "'-' is before '/'");
        assert!(key("a", "x") < key("a", "y"));
    }

    #[test]
    fn a_new_epoch_begins_above_what_was_shown() {
        let store = Store::new(5);
        let before = store.mark();
        store.not_below(4);
        assert_eq!(store.mark(), before);
        store.not_below(9);
        assert_eq!(store.mark().revision, 9);
        assert_eq!(store.after("notes", "", &before), Err(Expired));
    }
}
