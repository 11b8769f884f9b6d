//! A sandbox in this process, and passes over it through real clients.
use super::{random::Random, takeover};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{Arc, Mutex},
};
use trueup::{
    engine::{self, Estate, Report},
    kinds::{
        self, Declarations, RESOURCES,
        allocation::{Carried, allocate, fill},
    },
    ledger::Lock,
    manifest::SourceFile,
    model::{Plan, Uid},
    plan::Consent,
    providers::{Providers, cloudflare, host::Host, http::Trust, proxmox, sandbox_connection::Connection, traefik},
    resources::Change,
    sandbox::{
        drift::{self, Drift},
        faults::{Fault, What, When},
        proxmox::{Kind, SeedGuest},
        seed::{Seed, ZONE},
        serve::{NetMode, Options, Running, serve},
    },
};

const FOREIGN_GUEST: u32 = 900;
const FOREIGN_FILE: &str = "/etc/traefik/dynamic/by-hand.yml";

pub struct Bed {
    running: Running,
    providers: Providers,
    lock: Lock,
    uids: u64,
    clock: i64,
    directory: tempfile::TempDir,
    /// A guest of somebody else under an id of ours, as they made it.
    theirs: Option<String>,
}

/// What a dry run showed.
pub struct Preview {
    pub plan: Plan<Change>,
    pub consent: Consent,
}

/// The consent that a report asks for.
fn asked(report: &Report) -> Option<Consent> {
    let withheld = report.waves.iter().flat_map(|wave| &wave.withheld).chain(&report.withheld).next();
    let digest = match (&report.refusal, withheld) {
        (Some(refusal), _) => refusal.digest.clone(),
        (None, Some((_, why))) => {
            why.split_once("--consent ").map(|(_, rest)| rest.chars().take_while(char::is_ascii_hexdigit).collect())
        }
        (None, None) => None,
    };
    digest.map(|digest| Consent { digest: Some(digest), named: BTreeSet::new() })
}

impl Bed {
    /// A fresh sandbox with things in it that are not ours.
    pub async fn new(random: &mut Random) -> Self {
        let directory = directory();
        let mut seed = Seed::default();
        let config = [("hostname", "by-hand"), ("memory", "512"), ("ostype", "debian"), ("description", "mine\n")];
        let config = serde_json::from_value(json!(BTreeMap::from(config))).unwrap();
        seed.proxmox.guests.push(SeedGuest { vmid: FOREIGN_GUEST, kind: Kind::Lxc, node: None, running: true, config });
        let record = json!({ "name": "by-hand.decent-cloud.org", "type": "TXT", "content": "\"mine\"", "ttl": 300 });
        seed.cloudflare.records.insert(ZONE.into(), vec![record]);
        let net = NetMode::Simulated;
        let options = Options { net, fast: true, seed, ..Options::new(directory.path().join("sandbox")) };
        let running = serve(options).await.unwrap();
        let content = "http:\n  routers:\n    by-hand:\n      rule: Host(`by-hand.example.net`)\n      service: by-hand\n  \
                       services:\n    by-hand:\n      loadBalancer:\n        servers:\n          - url: http://127.0.0.1:1\n";
        let file = Drift::File { vmid: None, path: FOREIGN_FILE.into(), content: content.into() };
        drift::apply(running.site(), file).await.unwrap();
        let providers = providers(running.connection());
        Self {
            running,
            providers,
            lock: Lock::default(),
            uids: random.below(1 << 40),
            clock: 0,
            directory,
            theirs: None,
        }
    }

    fn declare(&mut self, text: &str) -> Declarations {
        let (mut declarations, found) = kinds::load(vec![SourceFile::new("site.yaml", text)]);
        let errors: Vec<_> = found.iter().filter(|d| d.is_error()).map(|d| &d.message).collect();
        assert!(errors.is_empty(), "{errors:?}\n{text}");
        self.clock += 1;
        let now = Timestamp::from_second(1_790_000_000 + self.clock * 60).unwrap();
        let uids = &mut self.uids;
        let allocated = allocate(&declarations, &self.lock, &Carried::default(), now, &mut || {
            *uids += 1;
            let mut bits = [0; 10];
            bits[2..].copy_from_slice(&uids.to_be_bytes());
            Uid::from_bits(bits)
        });
        assert!(allocated.problems.is_empty(), "{:?}", allocated.problems);
        self.lock = allocated.lock.clone();
        assert!(fill(&mut declarations, allocated.lock).is_empty());
        declarations
    }

    /// What a pass works on; the same clients for all of them, whatever has become of their connections.
    pub fn estate(&mut self, text: &str) -> Arc<Estate<Declarations>> {
        let declarations = self.declare(text);
        let providers = self.providers.clone();
        Arc::new(Estate { declarations, providers, resources: RESOURCES, without: BTreeMap::new() })
    }

    /// What a dry run shows, and the consent that it asks for, as a person would give it.
    pub async fn preview(&self, estate: &Arc<Estate<Declarations>>) -> Preview {
        let report = engine::dry_run(estate, &engine::Options::default(), &|_| {}).await;
        Preview { consent: asked(&report).unwrap_or_default(), plan: report.first }
    }

    /// One pass with this consent.
    pub async fn pass_with(&self, estate: &Arc<Estate<Declarations>>, consent: Consent) -> Report {
        engine::pass(estate, &engine::Options { consent, ..Default::default() }, &|_| {}).await
    }

    /// One pass; where a guard refuses, again with the consent that the refusal asks for.
    pub async fn pass(&mut self, text: &str) -> Report {
        let estate = self.estate(text);
        let report = self.pass_with(&estate, Consent::default()).await;
        match asked(&report) {
            Some(consent) => self.pass_with(&estate, consent).await,
            None => report,
        }
    }

    /// One pass; when it has looked and is about to write, somebody else takes this id.
    pub async fn pass_disturbed(&mut self, text: &str, vmid: u32) -> Report {
        let estate = self.estate(text);
        let preview = self.preview(&estate).await;
        let (site, theirs) = (Arc::clone(self.running.site()), Mutex::new(None));
        let tell = |event: engine::Event<'_>| {
            if let engine::Event::Applying { wave: 0, .. } = event {
                *theirs.lock().unwrap() = Some(takeover::take_over(&site, vmid));
            }
        };
        let options = engine::Options { consent: preview.consent, ..Default::default() };
        let report = engine::pass(&estate, &options, &tell).await;
        // A pass that had nothing to do was not under way.
        self.theirs = theirs.into_inner().unwrap().or_else(|| Some(takeover::take_over(&site, vmid)));
        report
    }

    /// Somebody else takes this id.
    pub fn give_to_somebody_else(&mut self, vmid: u32) {
        self.theirs = Some(takeover::take_over(self.running.site(), vmid));
    }

    /// Whether their guest is as they made it.
    pub fn is_untouched(&self, vmid: u32) -> bool {
        self.theirs.as_ref() == Some(&takeover::whole(self.running.site(), vmid))
    }

    /// They destroy it again.
    pub fn take_away(&mut self, vmid: u32) {
        self.theirs = None;
        takeover::destroy(self.running.site(), vmid);
    }

    /// How many writes any system has seen.
    pub fn writes(&self) -> u64 {
        self.running.site().faults.counts().1
    }

    pub fn add(&self, fault: Fault) {
        self.running.site().faults.add(fault).unwrap();
    }

    pub fn heal(&self) {
        self.running.site().faults.replace(vec![]).unwrap();
    }

    /// Everything that is not ours, as bytes.
    pub async fn foreign(&self) -> String {
        let state = serde_json::to_value(self.running.site().cloudflare.snapshot()).unwrap();
        let records = state["records"][ZONE].as_object().unwrap();
        let mine: Vec<&Value> = records.values().filter(|r| r["name"] == "by-hand.decent-cloud.org").collect();
        let file = fs::read(self.directory.path().join("sandbox/node").join(FOREIGN_FILE.trim_start_matches('/')));
        format!("{}\n{mine:?}\n{:?}", self.config(FOREIGN_GUEST), file.unwrap())
    }

    /// A guest's configuration, pending included, and whether it runs.
    fn config(&self, vmid: u32) -> String {
        let state = serde_json::to_value(self.running.site().proxmox.snapshot()).unwrap();
        state["guests"][vmid.to_string()].to_string()
    }

    /// The ids of our guests that are there.
    pub fn vmids(&self) -> BTreeSet<u32> {
        self.running
            .site()
            .proxmox
            .guests()
            .iter()
            .map(|guest| guest.vmid)
            .filter(|vmid| *vmid != FOREIGN_GUEST)
            .collect()
    }

    /// Whether the manifests of the last pass want a guest of this id.
    pub fn wants(&self, vmid: u32) -> bool {
        self.lock.objects.values().any(|entry| entry.vmid == Some(vmid))
    }

    /// No uid stands for two guests, tunnels or records of one name and type.
    pub async fn no_duplicates(&self) {
        let state = serde_json::to_value(self.running.site().cloudflare.snapshot()).unwrap();
        let mut seen = BTreeSet::new();
        for record in state["records"][ZONE].as_object().unwrap().values() {
            let key = format!("{} {}", record["name"], record["type"]);
            assert!(seen.insert(key.clone()), "two records {key}");
        }
        let mut names = BTreeSet::new();
        for tunnels in state["tunnels"].as_object().unwrap().values() {
            for tunnel in tunnels.as_object().unwrap().values().filter(|t| t["deleted_at"].is_null()) {
                assert!(names.insert(tunnel["name"].to_string()), "two tunnels {}", tunnel["name"]);
            }
        }
    }

    pub async fn end(self) {
        self.running.stop().await.unwrap();
    }
}

/// In memory where the machine has that: nothing here is to outlive its process.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn providers(connection: &Connection) -> Providers {
    let authority = |path| Trust::Ca(fs::read_to_string(path).unwrap());
    let token = |path| SecretString::from(fs::read_to_string(path).unwrap().trim().to_owned());
    let host = Host::sandbox(&connection.host_socket);
    let proxmox = proxmox::Access {
        endpoints: vec![connection.proxmox.url.parse().unwrap()],
        trust: authority(&connection.proxmox.ca),
        token: token(&connection.proxmox.token_file),
    };
    let cloudflare = cloudflare::Access {
        base: format!("{}/client/v4", connection.cloudflare.url).parse().unwrap(),
        trust: authority(&connection.cloudflare.ca),
        token: token(&connection.cloudflare.token_file),
    };
    let api = traefik::Api::new(connection.traefik.url.parse().unwrap()).unwrap();
    Providers {
        proxmox: Some(proxmox::Proxmox::connect(proxmox).unwrap()),
        cloudflare: Some(cloudflare::Cloudflare::connect(&cloudflare).unwrap()),
        traefik: Some(traefik::Traefik::new(host.clone(), "/etc/traefik/dynamic", Some(api))),
        host: Some(host),
        ..Providers::default()
    }
}

pub fn rule(system: &str, writes: bool, nth: Option<u64>, when: When, what: What) -> Fault {
    let mut rule: Fault = serde_json::from_value(json!({ "system": system, "writes": writes, "what": what })).unwrap();
    (rule.nth, rule.when) = (nth, when);
    rule
}
