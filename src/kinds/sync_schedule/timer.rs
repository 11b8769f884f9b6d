//! The timer and the service that a schedule is.
use super::{Misfire, Retries, SyncSchedule, on_calendar::on_calendar};
use crate::{
    kinds::declared::{Declarations, Declared},
    model::{Name, Observed, Ready, Reference, Waiting, Wanted, Wants},
    resources::{
        World,
        guest_unit::{Desired, GuestUnit, PREFIX, Scope, Secret, SecretFile, UnitKey},
    },
};
use std::collections::BTreeMap;

/// The stem of a schedule's units.
fn stem(name: &Name) -> String {
    format!("{PREFIX}schedule-{name}")
}

/// The units of all schedules, and the references of their environments: what an observation has to know.
pub fn extend(scope: &mut Scope, declarations: &Declarations) {
    for declared in declarations.sync_schedules.values() {
        let guest = declarations.containers.get(&declared.spec.guest);
        if let Some(vmid) = guest.and_then(|guest| declarations.vmid(guest)) {
            let key = UnitKey { vmid, stem: stem(&declared.meta.name) };
            scope.wanted.insert(key, environment(&declared.spec));
        }
    }
}

fn environment(spec: &SyncSchedule) -> Option<Reference> {
    spec.environment.as_ref().map(|environment| environment.file.clone())
}

/// A timer for each schedule.
pub fn timer(declarations: &Declarations, _: &Observed<GuestUnit>, earlier: &World) -> Wants<GuestUnit> {
    let mut wants = Wants::default();
    for declared in declarations.sync_schedules.values() {
        let Some(guest) = declarations.reach(&declared.spec.guest, earlier) else { continue };
        let Some(mark) = declarations.mark(declared, Some(guest.uid.clone())) else { continue };
        let key = UnitKey { vmid: guest.vmid, stem: stem(&declared.meta.name) };
        if !guest.can_be_entered() {
            let sketch = format!("timer {}", declared.spec.schedule);
            wants.add(key, Wanted::Waiting(Waiting { declared: declared.id(), on: guest.id(), sketch }));
            continue;
        }
        let (units, secret) = units(declarations, declared, &key.stem);
        let active = format!("{}.timer", key.stem);
        let desired = Desired { units, active, secret, needs: vec![guest.id()] };
        wants.add(key, Wanted::Ready(Ready { mark, adopt: false, mode: declared.meta.mode, desired }));
    }
    wants
}

fn units(
    declarations: &Declarations,
    declared: &Declared<SyncSchedule>,
    stem: &str,
) -> (BTreeMap<String, String>, Option<SecretFile>) {
    let spec = &declared.spec;
    let site = declarations.site().map(|site| site.spec.timezone.as_str());
    let zone = spec.timezone.as_deref().or(site).unwrap_or("UTC");
    let environment = environment(spec).map(|_| SecretFile { name: format!("{stem}.env"), of: Secret::Reference });
    let texts = [
        (format!("{stem}.timer"), timer_text(declared, zone)),
        (format!("{stem}.service"), service_text(declared, environment.as_ref())),
    ];
    (texts.into(), environment)
}

fn timer_text(declared: &Declared<SyncSchedule>, zone: &str) -> String {
    let spec = &declared.spec;
    let mut text = format!("[Unit]\nDescription=When {} runs\n\n[Timer]\n", declared.id());
    for calendar in on_calendar(&spec.schedule, zone) {
        text += &format!("OnCalendar={calendar}\n");
    }
    // Without it systemd may run it up to a minute late.
    text += "AccuracySec=1s\n";
    text += &format!("Persistent={}\n\n[Install]\nWantedBy=timers.target\n", spec.misfire == Misfire::RunOnce);
    text
}

fn service_text(declared: &Declared<SyncSchedule>, environment: Option<&SecretFile>) -> String {
    let spec = &declared.spec;
    let mut text = format!("[Unit]\nDescription={}\n", declared.id());
    if let Some(retries) = &spec.retries {
        text += &start_limit(retries, spec.time_limit.map(|p| p.as_seconds()));
    }
    // systemd starts no unit that still runs: the time that comes meanwhile is left out.
    text += &format!("\n[Service]\nType=oneshot\nExecStart={}\n", command(spec));
    if let Some(user) = &spec.user {
        text += &format!("User={user}\n");
    }
    if let Some(file) = environment {
        text += &format!("EnvironmentFile=/etc/trueup/{}\n", file.name);
    }
    // Of a oneshot service this limits the whole run.
    let limit = spec.time_limit.map_or_else(|| "infinity".to_owned(), |p| format!("{}s", p.as_seconds()));
    text += &format!("TimeoutStartSec={limit}\n");
    if let Some(retries) = &spec.retries {
        text += &format!("Restart=on-failure\nRestartSec={}s\n", retries.delay.as_seconds());
    }
    text
}

/// As many starts as the first and its retries take, in as long as these take at most.
fn start_limit(retries: &Retries, time_limit: Option<u64>) -> String {
    let starts = u64::from(retries.limit) + 1;
    let each = retries.delay.as_seconds() + time_limit.unwrap_or(3_600);
    format!("StartLimitBurst={starts}\nStartLimitIntervalSec={}s\n", starts * each)
}

fn command(spec: &SyncSchedule) -> String {
    let words: Vec<String> = match (&spec.command, &spec.http) {
        (Some(command), _) => command.clone(),
        (None, Some(http)) => {
            let (method, url) = (http.method.to_string(), http.url.to_string());
            ["/usr/bin/curl", "--fail", "--silent", "--show-error", "--request", &method, &url]
                .map(str::to_owned)
                .into()
        }
        // Refused when the manifests are checked.
        (None, None) => vec!["/bin/false".to_owned()],
    };
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// One argument as systemd reads it back: no variable, no specifier, no quote has a meaning.
fn quoted(word: &str) -> String {
    let mut out = String::new();
    let mut plain = !word.is_empty();
    for c in word.chars() {
        match c {
            '%' => out.push_str("%%"),
            '$' => out.push_str("$$"),
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            _ => out.push(c),
        }
        plain &= c.is_ascii_alphanumeric() || "/._-+=:,@%$".contains(c);
    }
    if plain { out } else { format!("\"{out}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kinds::load,
        manifest::{Severity, SourceFile},
    };

    const SITE: &str = "apiVersion: trueup/v1alpha1
kind: Site
metadata: { name: nz }
spec:
  domain: bridges.test
  timezone: Pacific/Auckland
  host: local
  proxmox: { endpoints: ['https://192.168.61.2:8006'], token: { env: T }, defaults: { node: pve1, storage: local, bridge: vmbr0 } }
---
apiVersion: trueup/v1alpha1
kind: Container
metadata: { name: xero-sync }
spec: { vmid: 100, template: 'local:vztmpl/d.tar.zst', rootfs: { size: 8GiB } }
---
apiVersion: trueup/v1alpha1
kind: SyncSchedule
metadata: { name: xero-nightly }
spec: ";

    fn texts(spec: &str) -> String {
        let (declarations, found) = load(vec![SourceFile::new("site.yaml", format!("{SITE}{spec}\n"))]);
        let errors: Vec<_> = found.iter().filter(|d| d.severity == Severity::Error).map(|d| &d.message).collect();
        assert!(errors.is_empty(), "{errors:?}");
        let declared = declarations.sync_schedules.values().next().unwrap();
        let (units, _) = units(&declarations, declared, &stem(&declared.meta.name));
        units.into_iter().map(|(name, text)| format!("--- {name}\n{text}")).collect()
    }

    /// S1, S2, S5
    #[test]
    fn everything_that_can_be_said() {
        insta::assert_snapshot!(texts("{ guest: xero-sync, schedule: '02:00', timezone: UTC,
  command: [/opt/xero-sync/venv/bin/python, /opt/xero-sync/sync_xpm.py, '--note=100% \"sure\" $HOME'],
  user: xero, environment: { file: { file: xero.env } }, misfire: runOnce, timeLimit: 2h, retries: { limit: 2, delay: 5m } }"), @r#"
        --- trueup-schedule-xero-nightly.service
        [Unit]
        Description=SyncSchedule/xero-nightly
        StartLimitBurst=3
        StartLimitIntervalSec=22500s

        [Service]
        Type=oneshot
        ExecStart=/opt/xero-sync/venv/bin/python /opt/xero-sync/sync_xpm.py "--note=100%% \"sure\" $$HOME"
        User=xero
        EnvironmentFile=/etc/trueup/trueup-schedule-xero-nightly.env
        TimeoutStartSec=7200s
        Restart=on-failure
        RestartSec=300s
        --- trueup-schedule-xero-nightly.timer
        [Unit]
        Description=When SyncSchedule/xero-nightly runs

        [Timer]
        OnCalendar=*-*-* 02:00:00 UTC
        AccuracySec=1s
        Persistent=true

        [Install]
        WantedBy=timers.target
        "#);
    }

    #[test]
    fn a_request_in_the_time_zone_of_the_site() {
        insta::assert_snapshot!(texts("{ guest: xero-sync, schedule: '*/20 6-8 * * MON-FRI', http: { url: 'http://127.0.0.1:8787/run-sync' } }"), @"
        --- trueup-schedule-xero-nightly.service
        [Unit]
        Description=SyncSchedule/xero-nightly

        [Service]
        Type=oneshot
        ExecStart=/usr/bin/curl --fail --silent --show-error --request POST http://127.0.0.1:8787/run-sync
        TimeoutStartSec=infinity
        --- trueup-schedule-xero-nightly.timer
        [Unit]
        Description=When SyncSchedule/xero-nightly runs

        [Timer]
        OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 06,07,08:00,20,40:00 Pacific/Auckland
        AccuracySec=1s
        Persistent=false

        [Install]
        WantedBy=timers.target
        ");
    }
}
