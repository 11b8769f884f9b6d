use super::*;
use crate::{
    model::{
        DeclarationId, Deletion, Disruption, Expect, Field, Loss, Mark, Note, ObjectId, Plan, Revision, Step, StepId,
        Uid, Verb,
    },
    resources::Change,
};
use std::collections::BTreeMap;

fn object(resource: &'static str, key: &str) -> ObjectId {
    ObjectId { resource: resource.into(), key: key.into() }
}

fn step(object: ObjectId, verb: Verb, declared: &str, text: &str) -> Step<Change> {
    let uid = Uid::from_bits([1; 10]);
    let declared: DeclarationId = declared.parse().unwrap();
    Step {
        id: StepId { object, nth: 0 },
        declared: Some(declared.clone()),
        verb,
        disrupts: Disruption::Nothing,
        unsettles: false,
        fields: vec![],
        loses: vec![],
        mark: Mark { site: "dc".into(), uid, serves: None, deletion: Deletion::Delete, declared: Some(declared) },
        expect: Expect::Ours(Revision("1".into())),
        blocked: None,
        withheld: None,
        needs_consent: None,
        within: None,
        needs: Default::default(),
        change: Change { text: text.into(), data: serde_json::Value::Null },
    }
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn a_plan_reads_from_the_worst_to_the_totals() {
    let mut gone = step(object("guest", "105"), Verb::Delete, "Container/old", "destroy it and its disks");
    gone.disrupts = Disruption::Data;
    gone.loses = vec![Loss { what: "guest".into(), name: "old".into(), uid: gone.mark.uid.clone() }];
    let mut changed = step(object("guest", "101"), Verb::Update, "Container/web", "set memory");
    changed.fields = vec![
        Field { name: "memory".into(), from: Some("1GiB".into()), to: Some("2GiB".into()), effect: None },
        Field { name: "cores".into(), from: None, to: Some("2".into()), effect: None },
    ];
    let mut blocked = step(object("forwards", "db"), Verb::Create, "PortAllocation/db", "20010-20019 to 10.0.1.6");
    blocked.blocked = Some("guest/102 is not there".into());
    let plan = Plan {
        steps: vec![changed, blocked, gone],
        conflicts: vec![Note {
            object: object("guest", "103"),
            declared: None,
            text: "is held by mail".into(),
            hint: Some("to take it over, …".into()),
        }],
        unseen: vec![Note {
            object: object("dns-record", "*"),
            declared: None,
            text: "could not look: 500".into(),
            hint: None,
        }],
        unchanged: BTreeMap::from([("guest".to_string(), 14)]),
        ..Plan::default()
    };
    let why = BTreeMap::from([(object("guest", "101"), Why::Drifted)]);
    let view = View { plan: &plan, withheld: &[], refusal: None, why: &why };
    insta::assert_snapshot!(plain(&plan_text(&view)), @r"
    Will be destroyed
      - guest/105 (Container/old) destroy it and its disks [loss of data]

    Will be made true
      ~ guest/101 (Container/web) set memory [drifted]
          memory  1GiB -> 2GiB
          cores   2
      + forwards/db (PortAllocation/db) 20010-20019 to 10.0.1.6
          blocked: guest/102 is not there

    In conflict: left as they are
      ! guest/103 is held by mail
          to take it over, …

    Could not be looked at: nothing is written there
      ? dns-record could not look: 500

    Plan: 1 to create, 1 to change, 1 to destroy; 1 in conflict, 1 not looked at, 14 unchanged.
    ");
    let json = plan_json(&view);
    assert_eq!(json["plan"]["steps"][0]["id"], "guest/101#0");
    assert_eq!(json["why"]["guest/101"]["why"], "drifted");
}

#[test]
fn nothing_to_do_is_said_once() {
    let plan = Plan { unchanged: BTreeMap::from([("guest".to_string(), 3)]), ..Plan::default() };
    let view = View { plan: &plan, withheld: &[], refusal: None, why: &BTreeMap::new() };
    assert_eq!(plain(&plan_text(&view)), "No changes; 3 unchanged.\n");
}

#[test]
fn what_is_made_and_then_started_is_counted_as_made() {
    let made = step(object("guest", "101"), Verb::Create, "Container/web", "web");
    let mut started = step(object("guest", "101"), Verb::Update, "Container/web", "start");
    started.id.nth = 1;
    let plan = Plan { steps: vec![made, started], ..Plan::default() };
    let text = plan_text(&View { plan: &plan, withheld: &[], refusal: None, why: &BTreeMap::new() });
    assert!(plain(&text).ends_with("Plan: 1 to create.\n"), "{text}");
}
