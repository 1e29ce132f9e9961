package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"sort"
	"strings"
	"sync"
)

// historyEvents is how many events are kept for watches to resume from. Declared as the resume window.
const historyEvents = 10_000

// Key names one object. Namespace is empty for a cluster-scoped one.
type Key struct{ Namespace, Name string }

func (key Key) text() string { return key.Namespace + "/" + key.Name }

// Object is an object as it is kept. It is never changed once it is in the store: readers share it.
type Object struct {
	Key      Key
	UID      string
	Revision uint64
	JSON     []byte
}

// Event is one change. For a delete Object is the last state, under the revision of the delete.
type Event struct {
	Resource string
	Deleted  bool
	Object   Object
}

// Preconditions must hold for a write. A nil one always does.
type Preconditions struct {
	Revision *uint64
	UID      *string
}

var (
	errNotFound = errors.New("not found")
	errExists   = errors.New("already exists")
	// errExpired: the events after the revision are gone.
	errExpired = errors.New("expired")
)

// conflictError says that a precondition doesn't hold, and what is there.
type conflictError struct{ current Object }

func (conflictError) Error() string { return "conflict" }

// Store keeps objects in memory, in one order of revisions for all resources.
//
// A write mints its revision, changes the table and appends its event under one lock, so that nobody
// sees a revision before every lower one.
type Store struct {
	mu      sync.Mutex
	epoch   string
	head    uint64
	oldest  uint64 // the oldest revision after which a watch can begin
	tables  map[string]map[Key]Object
	changes map[string]uint64 // the last revision that changed a resource
	log     []Event
	changed chan struct{} // closed and replaced by every change
}

// NewStore makes an empty store whose first write has the revision after head. It has no memory of
// an earlier process, so its head must be above whatever that one can have shown.
func NewStore(head uint64) *Store {
	return &Store{
		epoch:   newEpoch(),
		head:    head,
		oldest:  head,
		tables:  map[string]map[Key]Object{},
		changes: map[string]uint64{},
		changed: make(chan struct{}),
	}
}

// Mark is a point in the store's history.
type Mark struct {
	Epoch    string
	Revision uint64
}

// Head gives the present mark, the oldest revision that can be resumed from, and the last revision
// that changed a resource.
func (s *Store) Head(resource string) (mark Mark, oldest, lastChange uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lastChange = s.oldest
	if changed, known := s.changes[resource]; known {
		lastChange = changed
	}
	return Mark{s.epoch, s.head}, s.oldest, lastChange
}

// NotBelow begins a new epoch above a revision that clients have been shown, if the head is lower.
func (s *Store) NotBelow(revision uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if revision <= s.head {
		return
	}
	s.epoch, s.head, s.oldest, s.log = newEpoch(), revision, revision, nil
	s.wake()
}

// Get reads one object, and a head that its state is not older than.
func (s *Store) Get(resource string, key Key) (Object, Mark, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	object, found := s.tables[resource][key]
	if !found {
		return Object{}, Mark{}, errNotFound
	}
	return object, Mark{s.epoch, s.head}, nil
}

// List reads a collection in the order of the bytes of namespace/name, and the head at which it was
// just so: a watch after that tells exactly what changed since. An empty namespace reads all.
func (s *Store) List(resource, namespace string) ([]Object, Mark) {
	s.mu.Lock()
	objects := make([]Object, 0, len(s.tables[resource]))
	for key, object := range s.tables[resource] {
		if namespace == "" || key.Namespace == namespace {
			objects = append(objects, object)
		}
	}
	mark := Mark{s.epoch, s.head}
	s.mu.Unlock()
	sort.Slice(objects, func(a, b int) bool {
		return strings.Compare(objects[a].Key.text(), objects[b].Key.text()) < 0
	})
	return objects, mark
}

// Create writes a new object and gives it with its revision.
func (s *Store) Create(resource string, object Object) (Object, Mark, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.tables[resource][object.Key]; taken {
		return Object{}, Mark{}, errExists
	}
	stored := s.commit(Event{Resource: resource, Object: object})
	return stored, Mark{s.epoch, s.head}, nil
}

// Update writes the next state of an object.
func (s *Store) Update(resource string, object Object, must Preconditions) (Object, Mark, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.present(resource, object.Key, must); err != nil {
		return Object{}, Mark{}, err
	}
	stored := s.commit(Event{Resource: resource, Object: object})
	return stored, Mark{s.epoch, s.head}, nil
}

// Delete removes an object. The answer is its last state under a revision of its own.
func (s *Store) Delete(resource string, key Key, must Preconditions) (Object, Mark, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	current, err := s.present(resource, key, must)
	if err != nil {
		return Object{}, Mark{}, err
	}
	stored := s.commit(Event{Resource: resource, Deleted: true, Object: current})
	return stored, Mark{s.epoch, s.head}, nil
}

// After gives the events of a resource after a revision of an epoch, the head up to which they are
// complete, and a channel that is closed by the next change.
func (s *Store) After(resource, namespace, epoch string, revision uint64) ([]Event, Mark, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mark := Mark{s.epoch, s.head}
	if epoch != s.epoch || revision < s.oldest {
		return nil, mark, nil, errExpired
	}
	first := sort.Search(len(s.log), func(i int) bool { return s.log[i].Object.Revision > revision })
	var events []Event
	for _, event := range s.log[first:] {
		if event.Resource == resource && (namespace == "" || event.Object.Key.Namespace == namespace) {
			events = append(events, event)
		}
	}
	return events, mark, s.changed, nil
}

func (s *Store) present(resource string, key Key, must Preconditions) (Object, error) {
	current, found := s.tables[resource][key]
	switch {
	case !found:
		return Object{}, errNotFound
	case must.Revision != nil && *must.Revision != current.Revision,
		must.UID != nil && *must.UID != current.UID:
		return Object{}, conflictError{current}
	}
	return current, nil
}

// commit mints the next revision and makes the change visible under it, in one step.
func (s *Store) commit(event Event) Object {
	s.head++
	event.Object.Revision = s.head
	table := s.tables[event.Resource]
	if table == nil {
		table = map[Key]Object{}
		s.tables[event.Resource] = table
	}
	if event.Deleted {
		delete(table, event.Object.Key)
	} else {
		table[event.Object.Key] = event.Object
	}
	s.changes[event.Resource] = s.head
	if len(s.log) == historyEvents {
		s.oldest = s.log[0].Object.Revision
		s.log = s.log[1:]
	}
	s.log = append(s.log, event)
	s.wake()
	return event.Object
}

func (s *Store) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func newEpoch() string {
	bytes := make([]byte, 16)
	rand.Read(bytes)
	return hex.EncodeToString(bytes)
}
