//! The suite that every log has to pass, whatever it is made of: one claim per function, over a
//! place where a log can be opened, closed and opened again. Test code that other crates can run
//! against their adapter: `conformance_suite!(name, place)` makes a test of each claim.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cognitive_complexity,
    clippy::missing_panics_doc,
    clippy::print_stdout,
    reason = "claims are tests: they fail by panicking"
)]

mod answers;
mod expectations;
mod order;
pub mod samples;
mod scenery;
mod tampering;

use std::fmt;
use std::sync::Arc;

use holdfast_domain::log::{EventLog, Feed, Pending};

pub use answers::*;
pub use expectations::*;
pub use order::*;
pub use tampering::*;

/// A log under test.
pub trait Subject: EventLog + Feed + 'static {
    /// Takes no more, writes what waits, lets go of the place.
    fn close(&self) -> Pending<'_, ()>;
}

/// Where a log lives.
pub trait Place: Send + Sync + fmt::Debug {
    /// Opens the log there: empty the first time, as it was left afterwards.
    fn open(&self) -> Pending<'_, Arc<dyn Subject>>;
}

/// Makes a test of each claim, in a module of the given name. With `maybe` the place is an option:
/// none when a store that it needs is not there, and then whoever looked for it has said so, and has
/// failed where every store is required.
#[macro_export]
macro_rules! conformance_suite {
    ($store:ident, maybe $place:expr) => { $crate::conformance_suite!(@suite $store, $place); };
    ($store:ident, $place:expr) => { $crate::conformance_suite!(@suite $store, Some($place)); };
    (@suite $store:ident, $place:expr) => {
        mod $store {
            use super::*;
            $crate::conformance_suite!(@claims $store, $place,
                an_append_stands_as_it_was_written,
                expectations_are_exact,
                a_group_is_judged_in_order_and_by_itself,
                what_expects_a_refused_batch_is_refused,
                a_batch_is_appended_whole_or_not_at_all,
                guards_hold_and_absent_streams_can_be_guarded,
                what_no_store_can_take_is_unsupported,
                the_same_events_again_answer_what_stands,
                the_same_events_elsewhere_are_not_taken,
                a_command_is_answered_once,
                a_refusal_is_remembered_without_an_event,
                a_reader_misses_nothing_while_many_write,
                a_page_never_splits_an_append,
                many_callers_on_one_stream_are_put_in_order,
                a_change_wakes_who_waits,
                everything_stands_after_a_restart,
                a_big_event_survives,
                a_group_larger_than_a_commit_stands_whole,
                a_batch_that_cannot_stand_harms_no_neighbour,
                stored_bytes_verify_live_and_exported,
                every_tampering_is_found,
                an_unknown_event_stops_the_reader,
            );
        }
    };
    (@claims $store:ident, $place:expr, $($claim:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $claim() {
            if let Some(place) = $place {
                println!("log under test: {}", stringify!($store));
                $crate::conformance::$claim(&place).await;
            }
        }
    )*};
}
