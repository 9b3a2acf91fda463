//! Every variable of ours that the tree reads or sets is one that a node takes: it is handed on to
//! the processes that tests and scripts start, and an unknown one is refused there.

use std::collections::BTreeSet;

use holdfast_api::config::environment::{PREFIX, SWITCHES, judge};

use crate::assert_none;
use crate::workspace::{Source, files};

/// Where wrong ones are planted.
const PLANTED: [&str; 4] = [
    "api/src/config/environment.rs",
    "api/src/config/sources.rs",
    "api/tests/cli.rs",
    "tests/architecture/",
];

/// The variables that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let is_part =
        |letter: char| letter.is_ascii_uppercase() || letter == '_' || letter.is_numeric();
    let words = text.split(|letter| !is_part(letter));
    let ours = words.filter(|word| word.len() > PREFIX.len() && word.starts_with(PREFIX));
    ours.map(str::to_owned).collect()
}

fn unknown(source: &Source) -> Vec<String> {
    let named = named(&source.text).into_iter().filter(|name| judge(name, "").is_err());
    named.map(|name| format!("{}: {name} is refused", source.path)).collect()
}

#[test]
fn every_variable_of_the_tree_is_taken() {
    let sources = files(&["rs", "sh", "md", "yml", "toml"]);
    let judged =
        sources.iter().filter(|source| PLANTED.iter().all(|one| !source.path.starts_with(one)));
    assert_none(&judged.flat_map(unknown).collect::<Vec<_>>());
    let listed = PLANTED[0];
    let others = sources.iter().filter(|source| source.path != listed);
    let all: BTreeSet<_> = others.flat_map(|source| named(&source.text)).collect();
    let gone: Vec<_> = SWITCHES.iter().filter(|one| !all.contains(**one)).collect();
    assert!(gone.is_empty(), "nobody names {gone:?}");
    let planted = Source { path: "x".to_owned(), text: "env(\"HOLDFAST_FAULT\")".to_owned() };
    assert_eq!(unknown(&planted), ["x: HOLDFAST_FAULT is refused"]);
}
