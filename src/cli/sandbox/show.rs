//! `trueup sandbox show`
use super::Which;
use crate::{
    cli::{format::Format, screen::Screen},
    report::Exit,
    sandbox::control::Ask,
};
use clap::Args;
use serde_json::Value;
use std::fmt::Write;

/// Show what a sandbox holds: guests, forwards, routes, records, tunnels
#[derive(Args, Debug)]
pub(super) struct Show {
    #[command(flatten)]
    which: Which,
    /// For people, or as one JSON document
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

impl Show {
    pub fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        let all = self.which.ask(&Ask::Show)?;
        screen.print(&match self.output {
            Format::Json => format!("{all}\n"),
            Format::Text => text(&all)?,
        });
        Ok(Exit::Done)
    }
}

fn text(all: &Value) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    section(&mut out, "Guests", &all["guests"], |guest| {
        let state = if guest["running"] == true { "running" } else { "stopped" };
        let addresses = words(&guest["addresses"]);
        let services = words(&guest["services"]);
        format!("{:>6}  {:<20} {state}  {addresses}  {services}", plain(&guest["vmid"]), plain(&guest["name"]))
    })?;
    section(&mut out, "Forwards", &all["forwards"], |forward| {
        format!("{:<28} {}", plain(&forward["public"]), plain(&forward["to"]))
    })?;
    section(&mut out, "Routes", &all["routes"], |route| {
        format!("{}  {}", plain(&route["rule"]), plain(&route["status"]))
    })?;
    let records = all["records"].as_object().into_iter().flatten().flat_map(|(_, zone)| values(zone));
    let records: Value = records.cloned().collect();
    section(&mut out, "DNS records", &records, |record| {
        format!("{:<44} {:<6} {}", plain(&record["name"]), plain(&record["type"]), plain(&record["content"]))
    })?;
    section(&mut out, "Tunnels", &all["tunnels"], |tunnel| {
        let gone = if tunnel["deleted"] == true { "  deleted" } else { "" };
        format!("{}  connectors: {}{gone}", plain(&tunnel["name"]), plain(&tunnel["connectors"]))
    })?;
    section(&mut out, "Faults", &all["faults"], Value::to_string)?;
    writeln!(out, "{} calls, {} of them writes", plain(&all["calls"]), plain(&all["writes"]))?;
    Ok(out)
}

fn section(out: &mut String, title: &str, all: &Value, line: impl Fn(&Value) -> String) -> std::fmt::Result {
    let lines: Vec<String> = values(all).map(|value| format!("  {}", line(value).trim_end())).collect();
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "{title}\n{}\n", lines.join("\n"))
}

/// The entries of a list, or of a map without its keys.
fn values(all: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match all {
        Value::Array(list) => Box::new(list.iter()),
        Value::Object(map) => Box::new(map.values()),
        _ => Box::new(std::iter::empty()),
    }
}

fn words(list: &Value) -> String {
    values(list).map(plain).collect::<Vec<_>>().join(" ")
}

/// Text without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
