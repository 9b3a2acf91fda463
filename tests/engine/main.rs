//! The engine over real adapters, in circumstances that cannot be had over HTTP: a clock that runs
//! back, a log that does not answer or answers too late, a provider of payments that is watched, an
//! index of deadlines that shows more than is good. Deliberately not here: what the API promises.

mod ambiguous;
mod attempts;
mod clocks;
mod crowds;
mod defects;
mod hands;
mod index;
mod kurrent;
mod logs;
mod nodes;
mod providers;
mod refunds;
mod reviews;
mod runner;
mod stage;
