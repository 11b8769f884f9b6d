//! The linter catches each invariant that a planner could break.
use super::table::plan;
use crate::{
    model::{Expect, Plan, Revision, Step, StepId, Verb},
    plan::{Guards, lint, review},
};

fn sound() -> Plan<String> {
    plan(
        "room/1 a 10; room/2 b 10; door/1 c 10 needs=room/1; gem/2 h 10 adopt; gem/4 j 110",
        "room/2 b 110; room/3 d 10; gem/2 foreign 11; gem/4 j 10; gem/5 k 10 retain",
    )
}

fn step<'a>(plan: &'a mut Plan<String>, id: &str) -> &'a mut Step<String> {
    let id: StepId = id.to_string().try_into().expect("an id");
    plan.steps.iter_mut().find(|step| step.id == id).expect("in the plan")
}

#[test]
fn each_broken_invariant_is_named_and_nothing_of_the_plan_runs() {
    type Break = fn(&mut Plan<String>);
    let ours = || Expect::Ours(Revision("r".into()));
    assert!(matches!(ours(), Expect::Ours(_)));
    let cases: &[(&str, Break)] = &[
        ("two steps have one id", |p| p.steps.push(p.steps[0].clone())),
        ("which is not in the plan", |p| p.steps.retain(|s| s.id.to_string() != "room/1#0")),
        ("room/1#0: create cannot expect", |p| step(p, "room/1#0").expect = Expect::Ours(Revision("r".into()))),
        ("room/3#0: delete cannot expect", |p| step(p, "room/3#0").expect = Expect::Absent),
        ("room/3#0: delete cannot expect", |p| step(p, "room/3#0").expect = Expect::Foreign(Revision("r".into()))),
        ("gem/2#0: adopt cannot expect", |p| step(p, "gem/2#0").expect = Expect::Absent),
        ("room/3#0: update cannot expect Foreign", |p| {
            let step = step(p, "room/3#0");
            (step.verb, step.expect) = (Verb::Update, Expect::Foreign(Revision("r".into())));
        }),
        ("room/1#0: create cannot expect AsLeft", |p| step(p, "room/1#0").expect = Expect::AsLeft),
        ("gem/2#1 does not follow", |p| step(p, "gem/2#1").needs.clear()),
        ("gem/2#1 creates what nothing has deleted", |p| step(p, "gem/2#1").verb = Verb::Create),
        ("room/1#0 acts on a resource that could not be looked at", |p| {
            let mut note = p.orphans[0].clone();
            note.object = "room/*".to_string().try_into().expect("an id");
            p.unseen.push(note);
        }),
        ("room/1#0 acts on a conflict", |p| {
            let mut note = p.orphans[0].clone();
            note.object = "room/1".to_string().try_into().expect("an id");
            p.conflicts.push(note);
        }),
        ("room/3#0 deletes and says no loss", |p| step(p, "room/3#0").loses.clear()),
        ("a cycle among", |p| {
            let door = step(p, "door/1#0").id.clone();
            step(p, "room/1#0").needs.insert(door);
        }),
    ];
    assert_eq!(lint(&sound()), Vec::<String>::new());
    for (complaint, break_it) in cases {
        let mut plan = sound();
        break_it(&mut plan);
        let complaints = lint(&plan);
        assert!(complaints.iter().any(|text| text.contains(complaint)), "{complaint}: {complaints:?}");
        let refusal = review(plan, &Guards::default()).err().expect("refused");
        assert!(refusal.digest.is_none(), "no consent makes a broken plan whole");
    }
}

#[test]
fn a_cycle_is_named_by_its_members_only() {
    let mut plan = sound();
    let door = step(&mut plan, "door/1#0").id.clone();
    step(&mut plan, "room/1#0").needs.insert(door);
    let cycle = lint(&plan).into_iter().find(|text| text.contains("cycle")).expect("a cycle");
    assert_eq!(cycle, "a cycle among room/1#0, door/1#0");
}
