//! House rules that neither the compiler nor the lints can see: who may depend on whom, licences,
//! the shape of source files, migrations, and the catalogue of events. Each rule is a pure function
//! over what was read, and is shown to find a planted violation before it is believed.

mod catalogue;
mod containers;
mod free_text;
mod layering;
mod licences;
mod migrations;
mod sources;
mod variables;
mod workspace;

/// Fails with every violation there is, not with the first one.
#[track_caller]
fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}
