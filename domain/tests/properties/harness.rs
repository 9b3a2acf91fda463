//! Runs a law over random inputs, and over planted faults, which it must catch.

use std::fmt::Debug;

use holdfast_domain::event::Event;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// What a law says about an input: fine, or what is broken.
pub(crate) type Verdict = Result<(), String>;

/// Says what is broken unless `holds`.
pub(crate) fn ensure(holds: bool, what: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(what()) }
}

fn config() -> Config {
    let told = std::env::var_os("PROPTEST_CASES").is_some();
    let cases = if told { Config::default().cases } else { 1_000 };
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// The law holds for every input that is tried; a failure shows the smallest input that breaks it.
#[track_caller]
pub(crate) fn assert_law<S: Strategy>(inputs: &S, law: impl Fn(S::Value) -> Verdict) {
    let outcome =
        TestRunner::new(config()).run(inputs, |input| law(input).map_err(TestCaseError::fail));
    if let Err(broken) = outcome {
        panic!("{broken}");
    }
}

/// The law is broken by a planted fault, and the checker sees it within the usual number of inputs.
/// The inputs are the same in every run.
#[track_caller]
pub(crate) fn assert_caught<S>(fault: &str, inputs: &S, law: impl Fn(S::Value) -> Verdict)
where
    S: Strategy<Value: Debug>,
{
    let config = Config { max_shrink_iters: 0, cases: 1_000, ..config() };
    let rng = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
    let outcome = TestRunner::new_with_rng(config, rng)
        .run(inputs, |input| law(input).map_err(TestCaseError::fail));
    assert!(outcome.is_err(), "nobody noticed: {fault}");
}

/// The event as it comes back from a store: written as JSON, read by its name and version.
pub(crate) fn stored(event: &Event) -> Event {
    let mut bytes = Vec::new();
    event.serialize_payload(&mut serde_json::Serializer::new(&mut bytes)).unwrap();
    let mut reader = serde_json::Deserializer::from_slice(&bytes);
    let (_, schema) = event.kind();
    Event::deserialize_payload(&event.name(), schema, &mut reader).unwrap()
}
