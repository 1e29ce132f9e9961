//! A store for Annex in Rust: objects in memory behind a small log, served over gRPC.
//!
//! `store` keeps objects and their order, `service` speaks the contract's verbs, `catalog` says what is
//! served, this file is the process. To keep objects somewhere else, change `store`.

mod catalog;
mod service;
mod store;

/// The contract in Rust, as build.rs writes it.
#[allow(clippy::all)]
mod v1 {
    tonic::include_proto!("annex.store.v1");
}

use std::{
    error::Error,
    fs, io,
    os::unix::{fs::FileTypeExt, net::UnixStream as StdUnixStream},
    process::ExitCode,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{
    net::{TcpListener, UnixListener},
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig, server::TcpIncoming};
use tonic_health::ServingStatus;

use crate::{
    catalog::Catalog,
    service::Service,
    store::Store,
    v1::{catalog_service_server::CatalogServiceServer, store_service_server::StoreServiceServer},
};

/// An object of the largest size, and room for what is around it. Declared in the description.
const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// A gateway has one connection with a stream for each call and watch; the library allows 200.
const MAX_STREAMS: u32 = 100_000;
/// Calls that a gateway cancels before they are taken up; the library ends the connection at 20.
const MAX_PENDING_RESETS: usize = 10_000;
/// How long calls in flight may take once the process is to stop.
const DRAIN: Duration = Duration::from_secs(5);
/// What reflection gives.
const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/annex.bin"));

const USAGE: &str = "Usage: annex-sample-store [options]

  --listen ADDRESS  unix:PATH or HOST:PORT (default: a fresh unix socket)
  --tls-ca FILE     with --tls-cert and --tls-key: mutual TLS on a TCP address
  --tls-cert FILE
  --tls-key FILE
";

struct Flags {
    listen: Option<String>,
    tls: Option<ServerTlsConfig>,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().json().with_writer(io::stderr).init();
    let flags = match flags() {
        Ok(flags) => flags,
        Err(error) => {
            eprint!("{error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match serve(flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(err = %error, "the store can't go on");
            ExitCode::FAILURE
        }
    }
}

fn flags() -> Result<Flags, Box<dyn Error>> {
    let mut args = pico_args::Arguments::from_env();
    let listen = args.opt_value_from_str("--listen")?;
    let mut file = |name| -> Result<Option<Vec<u8>>, Box<dyn Error>> {
        let path: Option<String> = args.opt_value_from_str(name)?;
        let read = |path: String| fs::read(&path).map_err(|error| format!("{path}: {error}"));
        Ok(path.map(read).transpose()?)
    };
    let tls = match (file("--tls-ca")?, file("--tls-cert")?, file("--tls-key")?) {
        (None, None, None) => None,
        // Whoever shows no certificate of this authority is refused.
        (Some(ca), Some(cert), Some(key)) => Some(
            ServerTlsConfig::new().identity(Identity::from_pem(cert, key)).client_ca_root(Certificate::from_pem(ca)),
        ),
        _ => return Err("--tls-ca, --tls-cert and --tls-key go together".into()),
    };
    match args.finish().first() {
        Some(unknown) => Err(format!("{} is no option", unknown.to_string_lossy()).into()),
        None => Ok(Flags { listen, tls }),
    }
}

async fn serve(flags: Flags) -> Result<(), Box<dyn Error>> {
    // Before the address is out: whoever reads it may stop us at once.
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (stop, stopping) = watch::channel(false);

    let head = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as u64;
    let store = Arc::new(Store::new(head));
    let (checks, health) = tonic_health::server::health_reporter();
    checks.set_serving::<CatalogServiceServer<Catalog>>().await;
    checks.set_serving::<StoreServiceServer<Service>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let service = StoreServiceServer::new(Service::new(store.clone(), stopping.clone()))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    let mut server = Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .http2_max_pending_accept_reset_streams(Some(MAX_PENDING_RESETS));
    if let Some(tls) = flags.tls {
        server = server.tls_config(tls)?;
    }
    let router = server
        .add_service(CatalogServiceServer::new(Catalog::new(store)))
        .add_service(service)
        .add_service(health)
        .add_service(reflection);

    let folder = tempfile::Builder::new().prefix("annex-store-").tempdir()?;
    let fresh = || format!("unix:{}", folder.path().join("store.sock").display());
    let address = flags.listen.unwrap_or_else(fresh);
    let stopped = {
        let mut stopping = stopping.clone();
        async move {
            let _ = stopping.wait_for(|stop| *stop).await;
        }
    };
    let served = if let Some(path) = address.strip_prefix("unix:") {
        remove_stale_socket(path)?;
        let incoming = UnixListenerStream::new(UnixListener::bind(path)?);
        say(&address);
        tokio::spawn(router.serve_with_incoming_shutdown(incoming, stopped))
    } else {
        let incoming = TcpIncoming::from(TcpListener::bind(&address).await?).with_nodelay(Some(true));
        say(&incoming.local_addr()?.to_string());
        tokio::spawn(router.serve_with_incoming_shutdown(incoming, stopped))
    };

    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    tracing::info!("draining");
    for name in ["", "annex.store.v1.CatalogService", "annex.store.v1.StoreService"] {
        checks.set_service_status(name, ServingStatus::NotServing).await;
    }
    stop.send_replace(true);
    // What is not done by then is cut off.
    if let Ok(ended) = tokio::time::timeout(DRAIN, served).await {
        ended??;
    }
    if let Some(path) = address.strip_prefix("unix:") {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// The first line of stdout is the address, for whoever started the process.
fn say(address: &str) {
    println!("{address}");
    tracing::info!(address, "serving");
}

/// A socket whose process is gone only stands in the way.
fn remove_stale_socket(path: &str) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() && StdUnixStream::connect(path).is_err() => fs::remove_file(path),
        _ => Ok(()),
    }
}
