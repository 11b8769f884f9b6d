//! Whole passes against the simulated account: from manifests to records, over HTTPS, with faults.
use crate::{
    engine::{self, Estate, Options, Report},
    kinds::{
        Declarations, allocation, cloudflare_scope, dns_slug, load,
        tunnel::{cname, configuration, tunnel as tunnel_of},
    },
    ledger::Lock,
    manifest::{Severity, SourceFile},
    model::{DeclarationId, Observed, Uid, Wanted, Wants},
    providers::{
        Providers,
        cloudflare::tests::world::{ACCOUNT, World, ZONE, seed, world},
    },
    resources::{
        AnyResource, Of, World as Inventories, dns_record::DnsRecord, tunnel::Tunnel,
        tunnel_configuration::TunnelConfiguration,
    },
    sandbox::{
        cloudflare::{Plan, Record, Simulator},
        faults::{Fault, Faults, What},
    },
};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Slugs without the guests and routes that they need, which other tests have.
fn slugs(declarations: &Declarations, observed: &Observed<DnsRecord>, earlier: &Inventories) -> Wants<DnsRecord> {
    let mut wants = dns_slug::record::record(declarations, observed, earlier);
    for wanted in wants.wanted.values_mut() {
        if let Wanted::Ready(ready) = wanted {
            ready.desired.uses.clear();
            ready.desired.needs.clear();
        }
    }
    wants
}

/// Names of tunnels without the connectors that they need, which other tests have.
fn names(declarations: &Declarations, observed: &Observed<DnsRecord>, earlier: &Inventories) -> Wants<DnsRecord> {
    let mut wants = cname::cname(declarations, observed, earlier);
    for wanted in wants.wanted.values_mut() {
        if let Wanted::Ready(ready) = wanted {
            ready.desired.needs.retain(|id| id.resource != "guest-unit");
        }
    }
    wants
}

const LIST: &[&dyn AnyResource<Declarations>] = &[
    &Of::<Tunnel, _> { scope: cloudflare_scope::tunnels, from: &[tunnel_of::tunnel] },
    &Of::<TunnelConfiguration, _> { scope: cloudflare_scope::configurations, from: &[configuration::configuration] },
    &Of::<DnsRecord, _> { scope: cloudflare_scope::records, from: &[slugs, names] },
];

/// A site that is reconciled again and again.
struct Site {
    simulator: Arc<Simulator>,
    faults: Arc<Faults>,
    estate: Estate<Declarations>,
    lock: Lock,
    consent: BTreeSet<DeclarationId>,
    _dir: tempfile::TempDir,
}

impl Site {
    async fn new() -> Self {
        let mut seed = seed("secret");
        seed.zones[0].plan = Plan::Pro;
        let World { dir, simulator, faults, client, .. } = world(&seed, "secret").await;
        let providers = Providers { cloudflare: Some(client), ..Providers::default() };
        let estate =
            Estate { declarations: Declarations::default(), providers, resources: LIST, without: BTreeMap::new() };
        Self { simulator, faults, estate, lock: Lock::default(), consent: BTreeSet::new(), _dir: dir }
    }

    /// Reads these manifests beside a Site, a Gateway and the container `web`; uids are kept from before.
    fn declare(&mut self, manifests: &str) {
        let site = include_str!("site.yaml");
        let (mut declarations, found) = load(vec![SourceFile::new("site.yaml", format!("{site}{manifests}"))]);
        let errors: Vec<_> = found.iter().filter(|d| d.severity == Severity::Error).map(|d| &d.message).collect();
        assert!(errors.is_empty(), "{errors:?}");
        let mut count = self.lock.objects.len() as u64;
        let mut fresh = || {
            count += 1;
            let mut bits = [0; 10];
            bits[2..].copy_from_slice(&count.to_be_bytes());
            Uid::from_bits(bits)
        };
        let carried = allocation::Carried::default();
        let allocated = allocation::allocate(&declarations, &self.lock, &carried, Timestamp::UNIX_EPOCH, &mut fresh);
        assert!(allocated.problems.is_empty());
        self.lock = allocated.lock.clone();
        allocation::fill(&mut declarations, allocated.lock);
        self.estate.declarations = declarations;
    }

    async fn pass(&mut self) -> Report {
        let mut options = Options::default();
        options.consent.named = self.consent.clone();
        let placeholder = Estate {
            declarations: Declarations::default(),
            providers: Providers::default(),
            resources: LIST,
            without: BTreeMap::new(),
        };
        let estate = Arc::new(std::mem::replace(&mut self.estate, placeholder));
        let report = engine::pass(&estate, &options, &|_| {}).await;
        self.estate = Arc::into_inner(estate).unwrap();
        report
    }

    /// A pass after which all is true, and one more that writes nothing.
    async fn converge(&mut self) {
        let report = self.pass().await;
        assert!(report.rest.in_true(), "{}", told(&report));
        let before = self.faults.counts().1;
        let again = self.pass().await;
        assert!(again.first.in_true(), "{}", told(&again));
        assert_eq!(self.faults.counts().1, before, "a converged account gets no write");
    }

    fn records(&self) -> Vec<Record> {
        self.simulator.snapshot().records.remove(ZONE).unwrap_or_default().into_values().collect()
    }

    /// `TYPE NAME CONTENT`, sorted.
    fn zone(&self) -> Vec<String> {
        let short = |name: &str| name.trim_end_matches(".decent-cloud.org").to_owned();
        let mut all: Vec<String> =
            self.records().iter().map(|r| format!("{} {} {}", r.kind, short(&r.name), r.content)).collect();
        all.sort();
        all
    }

    /// What somebody else makes by hand.
    fn by_hand(&self, kind: &str, name: &str, content: &str, comment: Option<&str>) {
        self.simulator.edit(|state| {
            let id = super::super::state::next_id(&mut state.counter);
            let record = json!({
                "id": id, "type": kind, "name": format!("{name}.decent-cloud.org"), "content": content, "ttl": 300,
                "proxied": false, "comment": comment, "created_on": "", "modified_on": "",
            });
            let record: Record = serde_json::from_value(record).unwrap();
            state.records.entry(ZONE.into()).or_default().insert(id, record);
        });
    }

    fn edit(&self, name: &str, change: impl Fn(&mut Record)) {
        self.simulator.edit(|state| {
            let all = state.records.get_mut(ZONE).unwrap();
            all.values_mut().filter(|r| r.name == format!("{name}.decent-cloud.org")).for_each(change);
        });
    }

    fn tunnel(&self) -> crate::sandbox::cloudflare::Tunnel {
        let all = self.simulator.snapshot().tunnels.remove(ACCOUNT).unwrap_or_default();
        all.into_values().find(|tunnel| tunnel.deleted_at.is_none()).expect("a live tunnel")
    }

    fn hosts(&self) -> Vec<String> {
        let config = self.tunnel().config.unwrap_or_default();
        let rules = config["ingress"].as_array().cloned().unwrap_or_default();
        rules.iter().map(|rule| rule["hostname"].as_str().unwrap_or("*").to_owned()).collect()
    }
}

fn told(report: &Report) -> String {
    let plan = |plan: &crate::model::Plan<crate::resources::Change>| {
        let steps = plan.steps.iter().map(|s| format!("{} {} {:?}", s.id, s.change, s.blocked));
        let notes = plan.conflicts.iter().chain(&plan.unseen).map(|n| format!("{} {}", n.object, n.text));
        let later = plan.later.iter().map(|l| format!("later {} {}", l.object, l.sketch));
        steps.chain(notes).chain(later).collect::<Vec<_>>().join("\n")
    };
    let outcomes: Vec<String> = report.outcomes().map(|(id, outcome)| format!("{id}: {outcome:?}")).collect();
    let refusal = format!("{:?}", report.refusal);
    format!(
        "first:\n{}\noutcomes:\n{}\nrest:\n{}\n{refusal}",
        plan(&report.first),
        outcomes.join("\n"),
        plan(&report.rest)
    )
}

fn conflicts(report: &Report) -> Vec<String> {
    report.rest.conflicts.iter().map(|note| note.text.clone()).collect()
}

fn slug(name: &str, slug: &str, annotations: &str) -> String {
    format!(
        "---\napiVersion: trueup/v1alpha1\nkind: DnsSlug\nmetadata: {{ name: {name}, annotations: {{ {annotations} }} }}\n\
         spec: {{ guest: web, slug: {slug} }}\n"
    )
}

fn tunnel(mode: &str, hosts: &[&str]) -> String {
    let rules: Vec<String> = hosts
        .iter()
        .map(|host| format!("{{ host: {host}.decent-cloud.org, service: 'http://10.0.1.5:8080' }}"))
        .collect();
    format!(
        "---\napiVersion: trueup/v1alpha1\nkind: Tunnel\nmetadata: {{ name: t }}\n\
         spec: {{ mode: {mode}, connector: {{ guest: web }}, ingress: [{}] }}\n",
        rules.join(", ")
    )
}

#[tokio::test]
async fn a_slug_is_one_record_however_often_it_is_applied() {
    let mut site = Site::new().await;
    site.declare(&slug("web", "k7m2p4", ""));
    site.converge().await;
    assert_eq!(site.zone(), ["A k7m2p4.dc-lk 203.0.113.1"]);
    let record = site.records().remove(0);
    assert_eq!((record.ttl, record.proxied), (300, false));
    assert!(record.comment.is_some_and(|c| c.starts_with("trueup dc-lk ") && c.ends_with(" DnsSlug/web")));
    site.declare("");
    site.converge().await;
    assert!(site.records().is_empty());
    site.converge().await;
}

#[tokio::test]
async fn what_somebody_else_made_is_left_until_it_is_adopted() {
    let mut site = Site::new().await;
    site.by_hand("A", "k7m2p4.dc-lk", "198.51.100.9", Some("mail"));
    site.declare(&slug("web", "k7m2p4", ""));
    let before = site.simulator.snapshot();
    let report = site.pass().await;
    assert_eq!(conflicts(&report), ["is held by A 198.51.100.9 (someone else, \"mail\")"]);
    assert_eq!(site.simulator.snapshot(), before);
    site.declare(&slug("web", "k7m2p4", "trueup/adopt: k7m2p4.dc-lk.decent-cloud.org/A"));
    let report = site.pass().await;
    assert!(report.rest.in_true(), "{}", told(&report));
    let was = serde_json::to_string(&report.first.steps[0].change.data).unwrap();
    assert!(was.contains("198.51.100.9") && was.contains("mail"), "a copy of what it was stays in history: {was}");
    assert_eq!(site.zone(), ["A k7m2p4.dc-lk 203.0.113.1"]);
    site.converge().await;
}

#[tokio::test]
async fn edits_duplicates_and_lost_records_converge() {
    let mut site = Site::new().await;
    site.declare(&slug("web", "k7m2p4", ""));
    site.converge().await;
    let comment = site.records()[0].comment.clone();
    site.by_hand("A", "k7m2p4.dc-lk", "203.0.113.77", comment.as_deref());
    site.converge().await;
    assert_eq!(site.zone(), ["A k7m2p4.dc-lk 203.0.113.1"]);
    site.edit("k7m2p4.dc-lk", |record| (record.ttl, record.content) = (60, "203.0.113.78".into()));
    site.converge().await;
    assert_eq!(site.records()[0].ttl, 300);
    site.simulator.edit(|state| state.records.clear());
    site.converge().await;
    assert_eq!(site.zone(), ["A k7m2p4.dc-lk 203.0.113.1"]);
}

#[tokio::test]
async fn our_alias_makes_way_for_an_address_in_one_batch() {
    let mut site = Site::new().await;
    site.declare(&tunnel("exclusive", &["k7m2p4.dc-lk"]));
    site.converge().await;
    // The name goes from the tunnel to a slug.
    site.declare(&(tunnel("exclusive", &["other"]) + &slug("web", "k7m2p4", "")));
    let before = site.faults.counts().1;
    let report = site.pass().await;
    assert_eq!(site.faults.counts().1 - before, 3, "one exchange of records, the rules, and then the new name");
    assert!(report.rest.in_true(), "{}", told(&report));
    let zone = site.zone();
    assert_eq!(zone[0], "A k7m2p4.dc-lk 203.0.113.1", "{zone:?}");
    assert_eq!(zone.len(), 2);
}

#[tokio::test]
async fn a_zone_that_cannot_be_seen_whole_is_not_touched() {
    let mut site = Site::new().await;
    site.declare(&(slug("web", "k7m2p4", "") + &slug("old", "old222", "") + &slug("kept", "kept22", "")));
    site.converge().await;
    site.declare(&(slug("web", "k7m2p4", "") + &slug("new", "new222", "") + &slug("kept", "kept22", "")));
    site.edit("k7m2p4.dc-lk", |record| record.ttl = 60);
    let before = site.simulator.snapshot();
    for spoiled in [
        What::Status { status: 500, message: "oops".into() },
        What::Status { status: 403, message: "no".into() },
        What::TruncatedPage,
        What::EmptyList,
        What::Drop,
    ] {
        site.faults.replace(vec![Fault::new(spoiled.clone()).on("cloudflare", "GET */dns_records?*")]).unwrap();
        let report = site.pass().await;
        assert!(report.rest.unseen.iter().any(|note| note.object.resource == "dns-record"), "{spoiled}");
        assert_eq!(site.simulator.snapshot(), before, "{spoiled}: neither deletes nor creates");
    }
    site.faults.replace(vec![]).unwrap();
    site.converge().await;
    let names = ["A k7m2p4.dc-lk 203.0.113.1", "A kept22.dc-lk 203.0.113.1", "A new222.dc-lk 203.0.113.1"];
    assert_eq!(site.zone(), names);
}

#[tokio::test]
async fn any_single_fault_converges_within_three_passes() {
    let spoils = [What::Drop, What::Status { status: 502, message: String::new() }, What::EmptyList, What::Stale];
    let faults = spoils.into_iter().flat_map(|spoiled| {
        (1..=10).flat_map(move |nth| {
            let fault = Fault::new(spoiled.clone()).nth(nth);
            [fault.clone(), fault.after()]
        })
    });
    // All at once: they wait for each other's pauses between attempts.
    let mut sites: tokio::task::JoinSet<()> = faults.map(converges_in_spite_of).collect();
    while let Some(site) = sites.join_next().await {
        site.unwrap();
    }
}

async fn converges_in_spite_of(fault: Fault) {
    let mut site = Site::new().await;
    site.declare(&(slug("web", "k7m2p4", "") + &tunnel("exclusive", &["app", "api"])));
    site.faults.replace(vec![fault.clone()]).unwrap();
    site.pass().await;
    site.pass().await;
    let last = site.pass().await;
    assert!(last.first.in_true(), "{fault:?}: {}", told(&last));
    assert_eq!(site.records().len(), 3, "{fault:?}: {:?}", site.zone());
    let tunnels = site.simulator.snapshot().tunnels.remove(ACCOUNT).unwrap_or_default();
    assert_eq!(tunnels.len(), 1, "{fault:?}");
}

#[tokio::test]
async fn a_thousand_slugs_cost_a_handful_of_calls() {
    let mut site = Site::new().await;
    let many: String = (0..1_000).map(|n| slug(&format!("s{n}"), &format!("x{n:05}"), "")).collect();
    site.declare(&many);
    let report = site.pass().await;
    assert!(report.rest.in_true());
    assert_eq!(site.records().len(), 1_000);
    let (calls, writes) = site.faults.counts();
    assert_eq!(writes, 5, "two hundred in a batch");
    assert!(calls <= 16, "{calls}");
    let again = site.pass().await;
    assert!(again.first.in_true());
    assert!(site.faults.counts().0 - calls <= 4, "{}", site.faults.counts().0 - calls);
}

#[tokio::test]
async fn a_tunnel_comes_with_its_rules_and_names_and_goes_with_them() {
    let mut site = Site::new().await;
    site.declare(&tunnel("exclusive", &["app", "old"]));
    let report = site.pass().await;
    assert!(report.rest.in_true(), "{}", told(&report));
    let tunnel_now = site.tunnel();
    assert!(tunnel_now.name.starts_with("t.dc-lk."), "{}", tunnel_now.name);
    let target = format!("{}.cfargotunnel.com", tunnel_now.id);
    assert_eq!(site.zone(), [format!("CNAME app {target}"), format!("CNAME old {target}")]);
    assert!(site.records().iter().all(|record| record.proxied && record.ttl == 1));
    assert_eq!(site.hosts(), ["app.decent-cloud.org", "old.decent-cloud.org", "*"]);
    // A renamed host name: the old one goes.
    site.declare(&tunnel("exclusive", &["app", "new"]));
    site.converge().await;
    assert_eq!(site.zone(), [format!("CNAME app {target}"), format!("CNAME new {target}")]);
    assert_eq!(site.hosts(), ["app.decent-cloud.org", "new.decent-cloud.org", "*"]);
    // The connector runs, and the manifest goes.
    let token = site.estate.providers.cloudflare().unwrap().tunnel_token(ACCOUNT, &tunnel_now.id).await.unwrap();
    site.simulator.connect(token.expose_secret(), "connector").unwrap();
    site.declare("");
    let refused = site.pass().await;
    assert!(refused.refusal.is_some(), "no tunnel goes without consent: {}", told(&refused));
    assert_eq!(site.records().len(), 2);
    site.consent.insert(DeclarationId::new("Tunnel", "t"));
    let report = site.pass().await;
    assert!(report.rest.in_true(), "{}", told(&report));
    assert!(site.records().is_empty());
    let tunnels = site.simulator.snapshot().tunnels.remove(ACCOUNT).unwrap();
    assert!(tunnels.values().all(|tunnel| tunnel.deleted_at.is_some()));
    let order: Vec<&str> = report.first.steps.iter().map(|step| &*step.id.object.resource).collect();
    assert_eq!(order, ["dns-record", "dns-record", "tunnel"], "names go first");
}

#[tokio::test]
async fn rules_by_hand_go_from_an_exclusive_tunnel_and_stay_in_a_shared_one() {
    for (mode, expected) in [
        ("exclusive", vec!["app.decent-cloud.org", "*"]),
        ("shared", vec!["app.decent-cloud.org", "hand.decent-cloud.org", "*"]),
    ] {
        let mut site = Site::new().await;
        site.declare(&tunnel(mode, &["app", "old"]));
        site.converge().await;
        site.simulator.edit(|state| {
            let tunnel = state.tunnels.get_mut(ACCOUNT).unwrap().values_mut().next().unwrap();
            let rules = tunnel.config.as_mut().unwrap()["ingress"].as_array_mut().unwrap();
            rules.insert(0, json!({"hostname": "hand.decent-cloud.org", "service": "http://hand"}));
            tunnel.version += 1;
        });
        site.declare(&tunnel(mode, &["app"]));
        site.converge().await;
        assert_eq!(site.hosts(), expected, "{mode}");
        assert_eq!(site.records().len(), 1, "{mode}");
    }
}

#[tokio::test]
async fn a_second_writer_is_noticed_by_the_look_before_the_write() {
    let mut site = Site::new().await;
    site.declare(&tunnel("shared", &["app"]));
    site.converge().await;
    site.declare(&tunnel("shared", &["app", "api"]));
    // Whoever writes between our plan and our step: the number is not the one that was planned from.
    let simulator = Arc::clone(&site.simulator);
    let estate = Arc::new(std::mem::replace(
        &mut site.estate,
        Estate {
            declarations: Declarations::default(),
            providers: Providers::default(),
            resources: LIST,
            without: BTreeMap::new(),
        },
    ));
    let meddled = std::sync::atomic::AtomicBool::new(false);
    let meddle = |event: engine::Event<'_>| {
        let engine::Event::Started { step } = event else { return };
        if step.id.object.resource != "tunnel-configuration" || meddled.swap(true, std::sync::atomic::Ordering::SeqCst)
        {
            return;
        }
        simulator.edit(|state| {
            let tunnel = state.tunnels.get_mut(ACCOUNT).unwrap().values_mut().next().unwrap();
            let rules = tunnel.config.as_mut().unwrap()["ingress"].as_array_mut().unwrap();
            rules.insert(0, json!({"hostname": "hand.decent-cloud.org", "service": "http://hand"}));
            tunnel.version += 1;
        });
    };
    let report = engine::pass(&estate, &Options::default(), &meddle).await;
    assert!(told(&report).contains("it has changed since"), "{}", told(&report));
    site.estate = Arc::into_inner(estate).unwrap();
    assert_eq!(site.hosts(), ["hand.decent-cloud.org", "app.decent-cloud.org", "*"], "nothing was overwritten");
    site.converge().await;
    let mut hosts = site.hosts();
    hosts.sort();
    assert_eq!(hosts, ["*", "api.decent-cloud.org", "app.decent-cloud.org", "hand.decent-cloud.org"]);
}

#[tokio::test]
async fn a_name_too_deep_for_a_certificate_is_told_before_it_is_made() {
    let mut site = Site::new().await;
    site.declare(&tunnel("exclusive", &["app.dc-lk"]));
    let report = site.pass().await;
    let waves = report.waves.iter().flat_map(|wave| &wave.plan.steps);
    let warned = waves.filter(|step| step.fields.iter().any(|field| field.name == "warning")).count();
    assert_eq!(warned, 1, "{}", told(&report));
}

#[tokio::test]
async fn an_answer_in_another_spelling_is_no_difference() {
    let mut site = Site::new().await;
    site.declare(&(slug("web", "k7m2p4", "") + &tunnel("exclusive", &["app"])));
    site.converge().await;
    site.edit("app", |record| record.content = record.content.to_uppercase() + ".");
    site.edit("k7m2p4.dc-lk", |record| record.name = "K7M2P4.DC-LK.decent-cloud.org.".into());
    let report = site.pass().await;
    assert!(report.first.in_true(), "{}", told(&report));
}
