//! The conformance suite over the log in KurrentDB: against the double of its protocol always, and
//! against a real server when the tests are given the address of an empty one.
#![cfg(feature = "kurrentdb")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod kurrent;

use holdfast_eventlog::conformance_suite;
use holdfast_test_stores::exercised;
use kurrent::Cluster;

conformance_suite!(kurrentdb_double, {
    exercised("kurrentdb double", "conformance of the event log");
    Cluster::double()
});

conformance_suite!(kurrentdb_real, maybe Cluster::given());
