//! A medium that takes no more (P1): the log cannot grow, in the middle of a load. The process
//! ends by itself with the exit code that the manual names, and whatever it acknowledged is there.

use std::process::Command;

use crate::lives::Lives;
use crate::load;
use crate::node::{Node, binary};

/// How large a file may become, in units of 512 bytes: the log's write-ahead file is the first to
/// get there.
const BLOCKS_MAX: u32 = 4_096;
/// Far more than fits.
const COMMANDS_MAX: u32 = 20_000;
/// Docs/operations: "failed: ... the log is poisoned".
const POISONED: i32 = 1;

/// The binary with files that cannot grow; a write beyond is an error to it, not a signal.
fn confined() -> Command {
    let script = format!("trap '' XFSZ; ulimit -f {BLOCKS_MAX}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(binary());
    command
}

#[test]
fn a_log_that_cannot_be_written_ends_the_process_and_loses_nothing() {
    let lives = Lives::begin("poison");
    // Views on the disk would be in the way: they may meet the bound first.
    let flags = ["--read-url", "memory:"];
    let node = Node::start_by(confined(), lives.world.data(), &flags, &[]).unwrap();
    let load = load::run(&lives.world, &lives.catalogue, node.address, lives.seed, COMMANDS_MAX);
    let gone = lives.runtime.block_on(load);
    assert!(gone, "it still answers; it says:\n{}", node.said());
    let (status, said) = node.ended();
    assert_eq!(status.code(), Some(POISONED), "{status}: {said}");
    assert!(said.contains("the store failed"), "{said}");
    let evidence = lives.judge("after the end");
    assert!(evidence.events.len() > 100, "the load was too small to say anything");
    // On a medium that takes more again, it goes on where it was.
    lives.settle();
}
