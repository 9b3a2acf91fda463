//! The binary: everything is in the library.

/// A command allocates some hundred small pieces on one thread and frees them on another, which the
/// system's allocator spends more time on than the engine on the command (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    holdfast_api::cli::run()
}
