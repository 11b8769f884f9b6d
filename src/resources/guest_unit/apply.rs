//! One change, as commands and files. Each command may be repeated without harm.
use super::{Change, GuestUnit, PREFIX, SECRETS, Scope, Secret, SecretFile, UNITS, UnitKey, observe};
use crate::{
    model::{Answer, Class, Failure, Mark},
    providers::{
        Providers,
        host::{Host, Limits, Place},
    },
    resources::Act,
};
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use std::{collections::BTreeMap, time::Duration};

/// Where systemd keeps when a persistent timer elapsed last.
const STAMPS: &str = "/var/lib/systemd/timers";

pub async fn apply(providers: &Providers, scope: &Scope, act: Act<'_, GuestUnit>) -> Answer<()> {
    let inside = Inside { host: observe::host(providers)?, place: Place::Guest { vmid: act.key.vmid.get() } };
    match act.change {
        Change::Install { units, remove, secret, active, restart } => {
            // The secret is had first, so that nothing is written where it cannot be had.
            let content = match secret {
                Some(file) => Some((file, content(providers, scope, act.key, file).await?)),
                None => None,
            };
            inside.write(act.mark, units, remove, content).await?;
            let persistent = units.get(active).is_some_and(|text| text.contains("Persistent=true"));
            inside.activate(active, *restart, persistent).await
        }
        Change::Remove => inside.remove(act.key).await,
    }
}

async fn content(providers: &Providers, scope: &Scope, key: &UnitKey, file: &SecretFile) -> Answer<SecretString> {
    let missing = |what: &str| Failure::new(Class::Invalid, format!("write {} of {key}", file.name), what);
    match &file.of {
        Secret::Reference => match scope.wanted.get(key) {
            Some(Some(reference)) => providers.secrets.read(reference).await,
            _ => Err(missing("no manifest refers to its content")),
        },
        Secret::TunnelToken { tunnel } => {
            let account = scope.account.as_ref().ok_or_else(|| missing("no account is declared"))?;
            providers.cloudflare()?.tunnel_token(account, tunnel).await
        }
    }
}

struct Inside<'a> {
    host: &'a Host,
    place: Place,
}

impl Inside<'_> {
    /// Unit files first, because they carry the mark: a secret is never there alone.
    async fn write(
        &self,
        mark: &Mark,
        units: &BTreeMap<String, String>,
        remove: &[String],
        secret: Option<(&SecretFile, SecretString)>,
    ) -> Answer<()> {
        for (name, text) in units {
            let text = observe::marked(mark, text);
            self.host.put_file(self.place, &format!("{UNITS}/{name}"), 0o644, text.into()).await?;
        }
        for name in remove.iter().filter(|name| name.starts_with(PREFIX)) {
            self.systemctl(&["disable", "--now", name]).await?;
            self.host.remove_file(self.place, &format!("{UNITS}/{name}")).await?;
        }
        if let Some((file, content)) = secret {
            self.host.make_directory(self.place, SECRETS, 0o700).await?;
            let content = Bytes::copy_from_slice(content.expose_secret().as_bytes());
            self.host.put_file(self.place, &format!("{SECRETS}/{}", file.name), 0o600, content).await?;
        }
        self.systemctl(&["daemon-reload"]).await
    }

    async fn activate(&self, unit: &str, restart: bool, persistent: bool) -> Answer<()> {
        self.systemctl(&["enable", unit]).await?;
        if unit.ends_with(".timer") {
            if restart {
                self.systemctl(&["stop", unit]).await?;
            }
            if persistent {
                // A persistent timer makes up for runs that it missed since this file's time. A new calendar has missed
                // none: a deployment triggers no run.
                self.host.make_directory(self.place, STAMPS, 0o755).await?;
                self.host.put_file(self.place, &format!("{STAMPS}/stamp-{unit}"), 0o644, Bytes::new()).await?;
            }
            return self.systemctl(&["start", unit]).await;
        }
        self.systemctl(&[if restart { "restart" } else { "start" }, unit]).await
    }

    /// The secret goes before the unit files, which carry the mark.
    async fn remove(&self, key: &UnitKey) -> Answer<()> {
        let stem = &key.stem;
        for end in ["timer", "service"] {
            let name = format!("{stem}.{end}");
            if self.host.read_file(self.place, &format!("{UNITS}/{name}")).await?.is_some() {
                self.systemctl(&["disable", "--now", &name]).await?;
            }
        }
        for end in ["env", "token"] {
            self.host.remove_file(self.place, &format!("{SECRETS}/{stem}.{end}")).await?;
        }
        self.host.remove_file(self.place, &format!("{STAMPS}/stamp-{stem}.timer")).await?;
        for end in ["timer", "service"] {
            self.host.remove_file(self.place, &format!("{UNITS}/{stem}.{end}")).await?;
        }
        self.systemctl(&["daemon-reload"]).await
    }

    async fn systemctl(&self, arguments: &[&str]) -> Answer<()> {
        let argv: Vec<&str> = ["systemctl"].into_iter().chain(arguments.iter().copied()).collect();
        // A service of type notify says when it is ready; its own limit is shorter.
        let limits = Limits { timeout: Duration::from_secs(60), ..Limits::default() };
        let output = self.host.run_at(self.place, &argv, Bytes::new(), limits).await?;
        if output.status == 0 {
            return Ok(());
        }
        let attempted = format!("{} in {}", arguments.join(" "), self.place);
        let why = match output.complaint() {
            complaint if complaint.is_empty() => format!("systemctl ended with status {}", output.status),
            complaint => complaint,
        };
        Err(Failure::new(Class::Invalid, attempted, why).hint("`journalctl -u UNIT` inside the guest says more"))
    }
}
