//! From manifests to the plan of templates and the guests that are made from them.
use crate::{
    kinds::{RESOURCES, allocation, load},
    ledger::Lock,
    manifest::{Severity, SourceFile},
    model::{Inventory, Observation, Plan, Uid},
    plan::join,
    resources::{Change, World, guest::Guest, template_volume::TemplateVolume},
};

const SITE: &str = "apiVersion: trueup/v1alpha1
kind: Site
metadata: { name: nz }
spec:
  domain: bridges.test
  proxmox:
    endpoints: ['https://192.168.61.2:8006']
    token: { env: T }
    defaults: { node: pve1, storage: local-lvm, bridge: vmbr0 }
";

fn template(name: &str, spec: &str) -> String {
    format!("---\napiVersion: trueup/v1alpha1\nkind: Template\nmetadata: {{ name: {name} }}\nspec: {spec}\n")
}

fn container(name: &str, node: &str, template: &str) -> String {
    format!(
        "---\napiVersion: trueup/v1alpha1\nkind: Container\nmetadata: {{ name: {name} }}\nspec: {{ template: '{template}', \
         node: {node}, rootfs: {{ size: 8GiB }}, state: stopped }}\n"
    )
}

/// The plan of an empty cluster. `blind`: the storages cannot be listed.
fn plan(documents: &[String], blind: bool) -> Plan<Change> {
    let text = format!("{SITE}{}", documents.concat());
    let (mut declarations, found) = load(vec![SourceFile::new("site.yaml", text)]);
    let errors: Vec<_> = found.iter().filter(|d| d.severity == Severity::Error).map(|d| &d.message).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let mut n = 0;
    let mut fresh = || {
        n += 1;
        Uid::from_bits([n; 10])
    };
    let now = jiff::Timestamp::UNIX_EPOCH;
    let made = allocation::allocate(&declarations, &Lock::default(), &allocation::Carried::default(), now, &mut fresh);
    assert!(allocation::fill(&mut declarations, made.lock).is_empty());
    let (mut world, mut earlier) = (World::default(), World::default());
    world.insert::<Guest>(Observation::Complete(Inventory::<Guest>::new()));
    world.insert::<TemplateVolume>(match blind {
        true => Observation::unavailable("no answer"),
        false => Observation::Complete(Inventory::<TemplateVolume>::new()),
    });
    let of_interest = RESOURCES.iter().filter(|r| matches!(r.name(), "guest" | "template-volume"));
    join(of_interest.map(|resource| resource.plan(&declarations, &world, &mut earlier)).collect())
}

fn shown(plan: &Plan<Change>) -> String {
    let line = |step: &crate::model::Step<Change>| {
        let needs: Vec<String> = step.needs.iter().map(ToString::to_string).collect();
        let blocked = step.blocked.as_ref().map(|why| format!(" blocked: {why}")).unwrap_or_default();
        format!("{} {}: {} [{}]{blocked}\n", step.verb.sign(), step.id, step.change, needs.join(" "))
    };
    plan.steps.iter().map(line).collect()
}

#[test]
fn a_guest_waits_for_the_template_that_it_is_made_from() {
    let documents = [
        template("debian-13", "{ storage: local, container: { file: debian-13.tar.zst } }"),
        template(
            "own",
            "{ storage: local, container: { url: 'https://acme.test/x/own_1.tar.gz', checksum: 'sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' } }",
        ),
        template("unused", "{ storage: local, image: { upload: images/alpine.qcow2 } }"),
        container("a", "pve1", "debian-13"),
        container("b", "pve2", "debian-13"),
        container("c", "pve1", "local:vztmpl/other.tar.zst"),
    ];
    insta::assert_snapshot!(shown(&plan(&documents, false)), @r"
    + template-volume/local:import/alpine.qcow2#0: upload images/alpine.qcow2 to pve1 []
    + template-volume/local:vztmpl/debian-13.tar.zst#0: download as the appliance index says to pve1 []
    ~ template-volume/local:vztmpl/debian-13.tar.zst#1: download as the appliance index says to pve2 [template-volume/local:vztmpl/debian-13.tar.zst#0]
    + template-volume/local:vztmpl/own_1.tar.gz#0: download https://acme.test/x/own_1.tar.gz to pve1 []
    + guest/100#0: a on pve1 from local:vztmpl/debian-13.tar.zst [template-volume/local:vztmpl/debian-13.tar.zst#0 template-volume/local:vztmpl/debian-13.tar.zst#1]
    + guest/101#0: b on pve2 from local:vztmpl/debian-13.tar.zst [template-volume/local:vztmpl/debian-13.tar.zst#0 template-volume/local:vztmpl/debian-13.tar.zst#1]
    + guest/102#0: c on pve1 from local:vztmpl/other.tar.zst []
    ");
}

/// Only guests that are yet to be made have to do with it.
#[test]
fn while_the_storage_cannot_be_listed_no_guest_is_made_from_it() {
    let documents = [
        template("debian-13", "{ storage: local, container: { file: debian-13.tar.zst } }"),
        container("a", "pve1", "debian-13"),
        container("c", "pve1", "local:vztmpl/other.tar.zst"),
    ];
    insta::assert_snapshot!(shown(&plan(&documents, true)), @r"
    + guest/100#0: a on pve1 from local:vztmpl/debian-13.tar.zst [] blocked: it needs template-volume/local:vztmpl/debian-13.tar.zst, which cannot be looked at
    + guest/101#0: c on pve1 from local:vztmpl/other.tar.zst []
    ");
}
