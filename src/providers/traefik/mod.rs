//! Traefik: files in its dynamic directory, and what its API says it has made of them.
mod api;
mod file;
mod shape;
#[cfg(test)]
mod tests;

pub use api::{Api, HttpRouter, LoadBalancer, Router, Running, Server, Service};
pub use file::{Claim, ENTRY_POINT, MARK, Problem, Read, Route, read};

use crate::{
    model::{Answer, Class, Failure},
    providers::host::{EntryKind, Host, Place},
};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// Files that the world may read; there is no secret in them.
const MODE: u32 = 0o644;
/// How often the API is asked while a change takes hold, and for how long: Traefik collects changes for two seconds
/// (`providersThrottleDuration`), so a change takes up to four.
const PAUSE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(8);

/// One Traefik: the directory of its file provider on a node, and its API where that can be reached from here.
#[derive(Clone, Debug)]
pub struct Traefik {
    host: Host,
    /// Absolute, without a slash at the end.
    directory: String,
    api: Option<Api>,
}

/// A file of the directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DynamicFile {
    pub name: String,
    pub text: String,
}

impl DynamicFile {
    /// What Traefik makes of it.
    ///
    /// # Errors
    /// Those of [`read()`]; TOML is not judged.
    pub fn read(&self) -> Result<Read, Problem> {
        if self.name.ends_with(".toml") { Err(Problem::NotJudged("it is TOML")) } else { read(&self.text) }
    }
}

impl Traefik {
    /// `api`: `None` where only the node itself reaches it.
    pub fn new(host: Host, directory: &str, api: Option<Api>) -> Self {
        Self { host, directory: directory.trim_end_matches('/').to_owned(), api }
    }

    /// The directory on the node.
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// All files that Traefik reads: YAML and TOML, dotfiles too, in real directories at any depth.
    ///
    /// # Errors
    /// Those of [`Host::list_directory`]; `NotFound`: Traefik, too, finds no directory, and will not until it is restarted.
    pub async fn files(&self) -> Answer<Vec<DynamicFile>> {
        let entries = self.host.list_directory(Place::Node, &self.directory, "").await?;
        let read = |name: &str| [".yml", ".yaml", ".toml"].iter().any(|ending| name.ends_with(ending));
        let links: Vec<String> =
            entries.iter().filter(|e| e.kind == EntryKind::Symlink && read(&e.name)).map(|e| e.name.clone()).collect();
        let mut files: Vec<DynamicFile> = entries
            .into_iter()
            .filter(|e| e.kind == EntryKind::File && read(&e.name))
            .map(|e| DynamicFile { text: String::from_utf8_lossy(&e.content).into_owned(), name: e.name })
            .collect();
        for name in links {
            // Traefik reads through links; a dangling one is an error to it, and so it is shown as a file that is none.
            let text = self.file(&name).await?.map_or_else(|| "dangling symbolic link".to_owned(), |file| file.text);
            files.push(DynamicFile { name, text });
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    /// One file; `None`: it is not there.
    ///
    /// # Errors
    /// Those of [`Host::read_file`].
    pub async fn file(&self, name: &str) -> Answer<Option<DynamicFile>> {
        let found = self.host.read_file(Place::Node, &self.path(name)?).await?;
        let text = |content: &[u8]| String::from_utf8_lossy(content).into_owned();
        Ok(found.map(|file| DynamicFile { name: name.to_owned(), text: text(&file.content) }))
    }

    /// Puts a route's file in place, whole, by a rename.
    ///
    /// # Errors
    /// `Invalid` when Traefik would not take it; those of [`Host::put_file`].
    pub async fn put(&self, route: &Route) -> Answer<()> {
        let path = self.path(&Route::file_name(&route.mark))?;
        let wrong = |why: String| Failure::new(Class::Invalid, format!("write {path}"), why);
        let text = route.render().map_err(wrong)?;
        self.host.put_file(Place::Node, &path, MODE, Bytes::from(text)).await
    }

    /// Removes a file; it is no error when it is gone already.
    ///
    /// # Errors
    /// Those of [`Host::remove_file`].
    pub async fn remove(&self, name: &str) -> Answer<()> {
        self.host.remove_file(Place::Node, &self.path(name)?).await.map(drop)
    }

    fn path(&self, name: &str) -> Answer<String> {
        if name.is_empty() || name.split('/').any(|part| part.is_empty() || part == "..") {
            return Err(Failure::new(Class::Invalid, format!("reach {name}"), "it is not the name of a file"));
        }
        Ok(format!("{}/{name}", self.directory))
    }

    /// What Traefik runs; `None` where its API cannot be reached from here by its address.
    ///
    /// # Errors
    /// Those of [`Api::running`].
    pub async fn running(&self) -> Answer<Option<Running>> {
        match &self.api {
            Some(api) => api.running().await.map(Some),
            None => Ok(None),
        }
    }

    /// Asks until every one of these routes is served, and says of each why it is not. Where there is no API to ask,
    /// nothing is known and nothing is said.
    pub async fn await_served(&self, routes: &[&Route]) -> Vec<Answer<()>> {
        let Some(api) = &self.api else { return routes.iter().map(|_| Ok(())).collect() };
        let started = Instant::now();
        loop {
            let answers: Vec<Answer<()>> = match api.running().await {
                Ok(running) => routes.iter().map(|route| running.serves(route)).collect(),
                Err(failure) => routes.iter().map(|_| Err(unknown(&failure))).collect(),
            };
            if answers.iter().all(Result::is_ok) || started.elapsed() >= PATIENCE {
                return answers;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The file is in place whatever the API says, so the same write again would change nothing: not for a retry.
fn unknown(failure: &Failure) -> Failure {
    let reason = format!("the file is in place, but whether it is served is not known: {failure}");
    Failure::new(Class::Invalid, "see the route served", reason)
}

impl Running {
    /// Whether Traefik serves this route as it is.
    ///
    /// # Errors
    /// Traefik's own reason, or what it serves instead.
    pub fn serves(&self, route: &Route) -> Answer<()> {
        let name = format!("{}@file", Route::name(&route.mark));
        let not = |reason: String| Err(Failure::new(Class::Invalid, "see the route served", reason));
        let Some(router) = self.tcp_routers.get(&name) else {
            let reason = "the file is in place, but Traefik runs no such router";
            return Err(Failure::new(Class::Invalid, "see the route served", reason).hint(
                "one bad file makes Traefik ignore its whole directory; its log says which: journalctl -u traefik",
            ));
        };
        if router.status != "enabled" {
            return not(format!("Traefik has it {}: {}", router.status, router.error.join("; ")));
        }
        let service = self.tcp_services.get(&name);
        let served = service.and_then(|s| s.load_balancer.servers.first()).map(|s| s.address.clone());
        if router.rule != route.rule() || served.as_deref() != Some(route.target.to_string().as_str()) {
            let served = served.unwrap_or_else(|| "nothing".into());
            return not(format!("Traefik still serves {} to {served}", router.rule));
        }
        let stolen = self.routers.iter().find(|(_, http)| {
            let asks = |host: &crate::model::HostName| http.rule.contains(&format!("Host(`{host}`)"));
            http.tls.is_some() && http.status != "disabled" && route.hosts.iter().any(asks)
        });
        match stolen {
            Some((thief, _)) => {
                not(format!("the HTTPS router {thief} ends TLS for the same name and goes before every passthrough"))
            }
            None => Ok(()),
        }
    }
}
