//! `trueup sandbox fault`: calls that go wrong on demand.
use super::Which;
use crate::{
    cli::screen::Screen,
    report::Exit,
    sandbox::{
        control::Ask,
        faults::{Fault, What, When},
    },
};
use anyhow::Context;
use clap::{Args, Subcommand};
use std::{path::PathBuf, str::FromStr};

/// Let calls to the simulated systems go wrong, before or after their effect
#[derive(Args, Debug)]
pub(super) struct FaultIt {
    #[command(flatten)]
    which: Which,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Show the rules, one JSON object a line, with how often each was met
    List,
    /// Remove all rules
    Clear,
    /// Replace all rules by those of a file: one JSON object a line, as `list` shows them
    Set {
        file: PathBuf,
    },
    Add(Add),
}

/// Add a rule: the first that a call meets decides
#[derive(Args, Debug)]
#[command(
    after_help = "For example: trueup sandbox fault --state DIR add drop --system cloudflare --calls 'POST *' --nth 1 --after"
)]
struct Add {
    /// drop, hold, stale, empty-list, truncated-page, delay:MILLISECONDS, or status:CODE with a message after another colon
    what: Spoiled,
    /// proxmox, cloudflare, traefik or host
    #[arg(long, default_value = "*")]
    system: String,
    /// A pattern over the whole call, `*` standing for anything: 'POST */dns_records*', or a command
    #[arg(long, default_value = "*")]
    calls: String,
    /// Only calls that change something
    #[arg(long)]
    writes: bool,
    /// Only the nth that matches, counted from 1
    #[arg(long)]
    nth: Option<u64>,
    /// Let the call have its effect, and spoil the answer
    #[arg(long)]
    after: bool,
}

/// What is done to a call, as it is typed.
#[derive(Clone, Debug)]
struct Spoiled(What);

impl FromStr for Spoiled {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (word, rest) = text.split_once(':').map_or((text, None), |(word, rest)| (word, Some(rest)));
        let what = match (word, rest) {
            ("drop", None) => What::Drop,
            ("hold", None) => What::Hold,
            ("stale", None) => What::Stale,
            ("empty-list", None) => What::EmptyList,
            ("truncated-page", None) => What::TruncatedPage,
            ("delay", Some(ms)) => {
                What::Delay { ms: ms.parse().map_err(|_| format!("`{ms}` is no number of milliseconds"))? }
            }
            ("status", Some(rest)) => {
                let (status, message) = rest.split_once(':').unwrap_or((rest, ""));
                let status = status.parse().map_err(|_| format!("`{status}` is no status"))?;
                What::Status { status, message: message.to_owned() }
            }
            _ => {
                return Err(
                    "one of drop, hold, stale, empty-list, truncated-page, delay:MS, status:CODE is possible".into()
                );
            }
        };
        Ok(Self(what))
    }
}

impl FaultIt {
    pub fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        match self.action {
            Action::List => {
                let rules = self.which.ask(&Ask::Faults)?;
                for rule in rules.as_array().into_iter().flatten() {
                    screen.print(&format!("{rule}\n"));
                }
            }
            Action::Clear => _ = self.which.ask(&Ask::SetFaults(vec![]))?,
            Action::Set { file } => {
                let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
                let rules: Result<Vec<Fault>, _> =
                    text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str).collect();
                let rules = rules.with_context(|| format!("understand {}", file.display()))?;
                self.which.ask(&Ask::SetFaults(rules))?;
            }
            Action::Add(add) => {
                let Add { what: Spoiled(what), system, calls, writes, nth, after } = add;
                let when = if after { When::After } else { When::Before };
                let rule = Fault { writes, nth, when, ..Fault::new(what).on(&system, &calls) };
                self.which.ask(&Ask::AddFault(rule))?;
            }
        }
        Ok(Exit::Done)
    }
}
