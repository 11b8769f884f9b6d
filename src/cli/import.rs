//! `trueup import`: manifests for guests that are there.
use super::{
    busy,
    format::Format,
    lines::Lines,
    loaded::{self, Shown},
    origin,
    progress::Progress,
    reach::{Reach, Reached},
    screen::Screen,
    settle,
};
use crate::{
    kinds::{
        self,
        allocation::{Carried, fill},
        coverage::Named,
        import::{Choice, Imported, import},
    },
    ledger::{self, Lock},
    manifest::{Diagnostic, SourceFile},
    model::{Answer, Class, Failure},
    report::Exit,
    resources::guest,
};
use anyhow::Context;
use clap::Args;
use serde_json::json;
use std::{
    fs,
    io::Write,
    path::{Component, Path, PathBuf, absolute},
};

/// Write manifests for guests that are there, so that a pass over them writes its marks and nothing else
///
/// The manifests are printed. With --into they become files, one for each guest, and trueup.lock gets their ids and hardware
/// addresses; a file that is there is never overwritten. Nothing is written to the site: that is what the next `trueup
/// reconcile` does, which adopts the guests.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: 0 when all that were chosen are imported, 1 when nothing could be done, 4 when some were not; each is named with the reason."
)]
#[group(skip)]
pub(super) struct Import {
    /// The directory of the manifests; it holds at least the Site [default: `manifests` where it exists, else this one]
    path: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
    /// Write NAME.yaml for each guest into this directory, which is that of the manifests or lies in it
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    #[command(flatten)]
    reach: Reach,
    /// For people, or one JSON object a line
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// Which guests.
#[derive(Args, Debug)]
#[group(required = true, multiple = true)]
struct Which {
    /// The guests with these ids
    #[arg(long, value_name = "N", num_args = 1.., value_delimiter = ',')]
    vmid: Vec<u32>,
    /// The guests with this tag
    #[arg(long)]
    tag: Option<String>,
    /// The guests in this pool
    #[arg(long)]
    pool: Option<String>,
    /// All guests that no manifest names
    #[arg(long)]
    all: bool,
}

impl Import {
    pub fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        let lines = Lines::open(screen, self.output, None)?;
        busy::run(screen, &lines, async |progress, _| self.import(screen, &lines, progress).await)
    }

    async fn import(&self, screen: &Screen, lines: &Lines<'_>, progress: &Progress<'_>) -> anyhow::Result<Exit> {
        let sandbox = self.reach.connection()?;
        let mut origin = origin::local(self.path.as_deref())?;
        let root = origin.directory().context("find the directory of the manifests")?.to_owned();
        let into = self.into.as_deref().map(|into| inside(&root, into)).transpose()?;
        let _held = if into.is_some() { Some(settle::hold(&root)?) } else { None };
        let files: Vec<SourceFile> =
            origin.tree.manifests.iter().map(|file| SourceFile::new(file.path(), file.text())).collect();
        let (mut declarations, found) = loaded::read(&mut origin.tree, screen, lines, Shown::AsReason);
        if found.errors > 0 {
            return Ok(nothing(screen, found));
        }
        let lock = settle::read(&origin.tree)?;
        progress.say("looking at the guests");
        let reached = match self.reach.open(declarations.clone(), &origin.tree, sandbox.as_ref()).await {
            Ok(reached) => reached,
            Err(problems) => return Ok(nothing(screen, loaded::show(&problems, screen, lines, Shown::AsReason))),
        };
        let providers = &reached.estate.providers;
        let listed = guest::listed(providers).await?;
        // Ids that are there are nobody's that is only declared.
        let mut carried = Carried::default();
        carried.guests.extend(listed.iter().map(|guest| (guest.vmid, Default::default())));
        let done = settle::complete(&declarations, &lock, &carried);
        // What could not be allocated names no guest.
        let _ = fill(&mut declarations, done.lock);
        let (chosen, refused) = self.which.choice().of(&listed, &Named::of(&declarations));
        let scope = kinds::guest::scope(&declarations).unwrap_or_default();
        let guests = guest::of_list(providers, &scope, chosen).await?;
        let place = into.clone().unwrap_or_else(|| root.clone());
        let path = |name: &crate::model::Name| place.join(format!("{name}.yaml")).display().to_string();
        let mut imported = import(&declarations, &files, &guests, &path);
        imported.refused.extend(refused);
        imported.refused.sort_by_key(|guest| guest.vmid);
        let written = match into {
            Some(into) => match self.write(reached, &into, &root, &lock, &imported).await? {
                Ok(written) => written,
                Err(problems) => return Ok(nothing(screen, loaded::show(&problems, screen, lines, Shown::AsReason))),
            },
            None => false,
        };
        progress.end();
        self.tell(screen, lines, &imported, written);
        Ok(match (imported.manifests.is_empty(), imported.refused.is_empty()) {
            (_, true) => Exit::Done,
            (true, false) => Exit::Nothing,
            (false, false) => Exit::Partly,
        })
    }

    /// The files, and the lock with them; says whether the lock changed. Nothing is written before all is known.
    async fn write(
        &self,
        reached: Reached,
        into: &Path,
        root: &Path,
        lock: &Lock,
        imported: &Imported,
    ) -> anyhow::Result<Result<bool, Vec<Diagnostic>>> {
        if imported.manifests.is_empty() {
            return Ok(Ok(false));
        }
        let there = |path: &&str| fs::symlink_metadata(path).is_ok();
        if let Some(path) = imported.manifests.iter().map(|manifest| &*manifest.path).find(there) {
            let failure = Failure::new(Class::Conflict, format!("write {path}"), "the file is there already");
            return Err(failure.hint("nothing was written; move the file away, or choose another --into").into());
        }
        let reached = reached.with(imported.declarations.clone())?;
        let (carried, unseen) = settle::look(&reached.estate).await;
        settle::refuse_blind(lock, &unseen)?;
        let done = settle::complete(&imported.declarations, lock, &carried);
        if done.problems.iter().any(Diagnostic::is_error) {
            return Ok(Err(done.problems));
        }
        let failed = |path: &Path, error: &std::io::Error| {
            Failure::new(Class::Denied, format!("write {}", path.display()), error.to_string())
        };
        fs::create_dir_all(into).map_err(|error| failed(into, &error))?;
        for manifest in &imported.manifests {
            let path = Path::new(&manifest.path);
            let file = fs::OpenOptions::new().write(true).create_new(true).open(path);
            file.and_then(|mut file| file.write_all(manifest.text.as_bytes())).map_err(|error| failed(path, &error))?;
        }
        Ok(Ok(settle::write(root, &done.lock)?))
    }

    fn tell(&self, screen: &Screen, lines: &Lines<'_>, imported: &Imported, written: bool) {
        let files = self.into.is_some();
        for manifest in &imported.manifests {
            lines.emit(|| {
                let path = files.then_some(&manifest.path);
                json!({ "event": "manifest", "vmid": manifest.vmid, "name": manifest.name, "path": path, "text": manifest.text })
            });
        }
        for guest in &imported.refused {
            lines.emit(|| json!({ "event": "refused", "vmid": guest.vmid, "name": guest.name, "why": guest.why }));
            if !lines.own_the_screen() {
                let name = guest.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
                screen.warn(&format!("guest {}{name} is not imported: {}", guest.vmid, guest.why));
            }
        }
        let (imported, refused) = (&imported.manifests, imported.refused.len());
        lines.emit(
            || json!({ "event": "imported", "manifests": imported.len(), "refused": refused, "lockWritten": written }),
        );
        if lines.own_the_screen() {
            return;
        }
        if !files {
            let texts: Vec<&str> = imported.iter().map(|manifest| &*manifest.text).collect();
            screen.print(&texts.join("---\n"));
        } else if !imported.is_empty() {
            let mut text: String = imported
                .iter()
                .map(|manifest| format!("wrote {} for guest {}\n", manifest.path, manifest.vmid))
                .collect();
            if written {
                text += &format!("wrote {}: commit it with the manifests\n", ledger::FILE);
            }
            screen.print(&format!(
                "{text}next: `trueup reconcile --dry-run`, which adopts them (`=`) and changes nothing\n"
            ));
        }
        if imported.is_empty() && refused == 0 {
            screen.warn("there is nothing to import: manifests name every guest that was chosen");
        }
    }
}

impl Which {
    fn choice(&self) -> Choice {
        let Self { vmid, tag, pool, all } = self;
        Choice { vmids: vmid.iter().copied().collect(), tag: tag.clone(), pool: pool.clone(), all: *all }
    }
}

/// The directory as it was given, if it is part of the tree: elsewhere nobody would read the manifests.
fn inside(root: &Path, into: &Path) -> Answer<PathBuf> {
    let whole = |path: &Path| {
        // What is not there yet has no links in it.
        let known = path.ancestors().find(|part| part.is_dir() && !part.as_os_str().is_empty());
        let base = known.unwrap_or(Path::new(".")).canonicalize().ok()?;
        let rest = known.and_then(|known| path.strip_prefix(known).ok()).unwrap_or(path);
        Some(base.join(rest))
    };
    let plain = |part: Component<'_>| match part {
        Component::Normal(name) => !name.as_encoded_bytes().starts_with(b"."),
        Component::ParentDir => false,
        _ => true,
    };
    let attempted = || format!("write manifests into {}", into.display());
    let inside = match (whole(root), absolute(into).ok().and_then(|into| whole(&into))) {
        (Some(root), Some(into)) => into.strip_prefix(root).is_ok_and(|rest| rest.components().all(plain)),
        _ => false,
    };
    if inside {
        return Ok(into.to_owned());
    }
    let why = format!("it is not in {}, so nobody would read them there", root.display());
    Err(Failure::new(Class::Invalid, attempted(), why).hint("choose the directory of the manifests or one in it"))
}

fn nothing(screen: &Screen, found: loaded::Found) -> Exit {
    screen.warn(&format!("nothing was imported: {}", loaded::count(found)));
    Exit::Nothing
}
