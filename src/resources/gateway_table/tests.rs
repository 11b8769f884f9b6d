use super::*;
use crate::{
    model::{Deletion, Found, Mark, Observation},
    providers::{
        host::{Host, Limits},
        nftables::{APPLY, Rules, kernel_tests::in_namespace},
    },
    resources::rehearsal::{pass, planned, ready, shown},
};
use bytes::Bytes;
use std::collections::BTreeMap;

pub fn mark() -> Mark {
    Mark {
        site: "dc-lk".into(),
        uid: "gatewaygatewayaa".parse().unwrap(),
        serves: None,
        deletion: Deletion::Retain,
        declared: Some("Gateway/edge".parse().unwrap()),
    }
}

pub fn rules() -> Rules {
    Rules {
        public_addresses: ["203.0.113.1", "2001:db8:1::1"].map(|a| a.parse().unwrap()).into(),
        public_interface: "vmbr0".parse().unwrap(),
        guest_networks: ["10.0.1.0/24", "fd00:1::/64"].map(|n| n.parse().unwrap()).into(),
        host_tcp: [22, 80, 443, 8006].into(),
        host_udp: [].into(),
    }
}

pub fn scope() -> Scope {
    Scope { site: "dc-lk".into() }
}

/// This machine's nft, in the namespace of the test.
pub fn providers() -> Providers {
    Providers { host: Some(Host::local()), ..Providers::default() }
}

pub async fn nft(text: &str) {
    let output = Host::local().run(&APPLY, Bytes::copy_from_slice(text.as_bytes()), Limits::default()).await.unwrap();
    assert_eq!(output.status, 0, "{text}\n{}", output.complaint());
}

fn in_true(rules: &Rules) -> Live {
    Live { made_from: Some(rules.clone()), text: rules.digest().ok(), intact: true, strays: vec![] }
}

fn plan_of(rules: Rules, mark_there: Mark, live: Live) -> String {
    let found =
        Found::Ours(crate::model::Ours { mark: mark_there, revision: crate::model::Revision("r".into()), live });
    shown(&planned::<GatewayTable>([(Table, ready(mark(), rules))], &Observation::Complete([(Table, found)].into())))
}

#[test]
fn plans() {
    let mut all = vec![];
    let nothing = Observation::Complete(BTreeMap::new());
    all.push(shown(&planned::<GatewayTable>([(Table, ready(mark(), rules()))], &nothing)));
    all.push(plan_of(rules(), mark(), in_true(&rules())));
    let mut narrower = rules();
    narrower.host_tcp.remove(&8006);
    all.push(plan_of(narrower.clone(), mark(), in_true(&rules())));
    all.push(plan_of(rules(), mark(), in_true(&narrower)));
    all.push(plan_of(rules(), mark(), Live { intact: false, ..in_true(&rules()) }));
    all.push(plan_of(rules(), mark(), Live { text: Some("0123456789abcdef".into()), ..in_true(&rules()) }));
    let strays: Vec<String> = (1..=5).map(|n| format!("203.0.113.1 2999{n}/tcp -> 10.0.1.9:22")).collect();
    all.push(plan_of(rules(), mark(), Live { strays, ..in_true(&rules()) }));
    all.push(plan_of(rules(), Mark { deletion: Deletion::Delete, ..mark() }, in_true(&rules())));
    all.push(plan_of(rules(), mark(), Live { made_from: None, intact: false, ..in_true(&rules()) }));
    insta::assert_snapshot!(all.join("--\n"), @r"
    + gateway-table/trueup table inet trueup for 203.0.113.1, 2001:db8:1::1 on vmbr0 (nothing)
        publicAddresses: - -> 203.0.113.1, 2001:db8:1::1
        publicInterface: - -> vmbr0
        guestNetworks: - -> 10.0.1.0/24, fd00:1::/64
        hostPorts.tcp: - -> 22, 80, 443, 8006
    --
    --
    ~ gateway-table/trueup table inet trueup for 203.0.113.1, 2001:db8:1::1 on vmbr0 (an interruption)
        hostPorts.tcp: 22, 80, 443, 8006 -> 22, 80, 443
    --
    ~ gateway-table/trueup table inet trueup for 203.0.113.1, 2001:db8:1::1 on vmbr0 (nothing)
        hostPorts.tcp: 22, 80, 443 -> 22, 80, 443, 8006
    --
    ~ gateway-table/trueup table inet trueup for 203.0.113.1, 2001:db8:1::1 on vmbr0 (nothing)
        rules: not as they were made -> as the manifest says
    --
    ~ gateway-table/trueup table inet trueup for 203.0.113.1, 2001:db8:1::1 on vmbr0 (nothing)
        rules: of another version of trueup -> of this one
    --
    ~ gateway-table/trueup table inet trueup for 203.0.113.1, 2001:db8:1::1 on vmbr0 (an interruption)
        elements: 203.0.113.1 29991/tcp -> 10.0.1.9:22 and 4 more -> removed, nobody declared them
    --
    ~ gateway-table/trueup table inet trueup for 203.0.113.1, 2001:db8:1::1 on vmbr0 (nothing)
        mark: of before -> written anew
    --
    ~ gateway-table/trueup table inet trueup for 203.0.113.1, 2001:db8:1::1 on vmbr0 (nothing)
        publicAddresses: - -> 203.0.113.1, 2001:db8:1::1
        publicInterface: - -> vmbr0
        guestNetworks: - -> 10.0.1.0/24, fd00:1::/64
        hostPorts.tcp: - -> 22, 80, 443, 8006
        rules: not as they were made -> as the manifest says
    ");
}

#[test]
fn the_table_is_made_kept_and_repaired() {
    in_namespace("the_table_is_made_kept_and_repaired", |nftables| async move {
        let wanted = || [(Table, ready(mark(), rules()))];
        let providers = providers();
        let pass = async || {
            let (text, answers) = pass::<GatewayTable>(&providers, &scope(), wanted()).await;
            for (step, answer) in answers {
                assert_eq!(answer, Ok(()), "{step}");
            }
            text
        };
        assert!(pass().await.starts_with("+ gateway-table/trueup"));
        assert_eq!(pass().await, "", "in true at once");
        // a guest's counter has counted something; whatever is repaired, it stays
        let guest = "counter packets 7 bytes 700 comment \"trueup/1 dc-lk guest qrstuvwxyz234567\"";
        let owner = "trueup/1 dc-lk abcdefghijklmnop qrstuvwxyz234567 d 20000+10 101 PortAllocation/web";
        nft(&format!(
            "add element inet trueup received4 {{ 10.0.1.5 {guest} }}
             add element inet trueup sent4 {{ 10.0.1.5 {guest} }}
             add element inet trueup forwards4 {{ 203.0.113.1 . tcp . 20000 comment \"{owner}\" : 10.0.1.5 . 22 }}"
        ))
        .await;
        assert_eq!(pass().await, "");
        let elements = async || {
            let entries = nftables.list().await.unwrap().unwrap().entries;
            entries.into_iter().filter(|e| !matches!(e.element, nftables::Element::Stamp(_))).collect::<Vec<_>>()
        };
        let before = elements().await;
        assert_eq!(before.len(), 3);
        for drift in [
            "flush chain inet trueup host",
            "flush table inet trueup",
            "add rule inet trueup host tcp dport 9999 accept",
            "delete element inet trueup stamp { 1 }", // killed before the look at what was made
            "add element inet trueup forwards4 { 203.0.113.1 . tcp . 29999 : 10.0.1.9 . 22 }",
            "add element inet trueup sent6 { fd00:1::99 counter packets 1 bytes 1 comment \"trueup/1 dc-lk guest -\" }",
            "add chain inet trueup extra",
            "add set inet trueup more { type mark ; }",
            "flush chain inet trueup forward
             delete chain inet trueup forward
             add chain inet trueup forward { type filter hook forward priority 5 ; policy drop ; }",
        ] {
            nft(drift).await;
            let text = pass().await;
            assert!(text.starts_with("~ gateway-table/trueup"), "{drift}: {text}");
            assert_eq!(pass().await, "", "{drift}");
            assert_eq!(elements().await, before, "{drift}");
        }
        nft("flush ruleset").await;
        assert!(pass().await.starts_with("+ gateway-table/trueup"));
        assert_eq!(pass().await, "");
    });
}

#[test]
fn a_table_of_others_is_a_conflict() {
    in_namespace("a_table_of_others_is_a_conflict", |_| async move {
        nft("add table inet trueup\nadd set inet trueup theirs { type mark ; }").await;
        let providers = providers();
        let wanted = || [(Table, ready(mark(), rules()))];
        let (text, answers) = pass::<GatewayTable>(&providers, &scope(), wanted()).await;
        assert_eq!(text, "# gateway-table/trueup: is held by a table of this name that carries no mark\n");
        assert!(answers.is_empty());
        nft("flush ruleset").await;
        pass::<GatewayTable>(&providers, &scope(), wanted()).await;
        let other = Scope { site: "dc-nz".into() };
        let (text, _) = pass::<GatewayTable>(&providers, &other, wanted()).await;
        assert_eq!(text, "# gateway-table/trueup: is held by the site dc-lk\n");
        // no longer wanted, policy retain: stays and is said
        let (text, answers) = pass::<GatewayTable>(&providers, &scope(), []).await;
        assert_eq!(
            (text.as_str(), answers.len()),
            ("# gateway-table/trueup: no manifest wants it; kept (policy retain)\n", 0)
        );
        // adopted by its name: made anew
        nft("flush ruleset\nadd table inet trueup\nadd set inet trueup theirs { type mark ; }").await;
        let mut adopt = ready(mark(), rules());
        if let crate::model::Wanted::Ready(ready) = &mut adopt {
            ready.adopt = true;
        }
        let (text, answers) = pass::<GatewayTable>(&providers, &scope(), [(Table, adopt)]).await;
        assert!(
            text.starts_with("= gateway-table/trueup") && answers.iter().all(|a| a.1.is_ok()),
            "{text} {answers:?}"
        );
        assert_eq!(pass::<GatewayTable>(&providers, &scope(), wanted()).await.0, "");
    });
}

#[tokio::test]
async fn without_access_nothing_is_known() {
    let observed = GatewayTable::observe(&Providers::default(), &scope()).await;
    assert!(matches!(observed, Observation::Unavailable { .. }), "{observed:?}");
}
