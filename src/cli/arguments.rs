//! What can be typed.
use super::{
    check::Check, completions::Completions, coverage::Coverage, doctor::Doctor, import::Import, lock::Lock, man::Man,
    reconcile::Reconcile, sandbox::Sandbox, schema::Schema, setup::Setup, status::Status,
};
use clap::{Parser, Subcommand};

const ENVIRONMENT: &str = "\
Environment:
  NO_COLOR         no colours, whatever the terminal can do
  TRUEUP_LOG       what to log to standard error: error, warn, info, debug, trace, or a filter such as trueup=debug
  TRUEUP_STATE_DIR where history is kept, unless --state-dir says it";

/// Keeps a Proxmox site true to a git repository of manifests.
#[derive(Parser, Debug)]
#[command(name = "trueup", version, propagate_version = true, max_term_width = 110, after_help = ENVIRONMENT)]
#[command(disable_help_subcommand = true, arg_required_else_help = true, infer_subcommands = false)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    Check(Check),
    Reconcile(Reconcile),
    Status(Status),
    Coverage(Coverage),
    Import(Import),
    Lock(Lock),
    Setup(Setup),
    Doctor(Doctor),
    Schema(Schema),
    Sandbox(Sandbox),
    Completions(Completions),
    #[command(hide = true)]
    Man(Man),
    /// The other side of a fetch: libgit2 cannot be stopped, a process can
    #[command(hide = true)]
    InternalFetch,
}
