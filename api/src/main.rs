//! The binary: everything is in the library.

fn main() -> std::process::ExitCode {
    holdfast_api::cli::run()
}
