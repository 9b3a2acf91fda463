//! Every dependency comes under a licence that we may ship under. Covers what this platform builds;
//! `deny.toml` says the same for all platforms.

use crate::assert_none;
use crate::workspace::{Package, packages};

const ALLOWED: [&str; 10] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Zlib",
];

fn violations(packages: &[Package]) -> Vec<String> {
    let refused = packages
        .iter()
        .filter(|package| package.license.as_deref().and_then(is_allowed) != Some(true));
    refused
        .map(|package| {
            let licence = package.license.as_deref().unwrap_or("no licence");
            format!("{} {} comes under {licence}", package.name, package.version)
        })
        .collect()
}

/// Whether an SPDX expression can be satisfied with what is allowed; `None` when it is none.
fn is_allowed(expression: &str) -> Option<bool> {
    // The old spelling of a choice is a slash.
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<_> = spaced.split_whitespace().collect();
    let (allowed, rest) = choice(&words)?;
    rest.is_empty().then_some(allowed)
}

/// Terms joined by `OR`: one is enough.
fn choice<'a, 'b>(words: &'a [&'b str]) -> Option<(bool, &'a [&'b str])> {
    let (mut allowed, mut rest) = all(words)?;
    while let Some(("OR", after)) = split(rest) {
        let (next, left) = all(after)?;
        (allowed, rest) = (allowed || next, left);
    }
    Some((allowed, rest))
}

/// Terms joined by `AND`: each is needed.
fn all<'a, 'b>(words: &'a [&'b str]) -> Option<(bool, &'a [&'b str])> {
    let (mut allowed, mut rest) = term(words)?;
    while let Some(("AND", after)) = split(rest) {
        let (next, left) = term(after)?;
        (allowed, rest) = (allowed && next, left);
    }
    Some((allowed, rest))
}

/// A licence, perhaps with an exception, which only ever permits more; or an expression in brackets.
fn term<'a, 'b>(words: &'a [&'b str]) -> Option<(bool, &'a [&'b str])> {
    match split(words)? {
        ("(", inner) => {
            let (allowed, rest) = choice(inner)?;
            match split(rest)? {
                (")", rest) => Some((allowed, rest)),
                _ => None,
            }
        }
        ("OR" | "AND" | "WITH" | ")", _) => None,
        (licence, rest) => match split(rest) {
            Some(("WITH", exception)) => Some((ALLOWED.contains(&licence), exception.get(1..)?)),
            _ => Some((ALLOWED.contains(&licence), rest)),
        },
    }
}

fn split<'a, 'b>(words: &'a [&'b str]) -> Option<(&'b str, &'a [&'b str])> {
    words.split_first().map(|(first, rest)| (*first, rest))
}

#[test]
fn every_dependency_comes_under_a_licence_that_we_accept() {
    assert_none(&violations(&packages()));
}

#[test]
fn expressions_are_read_as_they_are_meant() {
    for (expression, expected) in [
        ("MIT", Some(true)),
        ("GPL-3.0-only", Some(false)),
        ("GPL-3.0-only OR MIT", Some(true)),
        ("GPL-3.0-only AND MIT", Some(false)),
        ("MIT/Apache-2.0", Some(true)),
        ("(MIT OR GPL-2.0-only) AND Unicode-3.0", Some(true)),
        ("MIT OR Apache-2.0 AND GPL-2.0-only", Some(true)),
        ("(MIT OR Apache-2.0) AND GPL-2.0-only", Some(false)),
        ("Apache-2.0 WITH LLVM-exception", Some(true)),
        ("GPL-2.0-only WITH Classpath-exception-2.0", Some(false)),
        ("", None),
        ("MIT OR", None),
        ("(MIT", None),
        ("MIT Apache-2.0", None),
    ] {
        assert_eq!(is_allowed(expression), expected, "{expression}");
    }
}

#[test]
fn a_planted_copyleft_licence_and_a_missing_one_are_found() {
    let mut packages = packages();
    assert!(packages.len() > 20, "the graph was read");
    packages[0].license = Some("AGPL-3.0-only".to_owned());
    packages[1].license = None;
    assert_eq!(violations(&packages[..2]).len(), 2);
}
