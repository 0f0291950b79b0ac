//! Runs scenarios of the official Rust SDK's client and prints what happened, one JSON object a line.
//!
//!     acp-rust-client '{"url": "ws://127.0.0.1:8081", "cwd": "/tmp"}' SCENARIO...
//!
//! Settings and output are those of tests/clients/run.mjs; the facts are judged by the same checks.
mod connection;
mod scenarios;

use serde_json::{Value, json};
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let settings: Value = serde_json::from_str(&arguments.next().expect("settings")).expect("JSON");
    let patience = Duration::from_secs(settings["seconds"].as_u64().unwrap_or(30));
    let mut failed = false;
    for name in arguments {
        let played = tokio::time::timeout(patience, scenarios::play(&name, &settings)).await;
        let line = match played {
            Ok(Ok(facts)) => json!({ "scenario": name, "facts": facts }),
            Ok(Err(error)) => json!({ "scenario": name, "failure": connection::describe(&error) }),
            Err(_) => json!({ "scenario": name, "failure": { "message": "it takes too long" } }),
        };
        failed |= line.get("failure").is_some();
        println!("{line}");
    }
    std::process::exit(i32::from(failed));
}
