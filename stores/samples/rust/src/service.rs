//! The contract's verbs. What the description doesn't declare is refused, never ignored: a dry run that
//! would write, an earlier state that would be the present one.

use std::{pin::Pin, sync::Arc, time::Duration};

use async_stream::try_stream;
use prost::Message;
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tokio_stream::{Stream, iter};
use tonic::{Code, Request, Response, Status};

use crate::{
    MAX_MESSAGE_BYTES,
    catalog::{Served, served},
    store::{Event, Key, Mark, Object, Preconditions, Refusal, Store},
    v1::{
        self, CreateRequest, CreateResponse, CurrentRevisionRequest, CurrentRevisionResponse, DeleteCollectionRequest,
        DeleteCollectionResponse, DeleteRequest, DeleteResponse, ErrorDetail, GetRequest, GetResponse, ListEnd,
        ListRequest, ListResponse, ObjectKey, ReadConsistency, ResourceRef, StoreMark, StoredObject, UpdateRequest,
        UpdateResponse, WatchEvent, WatchEventType, WatchEvents, WatchExpired, WatchProgress, WatchRequest,
        WatchResponse, WatchStarted, read_consistency::At, store_service_server::StoreService, watch_request::Start,
        watch_response::Frame,
    },
};

/// Bytes and objects of one message: a few messages a list, none near any limit.
const CHUNK_BYTES: usize = 1 << 20;
const CHUNK_ITEMS: usize = 1_000;
/// Progress is told at least this often when the gateway doesn't say how often,
const DEFAULT_PROGRESS: Duration = Duration::from_secs(1);
/// and for changes of other resources at once, but not more often than this.
const MIN_PROGRESS: Duration = Duration::from_millis(20);
/// gRPC carries error details in trailers, which are small.
const MAX_TRAILER_OBJECT: usize = 16 << 10;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// StoreService.
pub struct Service {
    store: Arc<Store>,
    /// True: every watch ends, for a gateway to go on elsewhere.
    stopping: watch::Receiver<bool>,
}

impl Service {
    pub fn new(store: Arc<Store>, stopping: watch::Receiver<bool>) -> Self {
        Self { store, stopping }
    }

    /// Refuses a read that must be newer than the head, or of an earlier state.
    fn assert_reached(&self, read: Option<ReadConsistency>) -> Result<(), Status> {
        match read.and_then(|read| read.at) {
            Some(At::Exact(_)) => Err(Status::unimplemented("CAPABILITY_EXACT_READ is not declared")),
            Some(At::NotOlderThan(revision)) if revision > self.store.mark().revision => {
                Err(Status::unavailable(format!("revision {revision} is not reached")))
            }
            _ => Ok(()),
        }
    }
}

#[tonic::async_trait]
impl StoreService for Service {
    type ListStream = Answers<ListResponse>;
    type WatchStream = Answers<WatchResponse>;
    type DeleteCollectionStream = Answers<DeleteCollectionResponse>;

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let GetRequest { resource, key, read, .. } = request.into_inner();
        let resource = served(resource.as_ref())?;
        let key = key_of(key, resource)?;
        self.assert_reached(read)?;
        let (found, mark) = self.store.get(resource.plural, &key).map_err(|refusal| status_of(refusal, false))?;
        Ok(Response::new(GetResponse { object: Some(found.into()), mark: Some(mark.into()) }))
    }

    /// Sends everything: a limit is a hint, and pages of one state need CAPABILITY_SNAPSHOT_LIST.
    async fn list(&self, request: Request<ListRequest>) -> Result<Response<Self::ListStream>, Status> {
        let request = request.into_inner();
        let resource = served(request.resource.as_ref())?;
        if !request.continue_token.is_empty() {
            return Err(Status::invalid_argument("the continue token is none of this store's"));
        }
        self.assert_reached(request.read)?;
        let (objects, mark) = self.store.list(resource.plural, &request.namespace);
        let max_bytes = match request.max_chunk_bytes as usize {
            0 => CHUNK_BYTES,
            asked => asked.min(MAX_MESSAGE_BYTES / 2),
        };
        let chunks = pieces(objects, |one| one.json.len(), max_bytes, CHUNK_ITEMS)
            .map(|chunk| ListResponse { items: chunk.into_iter().map(Into::into).collect(), end: None });
        let end = ListEnd { mark: Some(mark.into()), ..Default::default() };
        let last = ListResponse { items: vec![], end: Some(end) };
        Ok(Response::new(Box::pin(iter(chunks.chain([last]).map(Ok)))))
    }

    /// Sends what changed after a revision, in order, each change once.
    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let deadline = deadline_of(&request);
        let request = request.into_inner();
        let resource = served(request.resource.as_ref())?;
        let head = self.store.mark();
        let after = match request.start {
            Some(Start::InitialState(_)) => {
                return Err(Status::unimplemented("CAPABILITY_INITIAL_STATE is not declared"));
            }
            Some(Start::After(revision)) => Some(revision),
            Some(Start::Now(_)) | None => None,
        };
        let oldest = self.store.oldest();
        let gone = match after {
            Some(_) if !request.epoch.is_empty() && *request.epoch != *head.epoch => Some("another epoch"),
            Some(revision) if revision > head.revision => Some("the revision is above the head"),
            Some(revision) if revision < oldest => Some("the history begins later"),
            _ => None,
        };
        if let Some(reason) = gone {
            let frame = expired(&self.store, reason);
            return Ok(Response::new(Box::pin(iter([Ok(frame)]))));
        }
        let seen = Mark { revision: after.unwrap_or(head.revision), ..head };
        let stopping = self.stopping.clone();
        let frames = follow(self.store.clone(), stopping, resource.plural, request, seen, deadline);
        Ok(Response::new(Box::pin(frames)))
    }

    async fn create(&self, request: Request<CreateRequest>) -> Result<Response<CreateResponse>, Status> {
        let CreateRequest { resource, object, dry_run, .. } = request.into_inner();
        let (resource, object) = object_of(resource, object, dry_run)?;
        let (written, mark) =
            self.store.create(resource.plural, object).map_err(|refusal| status_of(refusal, false))?;
        let object = Some(without_json(written));
        Ok(Response::new(CreateResponse { object, mark: Some(mark.into()), ..Default::default() }))
    }

    async fn update(&self, request: Request<UpdateRequest>) -> Result<Response<UpdateResponse>, Status> {
        let request = request.into_inner();
        let (resource, object) = object_of(request.resource, request.object, request.dry_run)?;
        let must = preconditions_of(request.preconditions)?;
        let (written, mark) = self
            .store
            .update(resource.plural, object, &must)
            .map_err(|refusal| status_of(refusal, request.return_current_on_conflict))?;
        let object = Some(without_json(written));
        Ok(Response::new(UpdateResponse { object, mark: Some(mark.into()), ..Default::default() }))
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        let request = request.into_inner();
        let sent = StoredObject { key: request.key, ..Default::default() };
        let (resource, Object { key, .. }) = object_of(request.resource, Some(sent), request.dry_run)?;
        let must = preconditions_of(request.preconditions)?;
        let (last, mark) = self
            .store
            .delete(resource.plural, &key, &must)
            .map_err(|refusal| status_of(refusal, request.return_current_on_conflict))?;
        Ok(Response::new(DeleteResponse { object: Some(last.into()), mark: Some(mark.into()), ..Default::default() }))
    }

    async fn delete_collection(
        &self,
        _: Request<DeleteCollectionRequest>,
    ) -> Result<Response<Self::DeleteCollectionStream>, Status> {
        Err(Status::unimplemented("CAPABILITY_NATIVE_DELETE_COLLECTION is not declared"))
    }

    async fn current_revision(
        &self,
        request: Request<CurrentRevisionRequest>,
    ) -> Result<Response<CurrentRevisionResponse>, Status> {
        let resource = served(request.into_inner().resource.as_ref())?;
        let (mark, last_change) = self.store.current_revision(resource.plural);
        Ok(Response::new(CurrentRevisionResponse { mark: Some(mark.into()), last_change }))
    }
}

/// Gives when a call must have ended. tonic sees to that until the answer begins; a watch has to look by itself.
fn deadline_of<T>(request: &Request<T>) -> Instant {
    /// Nobody waits so long; a later one could not be counted.
    const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);
    let sent = request.metadata().get("grpc-timeout").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (amount, unit) = sent.split_at(sent.len().saturating_sub(1));
    let left = amount.parse().ok().and_then(|amount: u64| match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    });
    Instant::now() + left.unwrap_or(FOREVER).min(FOREVER)
}

/// Sends events and progress until the client goes away, which drops the stream, or the store stops.
fn follow(
    store: Arc<Store>,
    mut stopping: watch::Receiver<bool>,
    resource: &'static str,
    request: WatchRequest,
    mut seen: Mark,
    deadline: Instant,
) -> impl Stream<Item = Result<WatchResponse, Status>> + Send {
    let idle = match request.progress_every_ms {
        0 => DEFAULT_PROGRESS,
        asked => Duration::from_millis(asked.into()).max(MIN_PROGRESS),
    };
    let max_items = match request.max_batch as usize {
        0 => CHUNK_ITEMS,
        asked => asked.min(CHUNK_ITEMS),
    };
    try_stream! {
        let started = WatchStarted {
            mark: Some(seen.clone().into()),
            oldest_resumable: store.oldest(),
            applied: None,
        };
        yield frame(Frame::Started(started));
        let mut changes = store.changes();
        let (mut told, mut told_at) = (seen.revision, Instant::now());
        loop {
            changes.mark_unchanged();
            let Ok((events, head)) = store.after(resource, &request.namespace, &seen) else {
                yield expired(&store, "the history begins later");
                break;
            };
            seen = head;
            if events.last().is_some_and(|event| event.object.revision == seen.revision) {
                told = seen.revision;
            }
            for batch in pieces(events, |event| event.object.json.len(), CHUNK_BYTES, max_items) {
                let events = batch.into_iter().map(Into::into).collect();
                yield frame(Frame::Events(WatchEvents { events }));
            }
            let pause = if seen.revision > told { MIN_PROGRESS } else { idle };
            let mut wait = pause.saturating_sub(told_at.elapsed());
            if wait.is_zero() {
                yield frame(Frame::Progress(WatchProgress { mark: Some(seen.clone().into()) }));
                (told, told_at, wait) = (seen.revision, Instant::now(), idle);
            }
            let end = tokio::select! {
                _ = changes.changed() => None,
                _ = sleep(wait) => None,
                _ = sleep_until(deadline) => Some(Status::deadline_exceeded("the watch's time is over")),
                _ = stopping.wait_for(|stop| *stop) => Some(Status::unavailable("the store stops")),
            };
            if let Some(status) = end {
                Err(status)?;
            }
        }
    }
}

fn key_of(sent: Option<ObjectKey>, resource: &Served) -> Result<Key, Status> {
    let ObjectKey { namespace, name } = sent.unwrap_or_default();
    let has_slash = namespace.contains('/') || name.contains('/');
    if name.is_empty() || has_slash || resource.is_namespaced() == namespace.is_empty() {
        return Err(Status::invalid_argument(format!("\"{namespace}/{name}\" is no key of this resource")));
    }
    Ok(Key { namespace, name })
}

/// Reads what is to be written.
fn object_of(
    resource: Option<ResourceRef>,
    sent: Option<StoredObject>,
    dry_run: bool,
) -> Result<(&'static Served, Object), Status> {
    let resource = served(resource.as_ref())?;
    if dry_run {
        return Err(Status::unimplemented("CAPABILITY_DRY_RUN is not declared"));
    }
    let StoredObject { key, uid, json, .. } = sent.unwrap_or_default();
    Ok((resource, Object { key: key_of(key, resource)?, uid, revision: 0, json }))
}

/// Refuses a write without a revision: it could undo what its sender has not seen.
fn preconditions_of(sent: Option<v1::Preconditions>) -> Result<Preconditions, Status> {
    match sent {
        Some(v1::Preconditions { revision: Some(revision), uid }) => {
            Ok(Preconditions { revision: Some(revision), uid })
        }
        _ => Err(Status::invalid_argument("a revision is required as a precondition")),
    }
}

/// google.rpc.Status, in which gRPC carries an error's details.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

/// The contract's table of errors, for those that this store has.
fn status_of(refusal: Refusal, with_current: bool) -> Status {
    match refusal {
        Refusal::NotFound => Status::not_found("not found"),
        Refusal::AlreadyExists => Status::already_exists("already exists"),
        Refusal::Conflict(current) if with_current && current.json.len() <= MAX_TRAILER_OBJECT => {
            let detail = ErrorDetail { current: Some((*current).into()), ..Default::default() };
            let detail = prost_types::Any {
                type_url: "type.googleapis.com/annex.store.v1.ErrorDetail".into(),
                value: detail.encode_to_vec(),
            };
            let status = RpcStatus { code: Code::Aborted.into(), message: "conflict".into(), details: vec![detail] };
            Status::with_details(Code::Aborted, "conflict", status.encode_to_vec().into())
        }
        Refusal::Conflict(_) => Status::aborted("conflict"),
    }
}

fn frame(frame: Frame) -> WatchResponse {
    WatchResponse { frame: Some(frame) }
}

fn expired(store: &Store, reason: &str) -> WatchResponse {
    let mark = Some(store.mark().into());
    frame(Frame::Expired(WatchExpired { oldest_resumable: store.oldest(), mark, reason: reason.into() }))
}

/// Leaves out the bytes that the gateway has just sent.
fn without_json(written: Object) -> StoredObject {
    StoredObject { json: Default::default(), ..written.into() }
}

impl From<Object> for StoredObject {
    fn from(object: Object) -> Self {
        let Object { key: Key { namespace, name }, uid, revision, json } = object;
        Self { key: Some(ObjectKey { namespace, name }), revision, uid, json, ..Default::default() }
    }
}

impl From<Event> for WatchEvent {
    fn from(event: Event) -> Self {
        let kind = if event.deleted { WatchEventType::Delete } else { WatchEventType::Put };
        Self { r#type: kind.into(), object: Some(event.object.into()), previous: None }
    }
}

impl From<Mark> for StoreMark {
    fn from(mark: Mark) -> Self {
        Self { revision: mark.revision, epoch: mark.epoch.to_string() }
    }
}

/// Cuts a list into pieces of bounded size; one item that is larger is a piece by itself.
fn pieces<T>(
    items: Vec<T>,
    size_of: impl Fn(&T) -> usize,
    max_bytes: usize,
    max_items: usize,
) -> impl Iterator<Item = Vec<T>> {
    let mut items = items.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut piece = vec![items.next()?];
        let mut bytes = size_of(&piece[0]);
        while piece.len() < max_items
            && let Some(next) = items.next_if(|next| bytes + size_of(next) <= max_bytes)
        {
            bytes += size_of(&next);
            piece.push(next);
        }
        Some(piece)
    })
}
