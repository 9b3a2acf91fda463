//! The catalogue of events in `docs/events` says what the code says. It is written by
//! `UPDATE=1 cargo test -p holdfast-tests --test architecture`, never by hand.

use std::fmt::Write;
use std::fs;

use holdfast_domain::event::{Definition, Event};
use holdfast_domain::log::Category;

use crate::workspace::root;

const PATH: &str = "docs/events/README.md";

const HEAD: &str = "\
# Events

Every fact that the log can hold, by the stream it stands in. This page is generated from the code
and checked against it; `UPDATE=1 cargo test -p holdfast-tests --test architecture` writes it.

A stored name and version are a contract: a shape that was ever stored is read for ever. Beside
each fact stand the ids of the event and its command, what led to it, who acted, and when the
command was accepted.
";

fn page(catalogue: &[(Category, &[Definition])]) -> String {
    let mut page = HEAD.to_owned();
    for (category, definitions) in catalogue {
        write!(page, "\n## {0}\n\nStream `{0}-<uuid>`.\n", category.name()).unwrap();
        for definition in *definitions {
            let name = format!("{}.{}", category.name(), definition.name);
            let meaning = sentence(definition.meaning);
            write!(page, "\n### `{name}` version {}\n\n{meaning}\n", definition.schema).unwrap();
            if !definition.upcast_from.is_empty() {
                let older: Vec<_> = definition.upcast_from.iter().map(u32::to_string).collect();
                write!(page, "\nAlso read: version {}.\n", older.join(", ")).unwrap();
            }
            if !definition.fields.is_empty() {
                page.push_str("\n| field | meaning |\n| --- | --- |\n");
            }
            for (field, meaning) in definition.fields {
                writeln!(page, "| `{field}` | {} |", sentence(meaning)).unwrap();
            }
        }
    }
    page
}

/// The lines of a documentation comment as one; a bar would end a table's cell.
fn sentence(lines: &str) -> String {
    lines.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[test]
fn the_catalogue_of_events_is_what_the_code_says() {
    let (path, expected) = (root().join(PATH), page(&Event::catalogue()));
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{PATH} is not what the code says: write it with UPDATE=1");
}

#[test]
fn a_planted_event_and_a_planted_field_change_the_page() {
    let with = |name, upcast_from, fields| {
        let definition =
            Definition { name, schema: 2, upcast_from, meaning: " It was\n lit.\n", fields };
        page(&[(Category::Calendar, &[definition])])
    };
    let plain = with("lit", &[], &[]);
    assert!(plain.contains("### `calendar.lit` version 2\n\nIt was lit.\n"), "{plain}");
    assert_ne!(plain, with("unlit", &[], &[]));
    assert_ne!(plain, with("lit", &[1], &[]));
    assert!(with("lit", &[], &[("a", " One | two.")]).contains("| `a` | One \\| two. |"));
}

#[test]
fn every_event_has_a_meaning_and_so_has_every_field() {
    for (category, definitions) in Event::catalogue() {
        for definition in definitions {
            let name = format!("{}.{}", category.name(), definition.name);
            assert!(!sentence(definition.meaning).is_empty(), "{name}");
            for (field, meaning) in definition.fields {
                assert!(!sentence(meaning).is_empty(), "{name}.{field}");
            }
        }
    }
}
