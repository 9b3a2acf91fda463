//! Migrations of the stores: no folder is empty, and within a folder each has a number of its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::assert_none;
use crate::workspace::{files, root};

/// The names of the files per folder.
type Folders = BTreeMap<String, Vec<String>>;

fn violations(folders: &Folders) -> Vec<String> {
    let mut found = Vec::new();
    if folders.is_empty() {
        found.push("there is no migration at all".to_owned());
    }
    for (folder, names) in folders {
        if names.is_empty() {
            found.push(format!("{folder} is empty"));
        }
        let mut numbers = BTreeSet::new();
        for name in names {
            let number = name.split_once('_').and_then(|(number, _)| number.parse::<u64>().ok());
            match number {
                None => found.push(format!("{folder}/{name} does not begin with a number")),
                Some(number) if !numbers.insert(number) => {
                    found.push(format!("{folder} has two migrations {number}"));
                }
                Some(_) => {}
            }
        }
    }
    found
}

/// The folders of the stores, `migrations/<port>/<store>`, with their SQL files.
fn folders() -> Folders {
    let mut folders = Folders::new();
    let subfolders = |path: std::path::PathBuf| {
        let entries = std::fs::read_dir(path).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    };
    for store in subfolders(root().join("migrations")).flat_map(subfolders) {
        let name = store.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        folders.insert(name, Vec::new());
    }
    for file in files(&["sql"]) {
        if let Some((folder, name)) = file.path.rsplit_once('/')
            && let Some(names) = folders.get_mut(folder)
        {
            names.push(name.to_owned());
        }
    }
    folders
}

#[test]
fn every_store_has_migrations_and_each_has_its_number() {
    assert_none(&violations(&folders()));
}

#[test]
fn each_planted_violation_is_found() {
    let folder = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Folders::from([("migrations/eventlog/sqlite".to_owned(), names)])
    };
    assert_none(&violations(&folder(&["0001_log.sql", "0002_chain.sql"])));
    assert_eq!(violations(&Folders::new()).len(), 1);
    assert_eq!(violations(&folder(&[])).len(), 1);
    assert_eq!(violations(&folder(&["0001_log.sql", "0001_chain.sql"])).len(), 1);
    assert_eq!(violations(&folder(&["log.sql"])).len(), 1);
}
