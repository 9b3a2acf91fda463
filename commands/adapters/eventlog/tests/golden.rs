//! Stored shapes are a contract: one golden file for each event and version, never edited, only
//! added. `GOLDEN=write` writes the files that are missing.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use holdfast_domain::event::Event;
use holdfast_domain::log::Position;
use holdfast_eventlog::codec::decode_payload;
use holdfast_eventlog::conformance::samples::samples;
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/golden/events")
}

fn file(name: &str, schema: u32) -> PathBuf {
    folder().join(format!("{name}.v{schema}.json"))
}

fn payload(event: &Event) -> Value {
    event.serialize_payload(serde_json::value::Serializer).unwrap()
}

#[test]
fn every_event_has_a_golden_file_and_its_sample_still_gives_it() {
    let mut missing = Vec::new();
    for event in samples() {
        let path = file(&event.name(), event.kind().1);
        if !path.exists() && std::env::var_os("GOLDEN").is_some_and(|order| order == "write") {
            let text = serde_json::to_string_pretty(&payload(&event)).unwrap();
            std::fs::write(&path, text + "\n").unwrap();
        }
        match std::fs::read_to_string(&path) {
            Err(_absent) => missing.push(path),
            Ok(text) => {
                let golden: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(golden, payload(&event), "{} changed its shape", event.name());
            }
        }
    }
    assert!(missing.is_empty(), "golden files are missing: {missing:?}");
}

#[test]
fn every_version_of_the_catalogue_has_a_golden_file() {
    let mut expected = BTreeSet::new();
    for (category, definitions) in Event::catalogue() {
        for definition in definitions {
            for schema in definition.upcast_from.iter().chain([&definition.schema]) {
                expected.insert(format!("{}.{}.v{schema}.json", category.name(), definition.name));
            }
        }
    }
    let found: BTreeSet<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    assert!(missing.is_empty(), "without a golden file: {missing:?}");
    let unknown: Vec<_> = found.difference(&expected).collect();
    assert!(unknown.is_empty(), "golden files of events that are no longer read: {unknown:?}");
}

#[test]
fn every_golden_payload_is_read_and_written_back_the_same() {
    let mut read = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (name, schema) = stem.rsplit_once(".v").unwrap();
        let schema = schema.parse().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let event = decode_payload(name, schema, &bytes, Position(1)).unwrap();
        if event.kind().1 == schema {
            let golden: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(payload(&event), golden, "{stem}");
        }
        assert_eq!(event.name(), name);
        read += 1;
    }
    assert!(read > 0);
}
