//! `trueup schema [KIND] [--out DIR]`
use super::screen::Screen;
use crate::{
    kinds::{KINDS, Kind, schema_file, schema_files, schema_of, schema_of_all},
    manifest::suggest,
    model::{Class, Failure},
    report::Exit,
};
use anyhow::Context;
use clap::Args;
use serde_json::Value;
use std::{fs, path::PathBuf};

const EXAMPLES: &str = "\
Editors with a YAML language server use a schema that is named in the first line of a file:
  # yaml-language-server: $schema=schemas/trueup.schema.json";

/// Print the JSON Schema of manifests, of one kind or of all
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Schema {
    /// The kind: Container, PortAllocation, …; without it, one schema for all kinds
    kind: Option<String>,
    /// Write them as files instead: one for each kind, and `trueup.schema.json` for all
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Schema {
    pub fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        let kind = self.kind.as_deref().map(known).transpose()?;
        let Some(directory) = self.out else {
            screen.print(&text(&kind.map_or_else(schema_of_all, schema_of))?);
            return Ok(Exit::Done);
        };
        fs::create_dir_all(&directory).with_context(|| format!("make the directory {}", directory.display()))?;
        let files = match kind {
            Some(kind) => vec![(schema_file(kind), text(&schema_of(kind))?)],
            None => schema_files(),
        };
        for (name, schema) in files {
            let path = directory.join(name);
            fs::write(&path, schema).with_context(|| format!("write {}", path.display()))?;
        }
        Ok(Exit::Done)
    }
}

/// The kind of this name, in any letter case.
fn known(name: &str) -> Result<&'static Kind, Failure> {
    let names = || KINDS.iter().map(|kind| kind.name);
    KINDS.iter().find(|kind| kind.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let hint = match suggest(name, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the kinds are {}", names().collect::<Vec<_>>().join(", ")),
        };
        Failure::new(Class::Invalid, format!("print the schema of `{name}`"), "there is no such kind").hint(hint)
    })
}

fn text(schema: &Value) -> serde_json::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(schema)?))
}
