//! `trueup coverage`: what lives in the systems of a site and is named by no manifest.
use super::{
    busy,
    format::Format,
    lines::Lines,
    loaded::{self, Shown},
    origin,
    progress::Progress,
    reach::Reach,
    screen::Screen,
    settle,
    without::{self, Without},
};
use crate::{
    kinds::{
        self, Declarations,
        allocation::{Carried, fill},
        coverage::{Named, StrayFile, StrayGuest, StrayRecord, StrayTunnel},
        dns_slug,
    },
    ledger::Lock,
    model::{Answer, Inventory, Observation},
    providers::{
        Providers,
        cloudflare::{self, Record},
        proxmox::{self, GuestType, notes},
    },
    report::Exit,
    resources::{
        Driver, System, World, dns_record,
        guest::{self, Guest},
        traefik_file::TraefikFile,
    },
};
use clap::Args;
use comfy_table::{ContentArrangement, Row, Table, presets};
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write;

/// List what lives there that no manifest names: guests, DNS records, Traefik files, tunnels; write nothing
///
/// `trueup import` writes manifests for guests. Everything else is left alone for as long as no manifest wants its name.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 when everything was looked at, whatever was found, 1 when nothing could be said, 4 when something could not be looked at."
)]
pub(super) struct Coverage {
    #[command(flatten)]
    origin: origin::Chosen,
    #[command(flatten)]
    reach: Reach,
    /// For people, or one JSON object a line
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// What was found in one place.
enum Found<T> {
    /// So many were looked at, and these no manifest names.
    Seen { all: usize, strays: Vec<T> },
    /// Why it could not be looked at.
    Unseen(String),
    /// A person left it out, in these words.
    LeftOut(String),
    /// The site declares no such system.
    NotDeclared,
}

struct Strays {
    guests: Found<StrayGuest>,
    records: Found<StrayRecord>,
    files: Found<StrayFile>,
    tunnels: Found<StrayTunnel>,
}

impl Coverage {
    pub fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        let lines = Lines::open(screen, self.output, None)?;
        busy::run(screen, &lines, async |progress, _| self.look(screen, &lines, progress).await)
    }

    async fn look(&self, screen: &Screen, lines: &Lines<'_>, progress: &Progress<'_>) -> anyhow::Result<Exit> {
        let sandbox = self.reach.connection()?;
        progress.say(&format!("reading {}", self.origin));
        let mut origin = self.origin.open(None).await?;
        let (declarations, mut found) = loaded::read(&mut origin.tree, screen, lines, Shown::AsReason);
        let lock = settle::read(&origin.tree)?;
        if found.errors == 0 {
            progress.say("looking at the site");
            match self.reach.open(declarations.clone(), &origin.tree, sandbox.as_ref()).await {
                Ok(reached) => {
                    let strays = self.strays(&reached.estate.providers, declarations, &lock).await;
                    progress.end();
                    return Ok(strays.show(screen, lines));
                }
                Err(problems) => found = loaded::show(&problems, screen, lines, Shown::AsReason),
            }
        }
        screen.warn(&format!("nothing was looked at: {}", loaded::count(found)));
        Ok(Exit::Nothing)
    }

    /// Looks everywhere at once.
    async fn strays(&self, providers: &Providers, mut declarations: Declarations, lock: &Lock) -> Strays {
        let cloudflare = declarations.site().and_then(|site| site.spec.cloudflare.clone());
        let files = dns_slug::route::scope(&declarations).filter(|_| providers.host.is_some());
        let (guests, records, tunnels, files) = tokio::join!(
            guests(providers, &declarations),
            async {
                match &cloudflare {
                    Some(access) => Some(records(providers, &access.zone).await),
                    None => None,
                }
            },
            async {
                match &cloudflare {
                    Some(access) => Some(tunnels(providers, &access.account).await),
                    None => None,
                }
            },
            async {
                match &files {
                    Some(scope) => Some(TraefikFile::observe(providers, scope).await),
                    None => None,
                }
            },
        );
        // The lock of what is new is made here and forgotten; what is there is not taken for it.
        let mut world = World::default();
        if let Ok((_, marked)) = &guests {
            world.insert::<Guest>(Observation::Complete(marked.clone()));
        }
        let mut carried = Carried::of(&world, None);
        for guest in guests.iter().flat_map(|(listed, _)| listed) {
            carried.guests.entry(guest.vmid).or_default();
        }
        let done = settle::complete(&declarations, lock, &carried);
        // What could not be allocated names nothing.
        let _ = fill(&mut declarations, done.lock);
        let named = Named::of(&declarations);
        let left = |without: Without| self.reach.without.contains(&without);
        let words = |system: System| without::words(&self.reach.without).remove(&system).unwrap_or_default();
        Strays {
            guests: match guests {
                _ if left(Without::Proxmox) => Found::LeftOut(words(System::Proxmox)),
                Ok((listed, marked)) => Found::Seen { all: listed.len(), strays: named.guests(&listed, &marked) },
                Err(failure) => Found::Unseen(failure.to_string()),
            },
            records: match records {
                _ if left(Without::Cloudflare) => Found::LeftOut(words(System::Cloudflare)),
                None => Found::NotDeclared,
                Some(Ok(all)) => Found::Seen { all: all.len(), strays: named.records(&all) },
                Some(Err(failure)) => Found::Unseen(failure.to_string()),
            },
            files: match files {
                _ if left(Without::Host) => Found::LeftOut(words(System::Traefik)),
                None => Found::NotDeclared,
                Some(Observation::Complete(all)) => Found::Seen { all: all.len(), strays: named.files(&all) },
                Some(Observation::Unavailable { reason }) => Found::Unseen(reason),
            },
            tunnels: match tunnels {
                _ if left(Without::Cloudflare) => Found::LeftOut(words(System::Cloudflare)),
                None => Found::NotDeclared,
                Some(Ok(all)) => Found::Seen { all: all.len(), strays: named.tunnels(&all) },
                Some(Err(failure)) => Found::Unseen(failure.to_string()),
            },
        }
    }
}

/// All guests, and of those that carry a mark what it says.
async fn guests(providers: &Providers, declarations: &Declarations) -> Answer<(Vec<proxmox::Guest>, Inventory<Guest>)> {
    let listed = guest::listed(providers).await?;
    let marked = listed.iter().filter(|guest| guest.tags.contains(notes::TAG));
    let scope = kinds::guest::scope(declarations).unwrap_or_default();
    let inventory = guest::of_list(providers, &scope, marked.cloned().collect()).await?;
    Ok((listed, inventory))
}

async fn records(providers: &Providers, zone: &str) -> Answer<Vec<Record>> {
    dns_record::records(providers, zone).await
}

async fn tunnels(providers: &Providers, account: &str) -> Answer<Vec<cloudflare::Tunnel>> {
    providers.cloudflare()?.tunnels(account).await
}

impl Strays {
    fn show(&self, screen: &Screen, lines: &Lines<'_>) -> Exit {
        let mut unseen = false;
        let mut text = String::new();
        let mut show = |of: (&str, &str), found: (bool, String, Vec<Value>, Value)| {
            let (failed, shown, strays, summary) = found;
            unseen |= failed;
            text.push_str(&shown);
            for stray in strays {
                lines.emit(|| with(json!({ "event": "stray", "system": of.0, "what": of.1 }), stray));
            }
            lines.emit(|| with(json!({ "event": "coverage", "system": of.0, "what": of.1 }), summary));
        };
        let width = u16::try_from(screen.width()).unwrap_or(u16::MAX);
        let guest = |g: &StrayGuest| {
            let kind = match (g.kind, g.template) {
                (GuestType::Lxc, false) => "container",
                (GuestType::Lxc, true) => "container template",
                (GuestType::Qemu, false) => "virtual machine",
                (GuestType::Qemu, true) => "machine template",
            };
            let tags = g.tags.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
            let name = g.name.clone().unwrap_or_default();
            let pool = g.pool.clone().unwrap_or_default();
            let mark = g.mark.clone().unwrap_or_default();
            vec![g.vmid.to_string(), name, g.node.clone(), kind.to_owned(), tags, pool, mark]
        };
        let columns = ["vmid", "name", "node", "type", "tags", "pool", "mark"];
        show(("proxmox", "guest"), self.guests.shown("guests", &columns, guest, width));
        let record = |r: &StrayRecord| {
            let beside = r.mark.clone().or_else(|| r.comment.as_ref().map(|text| format!("\"{text}\"")));
            vec![r.name.clone(), r.kind.clone(), r.content.clone(), beside.unwrap_or_default()]
        };
        let columns = ["name", "type", "content", "mark or comment"];
        show(("cloudflare", "dns-record"), self.records.shown("DNS records", &columns, record, width));
        let file = |f: &StrayFile| {
            let hosts = f.hosts.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
            let refused = f.refused.as_ref().map(|why| format!("; {why}")).unwrap_or_default();
            vec![f.name.clone(), hosts, format!("{}{refused}", f.holder)]
        };
        show(("traefik", "file"), self.files.shown("Traefik files", &["file", "hosts", "whose"], file, width));
        let tunnel =
            |t: &StrayTunnel| vec![t.name.clone(), t.id.clone(), t.status.clone(), t.mark.clone().unwrap_or_default()];
        let columns = ["name", "id", "status", "mark"];
        show(("cloudflare", "tunnel"), self.tunnels.shown("tunnels", &columns, tunnel, width));
        if !lines.own_the_screen() {
            screen.print(&text);
        }
        if unseen { Exit::Partly } else { Exit::Done }
    }
}

impl<T: Serialize> Found<T> {
    /// Whether it could not be looked at; the text; for programs what was found, and how many of how many.
    fn shown(
        &self,
        plural: &str,
        columns: &[&str],
        row: impl Fn(&T) -> Vec<String>,
        width: u16,
    ) -> (bool, String, Vec<Value>, Value) {
        let mut text = String::new();
        let (failed, strays, summary) = match self {
            Self::NotDeclared => return (false, text, vec![], json!({ "declared": false })),
            Self::LeftOut(words) => {
                let _ = writeln!(text, "{plural}: {words}");
                (false, &[][..], json!({ "leftOut": true }))
            }
            Self::Unseen(why) => {
                let _ = writeln!(text, "{plural}: could not look: {why}");
                (true, &[][..], json!({ "unseen": why }))
            }
            Self::Seen { all: 0, .. } => {
                let _ = writeln!(text, "{plural}: there are none");
                (false, &[][..], json!({ "all": 0, "strays": 0 }))
            }
            Self::Seen { all, strays } => {
                let _ = match strays.len() {
                    0 => writeln!(text, "{plural}: manifests name all {all}"),
                    n => writeln!(text, "{plural}: no manifest names {n} of {all}"),
                };
                (false, &strays[..], json!({ "all": all, "strays": strays.len() }))
            }
        };
        if !strays.is_empty() {
            let mut table = Table::new();
            table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
            // A column in which nothing stands is left out.
            let rows: Vec<Vec<String>> = strays.iter().map(&row).collect();
            let used: Vec<usize> = (0..columns.len()).filter(|n| rows.iter().any(|row| !row[*n].is_empty())).collect();
            table.set_header(Row::from(used.iter().map(|n| columns[*n].to_uppercase())));
            for row in &rows {
                table.add_row(Row::from(used.iter().map(|n| row[*n].clone())));
            }
            for line in table.lines() {
                let _ = writeln!(text, "  {}", line.trim_end());
            }
        }
        let values = strays.iter().map(|stray| serde_json::to_value(stray).unwrap_or_default()).collect();
        (failed, text, values, summary)
    }
}

/// One object with the fields of both.
fn with(mut event: Value, more: Value) -> Value {
    if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
        event.extend(more);
    }
    event
}
