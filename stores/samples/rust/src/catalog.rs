//! What is served: discovery, validation and the columns of kubectl are made from it.

use std::sync::{Arc, Mutex};

use prost::{Message, bytes::Bytes};
use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status};

use crate::{
    MAX_MESSAGE_BYTES,
    store::{HISTORY_EVENTS, Store},
    v1::{
        Capability, DescribeRequest, DescribeResponse, PrinterColumn, RefusedResource, Resource, ResourceRef,
        ResumeWindow, RevisionScope, Scope, StatusRequest, StatusResponse, StoreState, Verb, Version,
        WatchDescriptionRequest, WatchDescriptionResponse, catalog_service_server::CatalogService,
    },
};

const GROUP: &str = "samples.annex.dev";

/// One resource that is served.
pub struct Served {
    pub plural: &'static str,
    kind: &'static str,
    scope: Scope,
}

impl Served {
    pub fn is_namespaced(&self) -> bool {
        self.scope == Scope::Namespaced
    }
}

static SERVED: [Served; 2] = [
    Served { plural: "notes", kind: "Note", scope: Scope::Namespaced },
    Served { plural: "notebooks", kind: "Notebook", scope: Scope::Cluster },
];

/// Finds the resource that a call is about, among those that are described.
pub fn served(sent: Option<&ResourceRef>) -> Result<&'static Served, Status> {
    let asked = sent.cloned().unwrap_or_default();
    let is_asked = |one: &&Served| asked.group == GROUP && asked.plural == one.plural && asked.subresource.is_empty();
    let unknown = || Status::unimplemented(format!("{}.{} is not served here", asked.plural, asked.group));
    SERVED.iter().find(is_asked).ok_or_else(unknown)
}

fn resource(served: &Served) -> Resource {
    let title = PrinterColumn {
        name: "Title".into(),
        r#type: "string".into(),
        json_path: ".spec.title".into(),
        ..Default::default()
    };
    let verbs = [
        Verb::Get,
        Verb::List,
        Verb::Watch,
        Verb::Create,
        Verb::Update,
        Verb::Patch,
        Verb::Delete,
        Verb::Deletecollection,
    ];
    // Each is a promise. What isn't declared isn't asked for, and is refused in service.rs.
    let capabilities = [Capability::Resume, Capability::Progress];
    Resource {
        group: GROUP.into(),
        plural: served.plural.into(),
        kind: served.kind.into(),
        scope: served.scope.into(),
        versions: vec![Version {
            name: "v1".into(),
            served: true,
            schema_json: Bytes::from_static(include_bytes!("schema.json")),
            columns: vec![title],
            ..Default::default()
        }],
        storage_version: "v1".into(),
        verbs: verbs.map(Into::into).into(),
        capabilities: capabilities.map(Into::into).into(),
        resume_window: Some(ResumeWindow { min_revisions: HISTORY_EVENTS as u64, min_age_ms: 0 }),
        ..Default::default()
    }
}

/// CatalogService. WatchDescription isn't offered: the description never changes while it runs.
pub struct Catalog {
    store: Arc<Store>,
    description: DescribeResponse,
    /// What a gateway said last that it refuses.
    refused: Mutex<Vec<RefusedResource>>,
}

impl Catalog {
    pub fn new(store: Arc<Store>) -> Self {
        let mut description = DescribeResponse {
            implementation: "annex-sample-rust".into(),
            implementation_version: "1".into(),
            minors: vec![0],
            revision_scope: RevisionScope::Store.into(),
            max_message_bytes: MAX_MESSAGE_BYTES as u64,
            resources: SERVED.iter().map(resource).collect(),
            ..Default::default()
        };
        description.digest = format!("{:x}", Sha256::digest(description.encode_to_vec()));
        Self { store, description, refused: Mutex::default() }
    }
}

#[tonic::async_trait]
impl CatalogService for Catalog {
    type WatchDescriptionStream = tokio_stream::Empty<Result<WatchDescriptionResponse, Status>>;

    /// Says what is served. A gateway says here how far its clients have seen.
    async fn describe(&self, request: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        let DescribeRequest { if_not_digest, gateway } = request.into_inner();
        self.store.not_below(gateway.map_or(0, |gateway| gateway.not_below));
        if if_not_digest == self.description.digest {
            let known = DescribeResponse { digest: if_not_digest, not_modified: true, ..Default::default() };
            return Ok(Response::new(known));
        }
        let epoch = self.store.mark().epoch.to_string();
        Ok(Response::new(DescribeResponse { epoch, ..self.description.clone() }))
    }

    async fn watch_description(
        &self,
        _: Request<WatchDescriptionRequest>,
    ) -> Result<Response<Self::WatchDescriptionStream>, Status> {
        Err(Status::unimplemented("the description does not change while the store runs"))
    }

    /// Says how the store is, and keeps and logs why a gateway refuses one of its resources.
    async fn status(&self, request: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let mut refused = self.refused.lock().expect("nothing panics while it holds this");
        if let Some(applied) = request.into_inner().applied
            && applied.digest == self.description.digest
        {
            for one in &applied.refused {
                tracing::warn!(resource = one.plural, reason = one.reason, "the gateway refuses a resource");
            }
            *refused = applied.refused;
        }
        Ok(Response::new(StatusResponse {
            state: StoreState::Ready.into(),
            epoch: self.store.mark().epoch.to_string(),
            digest: self.description.digest.clone(),
            refused: refused.clone(),
            ..Default::default()
        }))
    }
}
