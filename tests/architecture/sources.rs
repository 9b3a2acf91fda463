//! The shape of source files: a head comment, a bounded length, no leftovers, no maps whose order
//! differs between runs without an argument, documented public items.

use crate::assert_none;
use crate::workspace::{Source, files};

/// A longer file holds more than one idea.
const LINES_MAX: usize = 500;

/// Words that say "not finished", written so that this file does not contain them.
const LEFTOVERS: [&str; 7] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
    concat!("dbg", "!("),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
];

/// Kinds of files that people write here.
const WRITTEN: [&str; 8] = ["rs", "sql", "js", "ts", "css", "html", "toml", "sh"];

fn without_head(sources: &[Source]) -> Vec<String> {
    let headless = sources.iter().filter(|source| !source.text.starts_with("//! "));
    headless.map(|source| format!("{} does not say what it is", source.path)).collect()
}

fn too_long(sources: &[Source]) -> Vec<String> {
    let lengths = sources.iter().map(|source| (&source.path, source.text.lines().count()));
    lengths
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(path, lines)| format!("{path} has {lines} lines; at most {LINES_MAX}"))
        .collect()
}

fn leftovers(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for (line, number) in source.text.lines().zip(1_usize..) {
            let words = LEFTOVERS.iter().filter(|word| stands_alone(line, word));
            found.extend(words.map(|word| format!("{}:{number} says {word}", source.path)));
        }
    }
    found
}

/// Whether the word is there and is not a part of another.
fn stands_alone(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let (before, rest) = line.split_at(at);
        let after = rest.strip_prefix(word).unwrap_or_default();
        let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
        let open_end = word.ends_with('(');
        !before.ends_with(is_letter) && (open_end || !after.starts_with(is_letter))
    })
}

fn unordered_maps(sources: &[Source]) -> Vec<String> {
    let unordered = [concat!("Hash", "Map"), concat!("Hash", "Set")];
    let used = |source: &&Source| {
        let code = source.text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let argued = source.text.contains("clippy::disallowed_types");
        !argued && code.into_iter().any(|line| unordered.iter().any(|it| stands_alone(line, it)))
    };
    sources.iter().filter(used).map(|it| format!("{} keeps no order", it.path)).collect()
}

/// A crate's root is its library, or its binary when it has none.
fn undocumented(sources: &[Source]) -> Vec<String> {
    let is_lib = |path: &str| path.ends_with("src/lib.rs");
    let has_lib = |main: &str| {
        let lib = main.replace("main.rs", "lib.rs");
        sources.iter().any(|source| source.path == lib)
    };
    let roots = sources.iter().filter(|source| {
        let main = source.path.ends_with("src/main.rs") && !has_lib(&source.path);
        is_lib(&source.path) || main
    });
    let on = |text: &str| {
        let inner = text.lines().filter_map(|line| line.strip_prefix("#!["));
        inner.into_iter().any(|line| line.contains("missing_docs"))
    };
    roots
        .filter(|source| !on(&source.text))
        .map(|source| format!("{} lets public items go without a word", source.path))
        .collect()
}

#[test]
fn every_file_begins_with_what_it_is() {
    assert_none(&without_head(&files(&["rs"])));
}

#[test]
fn no_file_is_longer_than_it_may_be() {
    assert_none(&too_long(&files(&["rs"])));
}

#[test]
fn nothing_is_left_over() {
    assert_none(&leftovers(&files(&WRITTEN)));
}

#[test]
fn maps_without_an_order_are_argued_for() {
    assert_none(&unordered_maps(&files(&["rs"])));
}

#[test]
fn every_crate_asks_for_documentation() {
    assert_none(&undocumented(&files(&["rs"])));
}

#[test]
fn the_tests_keep_the_lints_of_the_workspace() {
    let read = |path: &str| files(&["toml"]).into_iter().find(|it| it.path == path).unwrap().text;
    assert_none(&missing_lints(&read("Cargo.toml"), &read("tests/Cargo.toml")));
}

/// Lints of the workspace that the tests' own table does not repeat.
fn missing_lints(workspace: &str, tests: &str) -> Vec<String> {
    let broken_by_design =
        ["unwrap_used", "expect_used", "panic", "indexing_slicing", "print_stdout", "print_stderr"];
    let lints = workspace
        .lines()
        .skip_while(|line| !line.starts_with("[workspace.lints"))
        .take_while(|line| !line.starts_with("[profile"))
        .filter(|line| line.contains(" = "));
    lints
        .filter(|line| !broken_by_design.iter().any(|it| line.split(' ').next() == Some(it)))
        .filter(|line| !tests.lines().any(|repeated| repeated == *line))
        .map(|line| format!("tests/Cargo.toml lacks {line}"))
        .collect()
}

fn planted(path: &str, text: &str) -> Vec<Source> {
    vec![Source { path: path.to_owned(), text: text.to_owned() }]
}

#[test]
fn each_planted_violation_is_found() {
    let file = |text: &str| planted("x/src/lib.rs", text);
    assert_eq!(without_head(&file("use std::fmt;\n")).len(), 1);
    assert_eq!(too_long(&file(&"//! x\n".repeat(501))).len(), 1);
    assert!(too_long(&file(&"//! x\n".repeat(500))).is_empty());
    for word in LEFTOVERS {
        assert_eq!(leftovers(&file(&format!("// {word}: later\n"))).len(), 1, "{word}");
    }
    assert!(leftovers(&file(concat!("// ma", "todo", "r, TO", "DOS\n"))).is_empty());
    let map = concat!("use std::collections::Hash", "Map;\n");
    assert_eq!(unordered_maps(&file(map)).len(), 1);
    let argued = format!("#[expect(clippy::disallowed_types, reason = \"\")]\n{map}");
    assert!(unordered_maps(&file(&argued)).is_empty());
    assert_eq!(undocumented(&file("//! x\n")).len(), 1);
    assert_eq!(undocumented(&planted("x/src/main.rs", "//! x\n")).len(), 1);
    assert!(undocumented(&file("//! x\n#![warn(missing_docs)]\n")).is_empty());
    let workspace = "[workspace.lints.rust]\nunsafe_code = \"forbid\"\nunwrap_used = \"deny\"\n";
    assert_eq!(missing_lints(workspace, "").len(), 1);
    assert!(missing_lints(workspace, "unsafe_code = \"forbid\"").is_empty());
}

#[test]
fn the_files_are_read() {
    let here = "tests/architecture/sources.rs";
    assert!(files(&["rs"]).iter().any(|source| source.path == here));
    assert!(files(&["rs"]).len() > 20);
}
