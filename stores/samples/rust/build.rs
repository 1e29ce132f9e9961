//! Writes the contract in Rust, and its description for reflection, into OUT_DIR; no protoc is needed.
//!
//! PROTO names the folder that holds annex/store/v1; by default it is this repository's.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    let proto = env::var("PROTO").unwrap_or_else(|_| "../../../proto".into());
    println!("cargo:rerun-if-env-changed=PROTO");
    println!("cargo:rerun-if-changed={proto}");
    let served = ["annex/store/v1/catalog.proto", "annex/store/v1/error.proto", "annex/store/v1/store.proto"];
    let files = protox::compile(served, [&proto])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("annex.bin"), files.encode_to_vec())?;
    // An object's bytes are shared by all who read it.
    tonic_prost_build::configure().build_client(false).bytes(".").compile_fds(files)?;
    Ok(())
}
