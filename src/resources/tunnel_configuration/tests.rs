use super::*;
use crate::model::Sides;
use serde_json::{Value, json};

fn rule(host: &str, path: Option<&str>, service: &str) -> Rule {
    Rule { host: host.into(), path: path.map(Into::into), service: service.into() }
}

fn desired(shared: bool) -> Desired {
    Desired {
        shared,
        rules: vec![
            rule("ird.bridges.test", Some("^/gateway/"), "http://192.168.61.226:8080"),
            rule("*.apps.bridges.test", None, "http://192.168.61.230:80"),
        ],
        otherwise: "http_status:404".into(),
        needs: vec![],
    }
}

fn live(config: Value, ours: &[&str]) -> Live {
    let ours = ours.iter().map(|host| (*host).to_owned()).collect();
    Live { tunnel: "t".into(), version: 3, remote: true, config, ours }
}

fn shown(desired: &Desired, live: &Live) -> String {
    let drafts = plan::diff(Sides::Both { desired, live, stale_mark: false });
    let Some(draft) = drafts.first() else { return "nothing".into() };
    draft.change.config["ingress"].as_array().unwrap().iter().map(|rule| format!("{rule}\n")).collect()
}

#[test]
fn an_exclusive_document_has_our_rules_and_no_others() {
    let other = json!({"hostname": "other.test", "service": "http://x"});
    let old = live(json!({"ingress": [other, {"service": "http_status:503"}], "warp-routing": {"enabled": true}}), &[]);
    insta::assert_snapshot!(shown(&desired(false), &old), @r#"
    {"hostname":"ird.bridges.test","path":"^/gateway/","service":"http://192.168.61.226:8080"}
    {"hostname":"*.apps.bridges.test","service":"http://192.168.61.230:80"}
    {"service":"http_status:404"}
    "#);
    let written = plan::document(&desired(false), Some(&old));
    assert_eq!(written["warp-routing"], json!({"enabled": true}), "what manifests do not speak of stays");
    assert_eq!(shown(&desired(false), &live(written, &[])), "nothing");
}

#[test]
fn a_shared_document_keeps_the_rules_of_others_in_their_order() {
    let old = live(
        json!({"ingress": [
            {"hostname": "gone.bridges.test", "service": "http://old"},
            {"hostname": "hand.bridges.test", "service": "http://hand", "originRequest": {"noTLSVerify": true}},
            {"hostname": "*.hand.bridges.test", "service": "http://hand"},
            {"hostname": "after.hand.bridges.test", "service": "http://never"},
            {"service": "http_status:503"},
        ]}),
        &["gone.bridges.test"],
    );
    insta::assert_snapshot!(shown(&desired(true), &old), @r#"
    {"hostname":"ird.bridges.test","path":"^/gateway/","service":"http://192.168.61.226:8080"}
    {"hostname":"hand.bridges.test","service":"http://hand","originRequest":{"noTLSVerify":true}}
    {"hostname":"*.hand.bridges.test","service":"http://hand"}
    {"hostname":"after.hand.bridges.test","service":"http://never"}
    {"hostname":"*.apps.bridges.test","service":"http://192.168.61.230:80"}
    {"service":"http_status:503"}
    "#);
    let written = plan::document(&desired(true), Some(&old));
    assert_eq!(shown(&desired(true), &live(written, &["ird.bridges.test", "*.apps.bridges.test"])), "nothing");
}

#[test]
fn spellings_and_settings_of_a_rule_are_no_difference() {
    let config = json!({"ingress": [
        {"hostname": "IRD.bridges.test", "path": "^/gateway/", "service": "http://192.168.61.226:8080", "originRequest": {}},
        {"hostname": "*.apps.bridges.test", "path": "", "service": "http://192.168.61.230:80",
            "originRequest": {"connectTimeout": 10}},
        {"service": "http_status:404", "originRequest": {}},
    ], "originRequest": {}});
    assert_eq!(shown(&desired(false), &live(config, &[])), "nothing");
}

#[test]
fn a_changed_service_says_so() {
    let mut config = plan::document(&desired(false), None);
    config["ingress"][0]["service"] = json!("http://192.168.61.9:8080");
    let live = live(config, &[]);
    let drafts = plan::diff(Sides::Both { desired: &desired(false), live: &live, stale_mark: false });
    let fields: Vec<String> =
        drafts[0].fields.iter().map(|f| format!("{}: {:?} -> {:?}", f.name, f.from, f.to)).collect();
    insta::assert_snapshot!(fields.join("\n"), @r#"ird.bridges.test ^/gateway/: Some("http://192.168.61.9:8080") -> Some("http://192.168.61.226:8080")"#);
}

#[test]
fn records_of_our_rules_must_outlive_them() {
    let config = json!({"ingress": [
        {"hostname": "a.test", "service": "http://a"}, {"hostname": "b.test", "service": "http://b"}, {"service": "http_status:404"},
    ]});
    let uses: Vec<String> = plan::uses(&live(config, &["a.test", "c.test"])).iter().map(ToString::to_string).collect();
    assert_eq!(uses, ["dns-record/a.test/CNAME"]);
}
