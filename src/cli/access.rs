//! From what a Site says about access to the systems themselves. Credentials are read here and in `providers::secrets`,
//! nowhere else.
use super::without::Without;
use crate::{
    kinds::{Declarations, Declared, site},
    manifest::{Diagnostic, Segment},
    model::{Answer, Class, Failure, FileReference, HttpUrl, Reference},
    providers::{
        Providers, cloudflare,
        host::{Host, Ssh},
        http::{Fingerprint, Trust},
        proxmox,
        sandbox_connection::{Connection, Https},
        secrets::Secrets,
        traefik,
    },
    source::Tree,
};
use secrecy::{ExposeSecret, SecretString};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};
use url::Url;

/// The systems of a site, connected by configuration; nothing has been sent yet.
pub(super) struct Access {
    pub providers: Providers,
    /// Holds ssh's sockets, a key that came from the environment, and files of a fetched commit; it goes when the command ends.
    pub room: Option<tempfile::TempDir>,
}

/// Reads all credentials and sets all clients up, but for what is left out. Files that are no secrets stand in the tree of
/// the manifests; secrets by a relative path are below its directory, or below the working directory where it was fetched.
/// With a sandbox its endpoints and credentials are used, and those of the Site are not even looked at.
///
/// # Errors
/// Everything that is missing or wrong, each at its place in the Site.
pub(super) async fn open(
    declarations: &Declarations,
    tree: &Tree,
    sandbox: Option<&Connection>,
    without: &[Without],
) -> Result<Access, Vec<Diagnostic>> {
    let Some(site) = declarations.site() else { return Err(vec![]) };
    let mut opening =
        Opening { site, tree, secrets: Secrets::below(root(tree)), sandbox, problems: vec![], room: None };
    let left = |system| without.contains(&system);
    let mut providers = Providers::default();
    if let Some(connection) = sandbox {
        opening.replace_secrets(connection);
    }
    if tree.directory().is_none() {
        opening.carry_keys(declarations);
        opening.carry_uploads(declarations);
    }
    if !left(Without::Proxmox) {
        providers.proxmox = opening.proxmox().await;
    }
    if !left(Without::Cloudflare) {
        providers.cloudflare = opening.cloudflare().await;
    }
    if !left(Without::Host) {
        providers.host = opening.host().await;
        providers.traefik = opening.traefik(declarations, providers.host.as_ref());
    }
    providers.secrets = opening.secrets;
    match opening.problems.is_empty() {
        true => Ok(Access { providers, room: opening.room }),
        false => Err(opening.problems),
    }
}

/// The ways to a site for which no token is needed yet.
pub(super) struct Ways {
    pub endpoints: Vec<Url>,
    pub trust: Trust,
    /// The node, where the Site declares it.
    pub host: Option<Host>,
    /// As in [`Access`].
    _room: Option<tempfile::TempDir>,
}

/// Finds the ways to the Proxmox and the node of a Site.
///
/// # Errors
/// Everything that is missing or wrong, each at its place in the Site.
pub(super) async fn ways(
    declarations: &Declarations,
    tree: &Tree,
    sandbox: Option<&Connection>,
) -> Result<Ways, Vec<Diagnostic>> {
    let Some(site) = declarations.site() else { return Err(vec![]) };
    let secrets = Secrets::below(root(tree));
    let mut opening = Opening { site, tree, secrets, sandbox, problems: vec![], room: None };
    let (proxmox, host) = (opening.endpoints(), opening.host().await);
    match proxmox {
        Some((endpoints, trust)) if opening.problems.is_empty() => {
            Ok(Ways { endpoints, trust, host, _room: opening.room })
        }
        _ => Err(opening.problems),
    }
}

struct Opening<'a> {
    site: &'a Declared<site::Site>,
    tree: &'a Tree,
    secrets: Secrets,
    sandbox: Option<&'a Connection>,
    problems: Vec<Diagnostic>,
    room: Option<tempfile::TempDir>,
}

impl Opening<'_> {
    /// The references of the Site lead to the sandbox's tokens, all others to a word that is no secret.
    fn replace_secrets(&mut self, connection: &Connection) {
        let spec = &self.site.spec;
        let tokens = [
            (Some(&spec.proxmox.token), &connection.proxmox),
            (spec.cloudflare.as_ref().map(|cloudflare| &cloudflare.token), &connection.cloudflare),
        ];
        for (reference, api) in tokens {
            let Some(reference) = reference else { continue };
            match fs::read_to_string(&api.token_file) {
                Ok(token) => self.secrets.replace(reference.clone(), SecretString::from(token)),
                Err(error) => {
                    let text = format!("the sandbox's token {} cannot be read: {error}", api.token_file.display());
                    self.problems.push(Diagnostic::general("sandbox", text));
                }
            }
        }
        self.secrets.otherwise(SecretString::from("of-the-sandbox"));
    }

    /// Public keys that a fetched commit holds are read from it now: there is no directory to read them from later.
    fn carry_keys(&mut self, declarations: &Declarations) {
        let files = declarations.containers.values().filter_map(|container| container.spec.ssh_keys.as_ref());
        let clouds = declarations.virtual_machines.values().filter_map(|machine| machine.spec.cloud_init.as_ref());
        for file in files.chain(clouds.filter_map(|cloud| cloud.ssh_keys.as_ref())).map(|keys| &keys.file) {
            // One that is not there is reported by whoever needs it.
            if let Ok(Ok(text)) = self.tree.read(file).map(String::from_utf8) {
                self.secrets.replace(Reference::File(file.clone()), SecretString::from(text));
            }
        }
    }

    /// Files to be uploaded likewise; they are too large to be kept in memory.
    fn carry_uploads(&mut self, declarations: &Declarations) {
        let origins = declarations.templates.values().filter_map(|template| template.spec.origin());
        for (nth, path) in origins.filter_map(|origin| origin.upload.as_ref()).enumerate() {
            let Ok(bytes) = self.tree.read(path) else { continue };
            let written = self.room().and_then(|room| {
                let to = room.join(format!("upload-{nth}"));
                fs::write(&to, bytes).map(|()| to)
            });
            match written {
                Ok(to) => self.secrets.moved(path.clone(), to),
                Err(error) => {
                    self.problems.push(Diagnostic::general("access", format!("{path} cannot be kept: {error}")));
                }
            }
        }
    }

    async fn proxmox(&mut self) -> Option<proxmox::Proxmox> {
        let token = self.secret("spec.proxmox.token", &self.site.spec.proxmox.token).await;
        let (endpoints, trust) = self.endpoints()?;
        let connected = proxmox::Proxmox::connect(proxmox::Access { endpoints, trust, token: token? });
        self.taken("spec.proxmox.token", connected)
    }

    /// Where Proxmox answers, and whom to take for it.
    fn endpoints(&mut self) -> Option<(Vec<Url>, Trust)> {
        let spec = &self.site.spec.proxmox;
        let (endpoints, trust) = match self.sandbox {
            Some(connection) => {
                let url = self.address(&connection.proxmox.url);
                (vec![url?], self.authority(&connection.proxmox))
            }
            None => {
                let endpoints = spec.endpoints.iter().map(|endpoint| endpoint.url().clone()).collect();
                (endpoints, self.trust(spec.ca.as_ref(), spec.fingerprint.as_ref()))
            }
        };
        Some((endpoints, trust?))
    }

    async fn cloudflare(&mut self) -> Option<cloudflare::Cloudflare> {
        let spec = self.site.spec.cloudflare.as_ref()?;
        let token = self.secret("spec.cloudflare.token", &spec.token).await;
        let (base, trust) = match self.sandbox {
            Some(connection) => {
                let base = format!("{}/client/v4", connection.cloudflare.url.trim_end_matches('/'));
                (self.address(&base), self.authority(&connection.cloudflare))
            }
            None => (self.address(cloudflare::API), Some(Trust::SystemRoots)),
        };
        let access = cloudflare::Access { base: base?, token: token?, trust: trust? };
        let connected = cloudflare::Cloudflare::connect(&access);
        self.taken("spec.cloudflare.token", connected)
    }

    async fn host(&mut self) -> Option<Host> {
        if let Some(connection) = self.sandbox {
            return Some(Host::sandbox(&connection.host_socket));
        }
        match self.site.spec.host.as_ref()? {
            site::Host::Local(_) => Some(Host::local()),
            site::Host::Ssh(spec) => self.ssh(spec).await.map(Host::ssh),
        }
    }

    async fn ssh(&mut self, spec: &site::SshHost) -> Option<Ssh> {
        let secret = self.secret("spec.host.key", &spec.key).await;
        let known_hosts = self.file("spec.host.knownHosts", &spec.known_hosts);
        let room = match self.room() {
            Ok(room) => room,
            Err(error) => {
                return self.wrong("spec.host", format!("no directory for ssh's sockets can be made: {error}"), None);
            }
        };
        let key = match &spec.key {
            Reference::File(path) => root(self.tree).join(path),
            Reference::Env(_) | Reference::Sops(_) => {
                // ssh takes a key only from a file; this one is private, and goes when the command ends.
                let path = room.join("key");
                if let Err(error) = write_private(&path, secret.as_ref()?.expose_secret()) {
                    return self.wrong("spec.host.key", format!("the key cannot be handed to ssh: {error}"), None);
                }
                path
            }
        };
        let known = room.join("known_hosts");
        if let Err(error) = write_private(&known, &known_hosts?) {
            return self.wrong("spec.host.knownHosts", format!("they cannot be handed to ssh: {error}"), None);
        }
        let (destination, port) = match spec.ssh.rsplit_once(':') {
            // `user@host:port`, but not an IPv6 address.
            Some((before, port)) if !before.contains(':') => match port.parse() {
                Ok(port) => (before, Some(port)),
                Err(_) => return self.wrong("spec.host.ssh", format!("`{port}` is no port"), None),
            },
            _ => (spec.ssh.as_str(), None),
        };
        secret?;
        let ssh = Ssh { port, key: Some(key), known_hosts: Some(known), ..Ssh::to(destination, &room) };
        Some(ssh)
    }

    /// A directory that goes when the command ends.
    fn room(&mut self) -> std::io::Result<PathBuf> {
        if self.room.is_none() {
            self.room = Some(tempfile::Builder::new().prefix("trueup-").tempdir()?);
        }
        Ok(self.room.as_ref().map(|room| room.path().to_owned()).unwrap_or_default())
    }

    fn traefik(&mut self, declarations: &Declarations, host: Option<&Host>) -> Option<traefik::Traefik> {
        let spec = declarations.gateway()?.spec.traefik.as_ref()?;
        let host = host?.clone();
        let api = match self.sandbox {
            Some(connection) => match connection.traefik.url.parse() {
                Ok(url) => Some(url),
                Err(why) => return self.wrong("spec.host", why, None),
            },
            // On this machine, what the node reaches is what we reach; over ssh, only what is not its loopback.
            None if matches!(self.site.spec.host, Some(site::Host::Local(_))) || !is_loopback(&spec.api) => {
                Some(spec.api.clone())
            }
            None => None,
        };
        let api = match api.map(traefik::Api::new).transpose() {
            Ok(api) => api,
            Err(failure) => return self.wrong("spec.host", failure.to_string(), None),
        };
        Some(traefik::Traefik::new(host, &spec.dynamic_directory.to_string(), api))
    }

    fn trust(&mut self, ca: Option<&FileReference>, fingerprint: Option<&site::Fingerprints>) -> Option<Trust> {
        match (ca, fingerprint) {
            (Some(ca), _) => self.file("spec.proxmox.ca", ca).map(Trust::Ca),
            (None, Some(texts)) => match texts.all().iter().map(|text| text.parse::<Fingerprint>()).collect() {
                Ok(fingerprints) => Some(Trust::Fingerprints(fingerprints)),
                Err(why) => self.wrong("spec.proxmox.fingerprint", why, None),
            },
            (None, None) => Some(Trust::SystemRoots),
        }
    }

    fn address(&mut self, text: &str) -> Option<Url> {
        Url::parse(text).map_or_else(|error| self.wrong("spec", format!("`{text}`: {error}"), None), Some)
    }

    fn authority(&mut self, api: &Https) -> Option<Trust> {
        match fs::read_to_string(&api.ca) {
            Ok(pem) => Some(Trust::Ca(pem)),
            Err(error) => {
                let text = format!("the sandbox's authority {} cannot be read: {error}", api.ca.display());
                self.problems.push(Diagnostic::general("sandbox", text));
                None
            }
        }
    }

    async fn secret(&mut self, field: &str, reference: &Reference) -> Option<SecretString> {
        let secret = self.secrets.read(reference).await;
        secret.map_or_else(|failure| self.refused(field, &reference.to_string(), failure), Some)
    }

    /// The text of a file that is no secret.
    fn file(&mut self, field: &str, reference: &FileReference) -> Option<String> {
        let text = self.tree.read(&reference.file).and_then(|bytes| {
            let invalid = |why: &str| Failure::new(Class::Invalid, "read it", why);
            let text = String::from_utf8(bytes).map_err(|_| invalid("it is not UTF-8"))?;
            if text.trim().is_empty() { Err(invalid("it is configured but empty")) } else { Ok(text) }
        });
        text.map_or_else(|failure| self.refused(field, &reference.to_string(), failure), Some)
    }

    fn taken<T>(&mut self, field: &str, answer: Answer<T>) -> Option<T> {
        match answer {
            Ok(value) => Some(value),
            Err(failure) => self.wrong(field, failure.reason, failure.hint),
        }
    }

    fn refused<T>(&mut self, field: &str, reference: &str, failure: Failure) -> Option<T> {
        let hint = match failure.class {
            Class::NotFound if self.sandbox.is_none() => {
                "provide it; or leave the system out (--without), or try the manifests on a sandbox (--sandbox)"
            }
            _ => "put the credential there",
        };
        let name = field.trim_start_matches("spec.");
        self.wrong(field, format!("{name} is in {reference}: {}", failure.reason), Some(hint.into()))
    }

    fn wrong<T>(&mut self, field: &str, text: String, hint: Option<String>) -> Option<T> {
        let path: Vec<Segment> = field.split('.').map(Segment::from).collect();
        let problem = match &self.site.origin.0 {
            Some(document) => Diagnostic::error("access", document.value_spot(&path), text),
            None => Diagnostic::general("access", text),
        };
        self.problems.push(problem.maybe_hint(hint));
        None
    }
}

fn is_loopback(url: &HttpUrl) -> bool {
    match url.url().host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn root(tree: &Tree) -> &Path {
    tree.directory().unwrap_or(Path::new(""))
}

/// With the line break at the end without which ssh takes no key.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    if text.ends_with('\n') { Ok(()) } else { file.write_all(b"\n") }
}
