//! `trueup sandbox replay`: the simulated Proxmox VE held against recordings of a real one.
use super::serve::Version;
use crate::{
    cli::{format::Format, screen::Screen},
    report::Exit,
    sandbox::replay::{self, Outcome, Start, recording, report},
};
use clap::Args;
use std::path::PathBuf;

const NOTES: &str = "\
A recording is a file of one JSON object a line (.jsonl, .jsonl.gz), each an exchange with a real Proxmox VE;
docs/operating.md says what stands in it. Every scenario starts from the state that `baseline/start-state` shows, which is
looked for among the paths and around them; without one, from a node with one bridge, one directory and one template.

For example:
  trueup sandbox replay recordings/ --differences
  trueup sandbox replay recordings/lxc-config/digest.jsonl
  trueup sandbox replay recordings/ --output json | jq 'select(.result == \"differs\")'

Exit codes:
  0   everything that can be compared agrees, or --floor is reached in every area
  1   something differs, or nothing could be replayed";

/// Send recorded exchanges with a real Proxmox VE to a fresh simulated one, and tell where its answers differ
#[derive(Args, Debug)]
#[command(after_help = NOTES)]
pub(super) struct Replay {
    /// Files of recordings, or folders of them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The release of Proxmox VE to simulate [default: that of the start state]
    #[arg(long, value_name = "VERSION", value_enum)]
    pve_version: Option<Version>,
    /// Leave out the lines that agree
    #[arg(long)]
    differences: bool,
    /// Be content when so many per cent agree in every area
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    floor: Option<u8>,
    /// For people, or one JSON object a line: scenario, seq, result (agrees, differs, not-covered), difference
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

impl Replay {
    pub fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        let recordings = recording::read(&self.paths)?;
        if recordings.start.is_none() {
            screen.warn("no recorded start state was found: the scenarios begin in the documented one");
        }
        let start = Start::of(recordings.start.as_ref())?;
        let release = self.pve_version.map(Version::release).or(start.release()).unwrap_or_default();
        let mut all = Vec::new();
        for scenario in &recordings.scenarios {
            let verdicts = replay::replay(scenario, &start, release)?;
            for verdict in verdicts.iter().filter(|v| !self.differences || v.outcome != Outcome::Agrees) {
                match self.output {
                    Format::Json => screen.print(&format!("{}\n", report::json(verdict))),
                    Format::Text => screen.print(&report::text(verdict)),
                }
            }
            all.extend(verdicts);
        }
        if self.output == Format::Text {
            screen.print(&format!("\n{}", report::table(&all)));
        }
        let (areas, _) = report::shares(&all);
        let content = match self.floor {
            Some(floor) => areas.values().all(|share| share.percent() >= f64::from(floor)),
            None => areas.values().all(|share| share.differs == 0),
        };
        Ok(if content { Exit::Done } else { Exit::Nothing })
    }
}
