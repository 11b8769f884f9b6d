//! `trueup setup token`: the account that Trueup works with, with the least that its manifests need.
use super::{
    account::{Account, Act},
    authority::Authority,
    password,
    secret_file::{self, Reserved},
};
use crate::{
    cli::{
        access::{self, Ways},
        format::Format,
        lines::Lines,
        loaded::{self, Shown},
        origin, runtime,
        screen::Screen,
        trouble,
    },
    kinds::{Declarations, grants},
    model::{Answer, Class, Failure, Reference},
    providers::{
        proxmox::{self, Grant, Proxmox, Release},
        sandbox_connection::Connection,
    },
    report::Exit,
};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// The name of the first token.
const FIRST: &str = "trueup";

const NOTES: &str = "\
It makes roles with the least that these manifests need, a user who cannot log in, and a token with separated privileges;
grants the roles where they are needed; proves with the new token itself what it may do; and writes the secret into a file of
mode 600. The secret is never printed. What is right already is left alone: a second run changes nothing.

Where the Site has a `host`, it works through `pveum` on that node. Elsewhere, or with --as, it logs in with a password that
is asked for or read from a file; that needs a user who may change /access, such as root@pam.

Exit codes: 0 when all is as it should be, 1 when nothing could be done, 4 when the token lacks something.";

/// Make the token that Trueup works with, with the least privileges, and prove what it may do
#[derive(Args, Debug)]
#[command(after_help = NOTES)]
pub(super) struct Token {
    /// The directory of the manifests [default: `manifests` where it exists, else this one]
    path: Option<PathBuf>,
    /// Where the secret goes [default: the file that `spec.proxmox.token` of the Site names]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The user to whom the token belongs; made when there is none
    #[arg(long, value_name = "USER@REALM", default_value = "trueup@pve")]
    user: String,
    /// Log in as this user, with a password [default: root@pam where the Site has no `host`]
    #[arg(long = "as", value_name = "USER@REALM")]
    log_in_as: Option<String>,
    /// The file whose first line is that password; without it, it is asked for
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Make a new token beside the old one, prove it, replace the file, and then remove the old one
    #[arg(long)]
    rotate: bool,
    /// Leave the old token in place
    #[arg(long, requires = "rotate")]
    keep_old: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// On the sandbox that runs in this directory
    #[arg(long, value_name = "DIR")]
    sandbox: Option<PathBuf>,
    /// For people, or one JSON object a line
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// What one run works on.
struct Run<'a> {
    asked: &'a Token,
    screen: &'a Screen,
    lines: &'a Lines<'a>,
    ways: Ways,
    grants: BTreeSet<Grant>,
    file: PathBuf,
}

impl Token {
    pub fn run(self, screen: &Screen) -> anyhow::Result<Exit> {
        let lines = Lines::open(screen, self.output, None)?;
        let ended = runtime()?.block_on(self.set_up(screen, &lines));
        ended.inspect_err(|error| lines.emit(|| trouble::event(error)))
    }

    async fn set_up(&self, screen: &Screen, lines: &Lines<'_>) -> anyhow::Result<Exit> {
        if !self.user.split_once('@').is_some_and(|(name, realm)| !name.is_empty() && !realm.is_empty()) {
            let why = format!("`{}` is not of the form user@realm", self.user);
            return Err(Failure::new(Class::Invalid, "choose the user", why).hint("such as trueup@pve").into());
        }
        let sandbox = self.sandbox.as_deref().map(Connection::read).transpose()?;
        let mut tree = origin::local(self.path.as_deref())?.tree;
        let (declarations, found) = loaded::read(&mut tree, screen, lines, Shown::AsReason);
        if found.errors > 0 {
            screen.warn(&format!("nothing was done: {}", loaded::count(found)));
            return Ok(Exit::Nothing);
        }
        let file = self.file(&declarations, tree.directory())?;
        let ways = match access::ways(&declarations, &tree, sandbox.as_ref()).await {
            Ok(ways) => ways,
            Err(problems) => {
                let found = loaded::show(&problems, screen, lines, Shown::AsReason);
                screen.warn(&format!("nothing was done: {}", loaded::count(found)));
                return Ok(Exit::Nothing);
            }
        };
        let grants = grants::grants(&declarations);
        Ok(Run { asked: self, screen, lines, ways, grants, file }.whole().await?)
    }

    fn file(&self, declarations: &Declarations, root: Option<&Path>) -> Answer<PathBuf> {
        let reference = declarations.site().map(|site| site.spec.proxmox.token.clone());
        match (&self.file, reference) {
            (Some(file), _) => Ok(file.clone()),
            (None, Some(Reference::File(path))) => Ok(root.unwrap_or(Path::new("")).join(path)),
            (None, other) => {
                let where_from = other.map(|reference| reference.to_string()).unwrap_or_default();
                let why = format!("the Site reads its token from {where_from}");
                let hint = "say --file FILE, and put { file: FILE } into spec.proxmox.token of the Site";
                Err(Failure::new(Class::Invalid, "choose where the secret goes", why).hint(hint))
            }
        }
    }
}

impl Run<'_> {
    async fn whole(&self) -> Answer<Exit> {
        let old = secret_file::read(&self.file)?;
        if secret_file::is_open(&self.file) {
            self.screen.warn(&format!("warning: others may read {}: chmod 600 it", self.file.display()));
        }
        let mut kept = None;
        if let (Some(secret), false) = (&old, self.asked.rotate) {
            let pve = self.client(secret).map_err(|f| f.hint("--rotate replaces it with a new one"))?;
            let release = pve.version().await.map_err(|failure| self.refused(failure))?;
            if self.missing(&pve, release).await?.is_empty() {
                return self.as_it_should_be(&pve, secret).await;
            }
            kept = Some(self.named(secret)?);
        }
        let authority = self.authority().await?;
        let release = authority.release().await?;
        let account = Account { user: self.asked.user.clone(), grants: self.grants.clone(), release };
        let seen = authority.look(&account.user).await?;
        let token = match kept {
            Some(name) => name,
            None if self.asked.rotate => free(&seen.tokens),
            None if seen.tokens.contains(FIRST) => {
                let why = format!("{}!{FIRST} is there, but {} is not", account.user, self.file.display());
                let hint =
                    "Proxmox shows a secret once only. --rotate makes a new token; --file says where the secret is";
                return Err(Failure::new(Class::Conflict, "make the token", why).hint(hint));
            }
            None => FIRST.to_owned(),
        };
        let acts = account.acts(&seen, &token);
        if self.asked.dry_run {
            for act in &acts {
                self.say("would", act);
            }
            return Ok(Exit::Done);
        }
        let makes = acts.iter().any(|act| matches!(act, Act::AddToken { .. }));
        let room = makes.then(|| Reserved::at(&self.file)).transpose()?;
        let (secret, lacks) = match self.make(&authority, &acts, release, old.as_ref(), &token).await {
            Ok(done) => done,
            Err(failure) => {
                // A token that nobody has the secret of is of no use to anybody.
                if makes {
                    self.take_back(&authority, &token).await;
                }
                return Err(failure);
            }
        };
        if let Some(room) = room
            && let Err(failure) = room.fill(&secret, self.asked.rotate)
        {
            self.take_back(&authority, &token).await;
            return Err(failure);
        }
        if self.asked.rotate {
            self.retire(&authority, old.as_ref(), &token).await?;
        }
        self.end(&token, &lacks)
    }

    /// Does the acts, and proves with the token itself what it may do: its secret, and what it lacks.
    async fn make(
        &self,
        authority: &Authority,
        acts: &[Act],
        release: Release,
        old: Option<&SecretString>,
        token: &str,
    ) -> Answer<(SecretString, Vec<String>)> {
        let mut secret = old.filter(|_| !self.asked.rotate).cloned();
        for act in acts {
            if let Some(made) = authority.act(act).await? {
                let whole = format!("{}!{token}={}", self.asked.user, made.expose_secret());
                secret = Some(SecretString::from(whole));
            }
            self.say("done", act);
        }
        let none = || Failure::new(Class::Invalid, "prove the token", "nobody knows its secret");
        let secret = secret.ok_or_else(none)?;
        let pve = self.client(&secret)?;
        let lacks = self.missing(&pve, release).await?;
        Ok((secret, lacks))
    }

    /// What the token lacks, by asking it.
    async fn missing(&self, pve: &Proxmox, release: Release) -> Answer<Vec<String>> {
        let mut missing = vec![];
        for grant in self.grants.iter().filter(|grant| !grant.privileges(release).is_empty()) {
            let held = pve.permissions_on(&grant.path).await?;
            missing.extend(held.missing(grant, release).iter().map(|name| format!("{name} on {}", grant.path)));
        }
        Ok(missing)
    }

    async fn as_it_should_be(&self, pve: &Proxmox, secret: &SecretString) -> Answer<Exit> {
        let id = identity(secret);
        self.lines.emit(|| json!({ "event": "token", "id": id, "file": self.file, "changed": false, "missing": [] }));
        if !self.lines.own_the_screen() {
            let text =
                format!("All is as it should be: {id} in {} holds what the manifests need.\n", self.file.display());
            self.screen.print(&text);
        }
        let everywhere = pve.permissions_on("/").await?;
        let more = everywhere.on("/").len();
        if more > 0 {
            let hint = "a token of its own would hold less: --rotate";
            self.screen.warn(&format!("note: it holds {more} privileges on / that are not needed ({hint})"));
        }
        Ok(Exit::Done)
    }

    fn end(&self, token: &str, lacks: &[String]) -> Answer<Exit> {
        let id = format!("{}!{token}", self.asked.user);
        self.lines.emit(|| json!({ "event": "token", "id": id, "file": self.file, "changed": true, "missing": lacks }));
        if !lacks.is_empty() {
            self.screen.warn(&format!("{id} still lacks {}", lacks.join(", ")));
            return Ok(Exit::Partly);
        }
        if !self.lines.own_the_screen() {
            let text = format!(
                "{id} holds what the manifests need, and was asked itself. Its secret is in {} (mode 600).\n",
                self.file.display()
            );
            self.screen.print(&text);
        }
        Ok(Exit::Done)
    }

    /// The old token goes when the file holds the new one, and not before.
    async fn retire(&self, authority: &Authority, old: Option<&SecretString>, new: &str) -> Answer<()> {
        let Some(old) = old.map(identity) else { return Ok(()) };
        let Some((user, token)) = old.split_once('!').filter(|(_, token)| *token != new) else { return Ok(()) };
        let act = Act::RemoveToken { user: user.into(), token: token.into() };
        if self.asked.keep_old || user != self.asked.user {
            self.screen.warn(&format!("{old} is still good. To end it: {}", act.command()));
            return Ok(());
        }
        authority.act(&act).await?;
        self.say("done", &act);
        Ok(())
    }

    async fn take_back(&self, authority: &Authority, token: &str) {
        let act = Act::RemoveToken { user: self.asked.user.clone(), token: token.into() };
        match authority.act(&act).await {
            Ok(_) => self.say("taken back", &act),
            Err(failure) => self.screen.warn(&format!("warning: {failure}; by hand: {}", act.command())),
        }
    }

    async fn authority(&self) -> Answer<Authority> {
        let user = self.asked.log_in_as.as_deref();
        match &self.ways.host {
            Some(host) if user.is_none() && self.asked.password_file.is_none() => Ok(Authority::Node(host.clone())),
            _ => {
                let user = user.unwrap_or("root@pam");
                let password = match &self.asked.password_file {
                    Some(file) => password::from_file(file)?,
                    None => password::from_terminal(user)?,
                };
                let Ways { endpoints, trust, .. } = &self.ways;
                Proxmox::log_in(endpoints.clone(), trust, user, &password).await.map(Authority::Ticket)
            }
        }
    }

    fn client(&self, secret: &SecretString) -> Answer<Proxmox> {
        let Ways { endpoints, trust, .. } = &self.ways;
        Proxmox::connect(proxmox::Access { endpoints: endpoints.clone(), trust: trust.clone(), token: secret.clone() })
    }

    /// The name of a token of our user that is kept.
    fn named(&self, secret: &SecretString) -> Answer<String> {
        let id = identity(secret);
        match id.split_once('!') {
            Some((user, name)) if user == self.asked.user => Ok(name.to_owned()),
            _ => {
                let why = format!("{} holds {id}, which is not a token of {}", self.file.display(), self.asked.user);
                Err(Failure::new(Class::Conflict, "set the token up", why).hint("--rotate replaces it; or say --user"))
            }
        }
    }

    fn refused(&self, failure: Failure) -> Failure {
        match failure.class {
            Class::Denied => {
                let why = format!("Proxmox does not accept the token in {}", self.file.display());
                Failure::new(Class::Denied, "use the token that is there", why)
                    .hint("--rotate replaces it with a new one")
            }
            _ => failure,
        }
    }

    fn say(&self, word: &str, act: &Act) {
        self.lines
            .emit(|| json!({ "event": "act", "outcome": word, "text": act.to_string(), "command": act.command() }));
        if !self.lines.own_the_screen() {
            self.screen.print(&format!("{word}: {act}\n"));
        }
    }
}

/// `user@realm!id`, the part that is no secret.
fn identity(secret: &SecretString) -> String {
    secret.expose_secret().split_once('=').map(|(id, _)| id.to_owned()).unwrap_or_default()
}

/// The first name that no token has.
fn free(taken: &BTreeSet<String>) -> String {
    let names = std::iter::once(FIRST.to_owned()).chain((2..).map(|n| format!("{FIRST}-{n}")));
    names.into_iter().find(|name| !taken.contains(name)).unwrap_or_else(|| FIRST.to_owned())
}
