//! The migrations are compiled in, and cargo does not see by itself when one of them changes.

fn main() {
    println!("cargo::rerun-if-changed=../../../migrations/eventlog");
}
