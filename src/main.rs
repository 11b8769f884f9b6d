//! Everything is in the library: see `trueup::cli`.
fn main() -> std::process::ExitCode {
    trueup::cli::main()
}
