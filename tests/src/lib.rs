//! The suites that look at Holdfast from outside of a single crate. The library is empty on purpose:
//! each suite is a test target of its own.
#![warn(missing_docs)]
